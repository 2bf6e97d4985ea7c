import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { identityStatuses } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, moment, shown, text } from '../schemas.ts';

const section = 'People';

const identity = z
  .strictObject({ status: z.enum(identityStatuses), changed_at: moment().nullable() })
  .meta({ id: 'Identity', description: 'How far it is proved who the person is outside' });
const verdict = z
  .strictObject({ status: z.enum(identityStatuses), reason: text(500).optional().describe('For the journal') })
  .meta({ id: 'IdentityVerdict' });

/** What a service that verifies identities says of a person. */
export function identityRoutes({ users, events, db, clock }: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/users/{id}/identity',
      ...{ section, summary: 'Read whether an identity is verified', scopes: ['users.read'] },
      params: byId,
      answer: identity,
      refusals: ['user.unknown'],
      async handle({ params }) {
        const user = await users.byId(params.id);
        if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
        return { body: { status: user.identityStatus, changed_at: shown.moment(user.identityStatusAt) } };
      },
    }),
    route({
      method: 'PUT',
      path: '/users/{id}/identity',
      ...{ section, summary: 'Say whether an identity is verified', scopes: ['users.write'] },
      details: 'It opens nothing by itself; applications and rules may ask for it.',
      params: byId,
      body: verdict,
      answer: identity,
      refusals: ['user.unknown'],
      handle: ({ params, body: { status, reason }, by }) =>
        db.transact(async () => {
          let from = status;
          const at = clock.now();
          const user = await users.update(params.id, by, (user) => {
            from = user.identityStatus;
            user.judgeIdentity(status, { at });
          });
          if (from !== status) {
            const type = 'user.identity_status_changed';
            await events.record({ type, ...by, reason, subject: params.id, data: { from, to: status } });
          }
          return { body: { status, changed_at: shown.moment(user.identityStatusAt) } };
        }),
    }),
  ];
}
