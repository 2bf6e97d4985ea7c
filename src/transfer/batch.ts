import type { WholeCredentials } from '../credentials/index.ts';
import type { Event } from '../events/index.ts';
import { newId, Refusal } from '../platform/index.ts';
import type { ItemResult } from '../platform/jobs/index.ts';
import type { By, User, WholeMemberships, WholeUser } from '../users/index.ts';
import type { ImportInput } from './options.ts';
import { accountOf, brings, changesOf, keysOf, type Row, whoIs } from './plan.ts';
import type { TransferPorts } from './ports.ts';

export const failed = (line: number, error: Refusal): ItemResult => ({
  position: line,
  outcome: 'failed',
  code: error.code,
  ...(Object.keys(error.details).length > 0 && { details: error.details }),
});

/** What has become of each row of a batch, and what the people of those that are in get beside their account. */
function createOutcomes() {
  const results = new Map<number, ItemResult>();
  const lines = new Map<string, number>();
  const credentials = new Map<string, WholeCredentials>();
  const belongings = new Map<string, WholeMemberships>();
  return {
    credentials,
    belongings,
    done(row: Row, outcome: string, { id, state }: WholeUser, details?: Record<string, unknown>): void {
      results.set(row.line, { position: row.line, outcome, item: id, ...(details && { details }) });
      if (outcome === 'skipped') return;
      credentials.set(id, row.credentials);
      // Who is deleted is in no group; what else they were in waits for their return.
      const { groups, roles, organisations, consents } = row.record;
      belongings.set(id, state === 'Deleted' ? {} : { groups, roles, organisations, consents });
      lines.set(id, row.line);
    },
    failed({ line }: Row, error: Refusal): void {
      results.set(line, failed(line, error));
    },
    /** Somebody is in, but not in all that the row names. */
    lacks(id: string, unknown: object): void {
      const result = results.get(lines.get(id)!)!;
      const details = { ...result.details, ...unknown };
      results.set(result.position, { ...result, code: 'import.membership_unknown', details });
    },
    of: ({ line }: Row): ItemResult => results.get(line)!,
  };
}

type Outcomes = ReturnType<typeof createOutcomes>;

/** Brings a few hundred rows in, within the open transaction: no two of them share a name. */
export function createBatches(ports: TransferPorts) {
  const { clock, users, intake, credentialIntake, memberships, events } = ports;

  const knownTo = async (rows: readonly Row[]) => {
    const known = new Map<string, WholeUser>();
    for (const user of await intake.matching(rows.map(({ record }) => record))) {
      for (const key of keysOf(user)) known.set(key, user);
    }
    return known;
  };

  const update = (user: WholeUser, changes: Partial<WholeUser>, by: By) =>
    users.update(user.id, by, (entity: User) => {
      const at = clock.now();
      const { email, emailVerifiedAt, userName, ...rest } = changes;
      if (email !== undefined && email !== entity.email) entity.changeEmail(email, { at });
      if (emailVerifiedAt !== undefined) entity.emailVerifiedAt = at;
      if (userName !== undefined) entity.changeUserName(userName);
      Object.assign(entity, rest);
    });

  /** An administrator's account is as good as the word of who may make administrators, and of nobody else. */
  const demandMayTouch = (row: Row, user: WholeUser, changes: object, input: ImportInput) => {
    if (!user.administrator || input.administrators) return;
    if (Object.keys(changes).length === 0 && !brings(row)) return;
    throw new Refusal('import.administrator_refused', { kind: 'forbidden' });
  };

  /** Who is here already. */
  const take = async (row: Row, user: WholeUser, input: ImportInput, by: By, outcomes: Outcomes) => {
    const changes = changesOf(row.record, user);
    const fields = Object.keys(changes);
    if (fields.length > 0 && input.existing === 'skip') return outcomes.done(row, 'skipped', user, { fields });
    demandMayTouch(row, user, changes, input);
    if (fields.length === 0) return outcomes.done(row, 'unchanged', user);
    if (!input.dryRun) await update(user, changes, by);
    outcomes.done(row, 'updated', user, { fields });
  };

  /** Who is new. */
  const make = async (fresh: { row: Row; user: WholeUser }[], { dryRun }: ImportInput, by: By, outcomes: Outcomes) => {
    const made = dryRun
      ? new Set(fresh.map(({ user }) => user.id))
      : await intake.insert(fresh.map(({ user }) => user));
    for (const { row, user } of fresh) {
      if (made.has(user.id)) outcomes.done(row, 'created', user);
      // Made by somebody else between the look and the insert.
      else outcomes.failed(row, new Refusal('import.taken_meanwhile', { kind: 'conflict' }));
    }
    if (dryRun) return;
    await events.recordAll(
      fresh
        .filter(({ user }) => made.has(user.id))
        .map(({ user }): Event => ({ type: 'user.created', ...by, subject: user.id, data: { state: user.state } })),
    );
  };

  return async function bringIn(rows: readonly Row[], input: ImportInput, by: By): Promise<ItemResult[]> {
    const now = clock.now().toISOString();
    const known = await knownTo(rows);
    const outcomes = createOutcomes();
    const fresh: { row: Row; user: WholeUser }[] = [];
    for (const row of rows) {
      try {
        const user = whoIs(row.record, known);
        if (user) await take(row, user, input, by, outcomes);
        else fresh.push({ row, user: accountOf(row.record, row.record.id ?? newId(), now) });
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind === 'unavailable') throw error;
        outcomes.failed(row, error);
      }
    }
    await make(fresh, input, by, outcomes);
    if (!input.dryRun) {
      await credentialIntake.store(outcomes.credentials);
      for (const [id, unknown] of await memberships.give(outcomes.belongings, by, input)) outcomes.lacks(id, unknown);
    }
    return rows.map(outcomes.of);
  };
}
