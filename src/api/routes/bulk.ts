import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { action, type BulkInput, bulkKind, scopesFor } from '../bulk.ts';
import { invalid } from '../checks.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { id } from '../schemas.ts';
import { filterOf, filters } from './directory.ts';
import { showTask, task } from './tasks.ts';

const section = 'Many at once';
const mostIds = 10_000;

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
        return { body: showTask(started, tasks), status: 202, location: `/admin/tasks/${started.id}` };
      },
    }),
  ];
}
