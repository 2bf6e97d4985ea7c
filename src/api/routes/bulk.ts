import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { ItemResult, Task } from '../../platform/jobs/index.ts';
import type { Caller } from '../bearer.ts';
import { action, type BulkInput, bulkKind, scopesFor } from '../bulk.ts';
import { invalid } from '../checks.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging } from '../schemas.ts';
import { filterOf, filters } from './directory.ts';

const section = 'Many at once';
const mostIds = 10_000;

const task = z
  .strictObject({
    id: id(),
    kind: z.string(),
    state: z.enum(['queued', 'running', 'done', 'failed', 'cancelled']),
    total: z.number().int().nullable().describe('Null until it is known'),
    done: z.number().int(),
    failed: z.number().int(),
    outcomes: z.record(z.string(), z.number().int()),
    error: z.string().nullable().describe('Why it failed as a whole'),
    created_at: moment(),
    started_at: moment().nullable(),
    ended_at: moment().nullable(),
  })
  .meta({ id: 'Task' });

const item = z
  .strictObject({
    position: z.number().int(),
    item: z.string().nullable(),
    outcome: z.string().describe('failed, or what went well'),
    code: z.string().nullable(),
  })
  .meta({ id: 'TaskResult' });

const show = (found: Task) => ({
  id: found.id,
  kind: found.kind,
  state: found.state,
  total: found.total ?? null,
  done: found.done,
  failed: found.failed,
  outcomes: found.tally,
  error: found.error?.code ?? null,
  created_at: found.createdAt.toISOString(),
  started_at: found.startedAt?.toISOString() ?? null,
  ended_at: found.endedAt?.toISOString() ?? null,
});

const showItem = ({ position, item, outcome, code }: ItemResult) => ({
  position,
  item: item ?? null,
  outcome,
  code: code ?? null,
});

const body = z
  .strictObject({
    action,
    ids: z.array(id()).min(1).max(mostIds).optional().describe('These people …'),
    search: z.strictObject(filters).optional().describe('… or all whom a list with these conditions would show now'),
  })
  .meta({ id: 'BulkChange' });

/** The same to thousands of people, as a task that outlives the request and the process. */
export function bulkRoutes(ports: ApiPorts): Route[] {
  const { tasks, groups, fields, clock } = ports;
  const cursors = createCursors(ports);

  /** A task of another service is none of a service's business; administrators see them all. */
  const found = async (wanted: string, { clientId, accountId }: Caller): Promise<Task> => {
    const task = await tasks.find(wanted);
    if (!task || (accountId === undefined && task.by.id !== clientId)) {
      throw new Refusal('task.unknown', { kind: 'missing' });
    }
    return task;
  };

  return [
    route({
      method: 'POST',
      path: '/admin/users/bulk',
      ...{ section, summary: 'Change many people', scopes: ['users.write'], dangerous: true },
      details:
        'Takes it on and answers at once; the task tells how far it is. Each person is changed on their own, and one who cannot be holds up no other. Groups take the scope `directory.write` as well.',
      body,
      bodyLimit: 1024 * 1024,
      answer: task,
      status: [202],
      async handle({ body: { action, ids, search }, caller, by }) {
        const lacking = scopesFor(action).filter((scope) => !caller.scopes.has(scope));
        if (lacking.length > 0) {
          throw new Refusal('token.insufficient_scope', { kind: 'forbidden', details: { scopes: lacking } });
        }
        if ((ids === undefined) === (search === undefined)) {
          throw invalid([{ pointer: '', code: 'value', detail: 'Either ids or search' }]);
        }
        if (search && Object.keys(search).length === 0) {
          throw invalid([{ pointer: '/search', code: 'value', detail: 'Everybody is too many: name a condition' }]);
        }
        if ('group' in action && !(await groups.find(action.group))) {
          throw invalid([{ pointer: '/action/group', code: 'unknown', detail: 'There is no such group' }]);
        }
        if ('field' in action && !(await fields.find(action.field))) {
          throw invalid([{ pointer: '/action/field', code: 'unknown', detail: 'There is no such field' }]);
        }
        const input: BulkInput = {
          action,
          ...(ids ? { ids: [...new Set(ids.map((one) => one.toLowerCase()))] } : { filter: filterOf(search!) }),
          ...(caller.accountId === undefined && { service: caller.clientId }),
          scopes: [...caller.scopes],
          startedAt: clock.now().toISOString(),
        };
        const started = await tasks.start(bulkKind, input, by.actor);
        return { body: show(started), status: 202, location: `/admin/tasks/${started.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/tasks/{id}',
      ...{ section, summary: 'Read a task', scopes: ['users.read'] },
      params: byId,
      answer: task,
      refusals: ['task.unknown'],
      handle: async ({ params, caller }) => ({ body: show(await found(params.id, caller)) }),
    }),
    route({
      method: 'DELETE',
      path: '/admin/tasks/{id}',
      ...{ section, summary: 'Cancel a task', scopes: ['users.write'] },
      details: 'What was done stays done; nothing more is.',
      params: byId,
      answer: task,
      refusals: ['task.unknown'],
      async handle({ params, caller }) {
        await found(params.id, caller);
        return { body: show((await tasks.cancel(params.id))!) };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/tasks/{id}/results',
      ...{ section, summary: 'Read the results of a task', scopes: ['users.read'] },
      params: byId,
      query: z.strictObject({ outcome: z.string().min(1).max(60).optional(), ...paging }),
      answer: pageOf(item),
      refusals: ['task.unknown', 'cursor.invalid'],
      async handle({ params, query: { outcome, limit, cursor }, caller }) {
        await found(params.id, caller);
        const pages = cursors(caller, ['results', params.id, outcome ?? null]);
        const after = pages.after<number>(cursor);
        const results = await tasks.results(params.id, { after, limit: limit + 1, outcome });
        return { body: pages.page(results, limit, showItem, ({ position }) => position) };
      },
    }),
  ];
}
