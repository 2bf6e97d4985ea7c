import { setTimeout as sleep } from 'node:timers/promises';
import type { Passwords } from '../../credentials/index.ts';
import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import { type By, emailKey, isEmail, type User, type Users } from '../../users/index.ts';
import type { FieldChecks } from '../ports.ts';
import type { OldProfile, OldSystem } from './old-system.ts';

/** People who come over one at a time, when they sign in: their password is known to the system they come from. */
export interface Trickle {
  /**
   * Asks the old system, once the password was not right here. Only of people who have no account here, or one that was
   * made for them and has nothing yet to sign in with. When it says yes, the account, its password and the journal are
   * written in one transaction. Every "no" takes as long as any other, whether or not the old system was asked: call it
   * for every wrong password, after the attempt was counted.
   * @param asked.since of `performance.now()`, when the look at the password began
   * @returns the account to sign in to
   */
  ask(asked: {
    identifier: string;
    password: string;
    user: User | undefined;
    ip: string;
    since: number;
  }): Promise<User | undefined>;
  /**
   * Whether the old system is out of reach just now: whoever comes over could not, and is to be told so. It says nothing
   * of who that would be, and is told to everybody with a wrong password.
   */
  isAway(): boolean;
}

interface Ports {
  db: Db;
  users: Pick<Users, 'create' | 'update' | 'change' | 'byEmail' | 'byId'>;
  passwords: Pick<Passwords, 'prepare' | 'store' | 'check'>;
  events: Pick<Events, 'record'>;
  fields: FieldChecks;
  oldSystem: OldSystem;
  settings: {
    /** Whether an address that the old system knows counts as proved. */
    trustEmail: boolean;
    /** Seconds the old system has. */
    timeout: number;
    /** Milliseconds that a "no" takes at least; default 400. */
    least?: number;
  };
}

const remembered = 50;

export function createTrickle(ports: Ports): Trickle {
  const { db, users, passwords, events, fields, oldSystem, settings } = ports;
  const { least = 400 } = settings;
  /** How long the last calls took; the longest of them is what every "no" is made to look like. */
  const took: number[] = [];

  const even = async (since: number) => {
    const longest = Math.min(Math.max(least, ...took) * 1.25, settings.timeout * 1250);
    const spent = performance.now() - since;
    await sleep(Math.ceil(spent / longest) * longest - spent);
  };

  /** Whether the person may come over. A deleted account is one that must not come back by itself. */
  const mayCome = async (identifier: string, user: User | undefined): Promise<boolean> => {
    if (!isEmail(identifier)) return false;
    const [found] = await db.query<{ has: boolean; deleted: boolean }>(
      `select
         exists (select 1 from password where user_id = $1) or exists (select 1 from passkey where user_id = $1) as has,
         exists (select 1 from user_account where email_key = $2 and state = 'Deleted') as deleted`,
      [user?.id ?? null, emailKey(identifier)],
    );
    if (!user) return !found!.deleted;
    return !found!.has && !user.isStopped() && !user.isUnverified();
  };

  const attributesOf = async (profile: OldProfile): Promise<Record<string, unknown> | undefined> => {
    const known = new Set((await fields.list()).map(({ name }) => name));
    const values = Object.fromEntries(Object.entries(profile.attributes ?? {}).filter(([name]) => known.has(name)));
    try {
      const cleaned = await fields.check(values, { as: 'administrator', at: 'api' });
      return Object.fromEntries(Object.entries(cleaned).filter(([, value]) => value !== null));
    } catch (error) {
      // What does not fit here must not keep somebody out who has the right password.
      if (error instanceof Refusal && error.kind === 'invalid') return undefined;
      throw error;
    }
  };

  const facts = (profile: OldProfile) => ({
    name: profile.name,
    givenName: profile.given_name,
    familyName: profile.family_name,
    locale: /^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}$/.test(profile.locale ?? '') ? profile.locale : undefined,
    externalId: profile.sub,
  });

  const arrive = (
    asked: { identifier: string; user: User | undefined; ip: string },
    profile: OldProfile,
    attributes: Record<string, unknown> | undefined,
    prepared: { hash: string },
  ): Promise<User> =>
    db.transact(async () => {
      const by: By = { actor: { kind: 'anonymous' }, ip: asked.ip, reason: 'old system' };
      const proved = settings.trustEmail || profile.email_verified === true;
      let user: User;
      if (asked.user) {
        user = await users.update(asked.user.id, by, (known) => {
          for (const [field, value] of Object.entries(facts(profile))) {
            if (value !== undefined && !known[field as 'name']) known[field as 'name'] = value;
          }
        });
        // Another sign-in may have brought the person over meanwhile: the lock of the row is ours now.
        if ((await db.query('select 1 from password where user_id = $1', [user.id])).length > 0) {
          throw new Refusal('user.email_taken', { kind: 'conflict' });
        }
        if (proved && user.may('verify')) user = await users.change(user.id, 'verify', by);
      } else {
        user = await users.create(
          {
            email: asked.identifier,
            emailVerified: proved,
            // Whose address nobody has proved is asked to on the next page.
            state: proved ? 'Active' : 'Created',
            ...facts(profile),
            ...(attributes && { attributes }),
          },
          by,
        );
      }
      await passwords.store(user.id, prepared);
      await events.record({ type: 'credential.added', ...by, subject: user.id, data: { kind: 'password' } });
      return user;
    });

  const bring = async (asked: Parameters<Trickle['ask']>[0]): Promise<User | undefined> => {
    if (!(await mayCome(asked.identifier, asked.user))) return undefined;
    const since = performance.now();
    const answer = await oldSystem.ask(asked.identifier, asked.password);
    took.push(performance.now() - since);
    if (took.length > remembered) took.shift();
    if (answer.said !== 'yes') return undefined;
    const { profile } = answer;
    // It may know people by other names too; here the address is the name, and must be the one that was typed.
    if (profile.email !== undefined && emailKey(profile.email) !== emailKey(asked.identifier)) return undefined;
    // Ready before the transaction opens: hashing takes its time.
    const prepared = await passwords.prepare(asked.password);
    const attributes = await attributesOf(profile);
    try {
      return await arrive(asked, profile, attributes, prepared);
    } catch (error) {
      if (!(error instanceof Refusal && error.kind === 'conflict')) throw error;
      // Two browsers at once: the other one was first, with whatever password it had.
      const user = await users.byEmail(asked.identifier);
      return user && (await passwords.check(user.id, asked.password)) ? user : undefined;
    }
  };

  return {
    async ask(asked) {
      const user = await bring(asked);
      if (!user) await even(asked.since);
      return user;
    },
    isAway: oldSystem.isAway,
  };
}
