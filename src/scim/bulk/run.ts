import type { Answer } from '../answer.ts';
import { bad, errorBody, faultOf, ScimFault } from '../faults.ts';
import type { JsonObject } from '../schema/attribute.ts';
import { referencesOf, resolved, withoutUnmade } from './references.ts';
import { type BulkOperation, readBulk } from './request.ts';

const responseSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';

interface Task {
  operation: BulkOperation;
  /** BulkIds it speaks of. */
  needs: readonly string[];
  /** How many of them are not settled yet. */
  waiting: number;
  told?: JsonObject;
}

interface BulkPorts {
  base: string;
  /** Does one operation as if it had come alone. */
  run(operation: BulkOperation): Promise<Answer>;
  /** All that is done in it happens or nothing. */
  together<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Many requests in one (RFC 7644, section 3.7), each for itself: one that fails takes no other back. An operation that
 * speaks of what another makes waits for it, whatever the order they are written in. Those that wait for each other in
 * a circle (section 3.7.1) are made together, all or none: first without what they say of each other, then with it.
 * @throws ScimFault 413, `invalidSyntax`, `invalidValue` when the request as a whole is wrong
 */
export async function runBulk(body: unknown, { base, run, together }: BulkPorts): Promise<JsonObject> {
  const { operations, failOnErrors } = readBulk(body);
  const tasks = operations.map((operation): Task => ({ operation, needs: referencesOf(operation), waiting: 0 }));
  const makers = new Map(
    tasks.flatMap((task) => (task.operation.method === 'POST' ? [[task.operation.bulkId!, task] as const] : [])),
  );
  const dependents = new Map<string, Task[]>([...makers.keys()].map((id) => [id, []]));
  for (const task of tasks) {
    for (const id of task.needs) {
      dependents.get(id)?.push(task);
      if (makers.has(id)) task.waiting++;
    }
  }
  const made = new Map<string, string>();
  const failed = new Set<string>();
  let errors = 0;

  const tell = ({ method, bulkId }: BulkOperation) => ({ method, ...(bulkId !== undefined && { bulkId }) });

  const settle = (id: string) => {
    for (const task of dependents.get(id)!) task.waiting--;
  };

  const succeeded = (task: Task, { status, location, version, body }: Answer) => {
    const { method, bulkId } = task.operation;
    if (method === 'POST') {
      made.set(bulkId!, String(body?.id));
      settle(bulkId!);
    }
    task.told = {
      ...tell(task.operation),
      ...(location && { location }),
      ...(version && { version }),
      status: String(status),
    };
  };

  const refused = (task: Task, fault: ScimFault) => {
    const { method, bulkId, path } = task.operation;
    errors++;
    if (method === 'POST') {
      failed.add(bulkId!);
      settle(bulkId!);
    }
    const isOfOne = /^\/(Users|Groups)\/[\w-]+$/.test(path);
    task.told = {
      ...tell(task.operation),
      ...(isOfOne && { location: `${base}${path}` }),
      status: String(fault.status),
      response: errorBody(fault),
    };
  };

  const one = async (task: Task): Promise<void> => {
    try {
      for (const id of task.needs) {
        if (!makers.has(id)) throw bad('invalidValue', `nothing here has the bulkId ${id}`);
        if (failed.has(id)) throw bad('invalidValue', `what has the bulkId ${id} was not made`);
      }
      succeeded(task, await run(resolved(task.operation, made)));
    } catch (error) {
      const fault = faultOf(error);
      if (!fault) throw error;
      refused(task, fault);
    }
  };

  /** Only what makes something can be waited for: a circle consists of POSTs alone. */
  const circle = async (ring: readonly Task[]): Promise<void> => {
    /** Whoever could not be made for a reason of their own. */
    let at: Task | undefined;
    try {
      const ids = new Map(made);
      const answers = new Map<Task, Answer>();
      await together(async () => {
        for (const task of ring) {
          at = task;
          const answer = await run(withoutUnmade(task.operation, ids));
          ids.set(task.operation.bulkId!, String(answer.body?.id));
        }
        at = undefined;
        for (const task of ring) {
          const { path, data } = resolved(task.operation, ids);
          const { password: _, ...rest } = data as JsonObject;
          const put = { method: 'PUT', path: `${path}/${ids.get(task.operation.bulkId!)}`, data: rest } as const;
          answers.set(task, { ...(await run(put)), status: 201 });
        }
      });
      for (const task of ring) succeeded(task, answers.get(task)!);
    } catch (error) {
      const fault = faultOf(error);
      if (!fault) throw error;
      const reason = `${at ? `bulkId ${at.operation.bulkId}` : 'these operations wait for each other'}: ${fault.message}`;
      for (const task of ring) refused(task, task === at ? fault : new ScimFault(409, undefined, reason));
    }
  };

  const makersAhead = ({ needs }: Task) =>
    needs.flatMap((id) => (made.has(id) || failed.has(id) ? [] : (makers.get(id) ?? [])));
  let left = tasks;
  while (left.length > 0 && errors < failOnErrors) {
    const next = left.find(({ waiting }) => waiting === 0);
    if (next) await one(next);
    else await circle(innermostCircle(left[0]!, makersAhead));
    left = left.filter(({ told }) => told === undefined);
  }
  return {
    schemas: [responseSchema],
    Operations: tasks.map(({ told }) => told).filter((told) => told !== undefined),
  };
}

/**
 * Those who all wait for each other and for nobody else: the first strongly connected component that Tarjan's algorithm
 * completes. There is one, for everybody waits for somebody.
 */
function innermostCircle(start: Task, ahead: (task: Task) => readonly Task[]): Task[] {
  const index = new Map<Task, number>();
  const low = new Map<Task, number>();
  const visit = (task: Task): Task[] | undefined => {
    const own = index.size;
    index.set(task, own);
    low.set(task, own);
    for (const next of ahead(task)) {
      const found = index.has(next) ? undefined : visit(next);
      if (found) return found;
      low.set(task, Math.min(low.get(task)!, low.get(next)!));
    }
    return low.get(task) === own ? [...index.keys()].slice(own) : undefined;
  };
  return visit(start)!;
}
