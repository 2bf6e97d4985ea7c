import { Refusal } from '../../platform/index.ts';
import type { By } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId } from '../schemas.ts';
import { etagOfPerson, person, show } from './person.ts';

const section = 'People';

/** Who is an administrator: decided by administrators in person, with a fresh second factor, and never by a service. */
export function administratorRoutes({ users, events, db }: ApiPorts): Route[] {
  const set = (id: string, administrator: boolean, by: By) =>
    db.transact(async () => {
      await db.lock('administrators');
      const before = await users.byId(id);
      if (!before) throw new Refusal('user.unknown', { kind: 'missing' });
      if (before.administrator === administrator) return before;
      if (!administrator) {
        const others = await db.query(
          `select 1 from user_account where administrator and state = 'Active' and id <> $1 limit 1`,
          [id],
        );
        if (others.length === 0) throw new Refusal('user.last_administrator', { kind: 'conflict' });
      }
      const user = await users.update(id, by, (user) => {
        user.administrator = administrator;
      });
      const type = administrator ? 'user.administrator_granted' : 'user.administrator_revoked';
      await events.record({ type, ...by, subject: id });
      return user;
    });

  const describe = (word: string, administrator: boolean, summary: string) =>
    route({
      method: 'POST',
      path: `/users/{id}/${word}`,
      ...{ section, summary, scopes: ['users.write'], dangerous: true, inPerson: true },
      params: byId,
      answer: person,
      refusals: ['user.unknown', 'user.last_administrator'],
      async handle({ params, by }) {
        const user = await set(params.id, administrator, by);
        return { body: show(user), etag: etagOfPerson(user) };
      },
    });

  return [
    describe('grant-administrator', true, 'Make a person an administrator'),
    describe('revoke-administrator', false, 'Make an administrator a person like others'),
  ];
}
