import { z } from 'zod';
import type { AuditRecord, EventType } from '../../events/index.ts';
import { Refusal } from '../../platform/index.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, text } from '../schemas.ts';

const section = 'Sessions and history';

const happening = z
  .strictObject({
    id: id(),
    type: z.string(),
    at: moment(),
    actor: z.strictObject({ kind: z.string(), id: z.string().optional() }),
    client: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    reason: z.string().nullable(),
    data: z.json().nullable(),
  })
  .meta({ id: 'Happening' });

const show = (record: AuditRecord) => ({
  id: record.id,
  type: record.type,
  at: record.at.toISOString(),
  actor: { kind: record.actor.kind, ...(record.actor.id !== undefined && { id: record.actor.id }) },
  client: record.client ?? null,
  ip: record.ip ?? null,
  user_agent: record.userAgent ?? null,
  reason: record.reason ?? null,
  data: (record.data ?? null) as z.core.util.JSONType,
});

const query = z.strictObject({ type: text(100).optional().describe('As signin.succeeded'), ...paging });

/** What happened with an account, from the journal, newest first. */
export function historyRoutes(ports: ApiPorts): Route[] {
  const { events, users } = ports;
  const cursors = createCursors(ports);
  return [
    route({
      method: 'GET',
      path: '/users/{id}/audit',
      ...{ section, summary: 'Read the history of a person', scopes: ['users.read'] },
      params: byId,
      query,
      answer: pageOf(happening),
      refusals: ['user.unknown', 'cursor.invalid'],
      async handle({ params, query: { type, limit, cursor } }) {
        if (!(await users.byId(params.id))) throw new Refusal('user.unknown', { kind: 'missing' });
        const question = ['audit', params.id, type ?? null];
        const before = cursors.read<string>(cursor, question);
        const records = await events.history({
          subject: params.id,
          limit: limit + 1,
          mayLag: true,
          ...(type !== undefined && { type: type as EventType }),
          ...(before !== undefined && { before }),
        });
        const shown = records.slice(0, limit);
        const next = records.length > limit ? cursors.write(shown.at(-1)!.id, question) : null;
        return { body: { items: shown.map(show), next } };
      },
    }),
  ];
}
