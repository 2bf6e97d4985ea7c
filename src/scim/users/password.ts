import type { Prepared } from '../../credentials/index.ts';
import { bad } from '../faults.ts';
import type { Reach, ScimPorts } from '../ports.ts';
import type { Json } from '../schema/attribute.ts';
import type { Facts } from './facts.ts';

/** Passwords that a directory hands over: checked as any other, hashed before a lock is taken, never told. */
export function createPasswordWrites(ports: Pick<ScimPorts, 'passwords' | 'policy' | 'sessions' | 'events'>) {
  const { passwords, policy, sessions, events } = ports;
  return {
    /**
     * @param id of the person, when there is one: the password they have already is nothing new, and senders repeat it
     * @throws Refusal `password.…` (invalid), `credential.busy` (unavailable)
     */
    async prepare(password: Json | undefined, facts: Facts, id?: string): Promise<Prepared | undefined> {
      if (password === undefined) return undefined;
      if (typeof password !== 'string') throw bad('invalidValue', 'the password is not a text');
      if (id !== undefined && (await passwords.has(id)) && (await passwords.check(id, password))) return undefined;
      const { email, name, givenName, familyName } = facts;
      await policy.demand(password, { email, names: [name, givenName, familyName] });
      return passwords.prepare(password);
    },

    /** In the open transaction. Whoever knew the old one is out with it. */
    async store(id: string, prepared: Prepared, { by }: Reach): Promise<void> {
      const had = await passwords.has(id);
      await passwords.store(id, prepared);
      if (had) await sessions.endAllOf(id, 'credential.changed');
      await events.record({
        type: had ? 'credential.changed' : 'credential.added',
        ...by,
        subject: id,
        data: { kind: 'password' },
      });
    },
  };
}
