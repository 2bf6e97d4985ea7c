import { z } from 'zod';
import { scopesNamedBy } from '../clients/index.ts';
import type { Db } from '../platform/db/index.ts';
import { Refusal } from '../platform/index.ts';
import type { ItemResult, TaskActor, TaskKind } from '../platform/jobs/index.ts';
import type { By, UserFilter } from '../users/index.ts';
import type { Scope } from './bearer.ts';
import type { ApiPorts } from './ports.ts';
import { asOf, checkAttributes } from './routes/attributes.ts';
import { demandMayStop, demandMayTouch } from './routes/person-guards.ts';
import { id, text } from './schemas.ts';

/** What can be done to many people at once. */
export const action = z.discriminatedUnion('do', [
  z.strictObject({ do: z.enum(['suspend', 'reactivate', 'deactivate', 'delete']), reason: text(500).optional() }),
  z.strictObject({ do: z.enum(['add_to_group', 'remove_from_group']), group: id() }),
  z.strictObject({ do: z.literal('set_field'), field: text(100), value: z.json().describe('null takes it away') }),
  z.strictObject({ do: z.literal('send_verification') }),
]);

export type Action = z.output<typeof action>;

export const bulkKind = 'users.bulk';

export interface BulkInput {
  action: Action;
  /** One of both. A search is of those who were there when it began: who is added later is not among them. */
  ids?: string[];
  filter?: UserFilter;
  /** The service that asked for it, where no person did: it does not touch administrators. */
  service?: string;
  scopes: string[];
  startedAt: string;
}

interface Checkpoint {
  /** How many were done, and the last of them. */
  position: number;
  after?: string;
}

const batch = 50;

const transitionOf = {
  suspend: 'suspend',
  reactivate: 'reactivate',
  deactivate: 'deactivate',
  delete: 'remove',
} as const;

/**
 * Each person on their own, in a transaction with the note that it was done: a process that dies in between leaves nobody
 * half done, and whoever goes on does nobody twice. One who cannot be changed is a failed item and holds up no other.
 */
export function bulkTask(ports: ApiPorts): TaskKind<BulkInput, Checkpoint> {
  const { search, db } = ports;
  const next = async ({ ids, filter, startedAt }: BulkInput, { position, after }: Checkpoint): Promise<string[]> => {
    if (ids) return ids.slice(position, position + batch);
    const asked = { ...revived(filter!), createdTo: earliest(filter!.createdTo, startedAt) };
    return search.ids(asked, { after, limit: batch });
  };

  return {
    concurrency: 2,
    async run({ input, by, checkpoint: before, report, signal }) {
      let checkpoint = before ?? { position: 0 };
      if (!before) {
        const total = input.ids?.length ?? (await search.count(revived(input.filter!), 'exact'));
        await report({ checkpoint, total });
      }
      for (;;) {
        const people = await next(input, checkpoint);
        if (people.length === 0) return;
        await demandStillMay(ports, input, by);
        for (const person of people) {
          if (signal.aborted) return;
          const position = checkpoint.position + 1;
          const after = { position, after: person };
          const result = await settled(db, async () => {
            await act(ports, input, person, { actor: by });
            await report({ results: [{ position, item: person, outcome: 'done' }], checkpoint: after });
          });
          if (result) await report({ results: [{ position, item: person, ...result }], checkpoint: after });
          checkpoint = after;
        }
      }
    },
  };
}

/** Who asked for it may have lost the right to meanwhile: then nothing more is done in their name. */
async function demandStillMay({ users, clients }: ApiPorts, { service, action }: BulkInput, { id }: TaskActor) {
  const wanted = scopesFor(action);
  if (service !== undefined) {
    const named = scopesNamedBy((await clients.find(service))?.metadata ?? {});
    if (wanted.every((scope) => named.includes(scope))) return;
  } else {
    const user = await users.byId(id ?? '');
    if (user?.administrator && user.mayHold()) return;
  }
  throw new Refusal('caller.not_permitted', { kind: 'forbidden' });
}

/** What a token must be good for to ask for this: whoever is put into a group has its roles. */
export const scopesFor = ({ do: what }: Pick<Action, 'do'>): Scope[] =>
  what === 'add_to_group' || what === 'remove_from_group' ? ['users.write', 'directory.write'] : ['users.write'];

/** What is refused of one person is their result; a store out of reach is nobody's. */
async function settled(db: Db, work: () => Promise<void>): Promise<Pick<ItemResult, 'outcome' | 'code'> | undefined> {
  try {
    await db.transact(work);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind === 'unavailable' || error.code.startsWith('task.')) throw error;
    return { outcome: 'failed', code: error.code };
  }
}

async function act(ports: ApiPorts, input: BulkInput, person: string, by: By): Promise<void> {
  const { users, groups, verification, fields } = ports;
  const { action } = input;
  const scopes = new Set(input.scopes);
  const caller = input.service
    ? { clientId: input.service, scopes }
    : { clientId: '', accountId: by.actor.id ?? '', scopes };
  switch (action.do) {
    case 'add_to_group':
      await groups.addMembers(action.group, [person], by);
      return;
    case 'remove_from_group':
      await groups.removeMembers(action.group, [person], by);
      return;
    case 'send_verification': {
      const user = await users.byId(person);
      if (user?.isEmailVerified()) throw new Refusal('user.email_verified_already', { kind: 'conflict' });
      await verification.ask({ userId: person, locale: user?.locale ?? 'en', by });
      return;
    }
    case 'set_field': {
      const as = asOf(caller, false);
      const values = await checkAttributes(fields, { [action.field]: action.value }, { ...as, at: 'api' });
      await users.update(person, by, (user) => {
        demandMayTouch(caller, user);
        const attributes = { ...user.attributes, ...values };
        user.attributes = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
      });
      return;
    }
    default: {
      const transition = transitionOf[action.do];
      // A list that was meant for others would lock out whoever runs it, half way through.
      if (person === caller.accountId && transition !== 'reactivate') {
        throw new Refusal('user.oneself', { kind: 'conflict' });
      }
      await demandMayStop(ports, person, transition, caller);
      await users.change(person, transition, { ...by, reason: action.reason });
    }
  }
}

/** Kept as JSON with the task, where dates are text. */
function revived(filter: UserFilter): UserFilter {
  const dates = ['signedInFrom', 'signedInTo', 'createdFrom', 'createdTo'] as const;
  return {
    ...filter,
    ...Object.fromEntries(dates.flatMap((name) => (filter[name] ? [[name, new Date(filter[name])]] : []))),
  };
}

const earliest = (asked: Date | undefined, startedAt: string): Date => {
  const started = new Date(startedAt);
  return asked && new Date(asked) < started ? new Date(asked) : started;
};
