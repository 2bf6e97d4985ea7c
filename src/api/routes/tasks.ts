import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { ItemResult, Task, Tasks } from '../../platform/jobs/index.ts';
import type { Caller } from '../bearer.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, text } from '../schemas.ts';

const section = 'Many at once';
const states = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;

export const task = z
  .strictObject({
    id: id(),
    kind: z.string(),
    state: z.enum(states),
    progress: z.number().min(0).max(1).nullable().describe('How much of it is done; null until it is known'),
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
    position: z.number().int().describe('Its own within the task; the line of a file'),
    item: z.string().nullable(),
    outcome: z.string().describe('failed, or what went well'),
    code: z.string().nullable(),
    details: z.record(z.string(), z.json()).nullable(),
  })
  .meta({ id: 'TaskResult' });

/** A task as the API shows it. */
export const showTask = (found: Task, tasks: Pick<Tasks, 'progressOf'>) => ({
  id: found.id,
  kind: found.kind,
  state: found.state,
  progress: tasks.progressOf(found) ?? null,
  total: found.total ?? null,
  done: found.done,
  failed: found.failed,
  outcomes: found.tally,
  error: found.error?.code ?? null,
  created_at: found.createdAt.toISOString(),
  started_at: found.startedAt?.toISOString() ?? null,
  ended_at: found.endedAt?.toISOString() ?? null,
});

const showItem = ({ position, item, outcome, code, details }: ItemResult) => ({
  position,
  item: item ?? null,
  outcome,
  code: code ?? null,
  details: (details ?? null) as Record<string, z.core.util.JSONType> | null,
});

/** Work that outlives the request and the process. */
export function taskRoutes(ports: ApiPorts): Route[] {
  const { tasks } = ports;
  const cursors = createCursors(ports);
  const show = (found: Task) => showTask(found, tasks);

  /** A task of another service is none of a service's business; administrators see them all. */
  const demand = async (wanted: string, { clientId, accountId }: Caller): Promise<Task> => {
    const found = await tasks.find(wanted);
    if (!found || (accountId === undefined && found.by.id !== clientId)) {
      throw new Refusal('task.unknown', { kind: 'missing' });
    }
    return found;
  };

  return [
    route({
      method: 'GET',
      path: '/admin/tasks',
      ...{ section, summary: 'List the tasks', scopes: ['users.read'], inPerson: true },
      details: 'Newest first. They are kept for a month after their end.',
      query: z.strictObject({ kind: text(60).optional(), state: z.enum(states).optional(), ...paging }),
      answer: pageOf(task),
      refusals: ['cursor.invalid'],
      async handle({ query: { kind, state, limit, cursor }, caller }) {
        const pages = cursors(caller, ['tasks', kind ?? null, state ?? null]);
        const before = pages.after<string>(cursor);
        const found = await tasks.list({
          limit: limit + 1,
          ...(kind !== undefined && { kind }),
          ...(state !== undefined && { state }),
          ...(before !== undefined && { before }),
        });
        return { body: pages.page(found, limit, show, ({ id }) => id) };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/tasks/{id}',
      ...{ section, summary: 'Read a task', scopes: ['users.read'] },
      params: byId,
      answer: task,
      refusals: ['task.unknown'],
      handle: async ({ params, caller }) => ({ body: show(await demand(params.id, caller)) }),
    }),
    route({
      method: 'DELETE',
      path: '/admin/tasks/{id}',
      ...{ section, summary: 'Cancel a task', scopes: ['users.write'] },
      details: 'What was done stays done; nothing more is, unless it is resumed.',
      params: byId,
      answer: task,
      refusals: ['task.unknown'],
      async handle({ params, caller }) {
        await demand(params.id, caller);
        return { body: show((await tasks.cancel(params.id))!) };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/tasks/{id}/resume',
      ...{ section, summary: 'Resume a task', scopes: ['users.write'], dangerous: true },
      details:
        'Lets one that was cancelled or has failed go on from where it was. A crash needs none: another process goes on. The file of an import is kept for a day after its end.',
      params: byId,
      answer: task,
      status: [202],
      refusals: ['task.unknown'],
      async handle({ params, caller }) {
        await demand(params.id, caller);
        return { body: show((await tasks.resume(params.id))!) };
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
        await demand(params.id, caller);
        const pages = cursors(caller, ['results', params.id, outcome ?? null]);
        const after = pages.after<number>(cursor);
        const results = await tasks.results(params.id, { after, limit: limit + 1, outcome });
        return { body: pages.page(results, limit, showItem, ({ position }) => position) };
      },
    }),
  ];
}
