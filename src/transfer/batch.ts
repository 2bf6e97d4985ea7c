import type { WholeCredentials } from '../credentials/index.ts';
import type { Event } from '../events/index.ts';
import { newId, Refusal } from '../platform/index.ts';
import type { ItemResult } from '../platform/jobs/index.ts';
import type { By, User, WholeUser } from '../users/index.ts';
import type { ImportInput } from './options.ts';
import { accountOf, changesOf, keysOf, type Row, whoIs } from './plan.ts';
import type { TransferPorts } from './ports.ts';

export const failed = (line: number, error: Refusal): ItemResult => ({
  position: line,
  outcome: 'failed',
  code: error.code,
  ...(Object.keys(error.details).length > 0 && { details: error.details }),
});

/** Brings a few hundred rows in, within the open transaction: no two of them share a name. */
export function createBatches(ports: TransferPorts) {
  const { db, clock, users, intake, credentialIntake, events, groups } = ports;
  /** By name, in lower case; only of the installation itself. */
  const groupIds = new Map<string, string>();

  const knownTo = async (rows: readonly Row[]) => {
    const known = new Map<string, WholeUser>();
    for (const user of await intake.matching(rows.map(({ record }) => record))) {
      for (const key of keysOf(user)) known.set(key, user);
    }
    return known;
  };

  const groupOf = async (name: string, create: boolean, by: By): Promise<string | undefined> => {
    const key = name.toLowerCase();
    const had = groupIds.get(key);
    if (had) return had;
    const [row] = await db.query<{ id: string }>(
      `select id from user_group where lower(display_name) = $1 and organisation_id is null order by id limit 1`,
      [key],
    );
    const id = row?.id ?? (create ? (await groups.create({ displayName: name }, by)).id : undefined);
    // Remembered once it is sure to stay: the transaction may yet be taken back.
    if (id) db.afterCommit(() => void groupIds.set(key, id));
    return id;
  };

  /** @returns what to add to the results of rows whose groups are not here */
  const join = async (memberships: { line: number; id: string; names: string[] }[], input: ImportInput, by: By) => {
    const missing = new Map<number, string[]>();
    const members = new Map<string, string[]>();
    const resolved = new Map<string, string | undefined>();
    for (const { line, id, names } of memberships) {
      for (const name of names) {
        if (!resolved.has(name)) resolved.set(name, await groupOf(name, input.createGroups, by));
        const group = resolved.get(name);
        if (group) members.set(group, [...(members.get(group) ?? []), id]);
        else missing.set(line, [...(missing.get(line) ?? []), name.slice(0, 60)]);
      }
    }
    // In one order everywhere, so that no two batches wait for each other.
    for (const [group, ids] of [...members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      await groups.addMembers(group, ids, by);
    }
    return missing;
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

  return async function bringIn(rows: readonly Row[], input: ImportInput, by: By): Promise<ItemResult[]> {
    const now = clock.now().toISOString();
    const known = await knownTo(rows);
    const results = new Map<number, ItemResult>();
    const fresh: { row: Row; user: WholeUser }[] = [];
    const credentials = new Map<string, WholeCredentials>();
    const memberships: { line: number; id: string; names: string[] }[] = [];

    const done = (row: Row, outcome: string, id: string, details?: Record<string, unknown>) => {
      results.set(row.line, { position: row.line, outcome, item: id, ...(details && { details }) });
      if (outcome === 'skipped') return;
      credentials.set(id, row.credentials);
      if (row.record.groups?.length) memberships.push({ line: row.line, id, names: row.record.groups });
    };

    for (const row of rows) {
      try {
        const user = whoIs(row.record, known);
        if (!user) {
          const made = accountOf(row.record, row.record.id ?? newId(), now);
          fresh.push({ row, user: made });
          continue;
        }
        const changes = changesOf(row.record, user);
        const fields = Object.keys(changes);
        if (fields.length === 0) done(row, 'unchanged', user.id);
        else if (input.existing === 'skip') done(row, 'skipped', user.id, { fields });
        else {
          if (!input.dryRun) await update(user, changes, by);
          done(row, 'updated', user.id, { fields });
        }
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind === 'unavailable') throw error;
        results.set(row.line, failed(row.line, error));
      }
    }

    const made = input.dryRun
      ? new Set(fresh.map(({ user }) => user.id))
      : await intake.insert(fresh.map(({ user }) => user));
    for (const { row, user } of fresh) {
      if (made.has(user.id)) done(row, 'created', user.id);
      // Made by somebody else between the look and the insert.
      else results.set(row.line, failed(row.line, new Refusal('import.taken_meanwhile', { kind: 'conflict' })));
    }
    if (!input.dryRun) {
      await credentialIntake.store(credentials);
      await events.recordAll(
        fresh
          .filter(({ user }) => made.has(user.id))
          .map(({ user }): Event => ({ type: 'user.created', ...by, subject: user.id, data: { state: user.state } })),
      );
      for (const [line, names] of await join(memberships, input, by)) {
        const result = results.get(line)!;
        results.set(line, { ...result, code: 'import.group_unknown', details: { ...result.details, groups: names } });
      }
    }
    return rows.map(({ line }) => results.get(line)!);
  };
}
