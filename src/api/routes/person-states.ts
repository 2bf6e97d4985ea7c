import { z } from 'zod';
import type { Transition } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, text } from '../schemas.ts';
import { person } from './person.ts';
import { demandMayStop } from './person-guards.ts';
import { createWriting } from './person-writing.ts';

const section = 'People';
const reason = z.strictObject({ reason: text(500).optional() }).optional();
const refusals = [
  'user.unknown',
  'user.transition_not_permitted',
  'user.last_administrator',
  'caller.not_permitted',
] as const;

/** People stopped and let go on. */
export function personStateRoutes(ports: ApiPorts): Route[] {
  const { users, db } = ports;
  const { found, reply } = createWriting(ports);

  const move = (word: string, transition: Transition, summary: string, details?: string) =>
    route({
      method: 'POST',
      path: `/users/{id}/${word}`,
      ...{ section, summary },
      ...(details && { details }),
      scopes: ['users.write'],
      params: byId,
      body: reason,
      answer: person,
      refusals,
      handle: ({ params: { id }, body, caller, by }) =>
        db.transact(async () => {
          await demandMayStop(ports, id, transition, caller);
          return reply(await users.change(id, transition, { ...by, reason: body?.reason }), caller, false);
        }),
    });

  return [
    route({
      method: 'DELETE',
      path: '/users/{id}',
      ...{ section, summary: 'Delete a person', scopes: ['users.write'], dangerous: true },
      details: 'Ends all they hold. The account can be recovered; its address is free for others.',
      params: byId,
      ifMatch: 'honoured',
      refusals,
      async handle({ params, caller, by, demandMatch }) {
        await db.transact(async () => {
          await demandMayStop(ports, params.id, 'remove', caller);
          await users.change(params.id, 'remove', by);
          demandMatch((await found(params.id)).version - 1);
        });
        return {};
      },
    }),
    move('recover', 'recover', 'Recover a deleted person'),
    move('suspend', 'suspend', 'Suspend a person', 'Ends all sessions, grants and tokens at once.'),
    move('reactivate', 'reactivate', 'Let a person go on', 'Back to the state before the stop.'),
    move('deactivate', 'deactivate', 'Retire a person', 'Ends all sessions, grants and tokens at once.'),
    move('activate', 'activate', 'Activate a person', 'Without a proof of their address.'),
    move('require-password-reset', 'requirePasswordReset', 'Require a new password of a person'),
  ];
}
