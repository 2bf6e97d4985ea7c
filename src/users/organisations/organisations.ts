import type { Events } from '../../events/index.ts';
import { type Db, isDuplicate } from '../../platform/db/index.ts';
import { type Bus, type Clock, isId, newId, Refusal } from '../../platform/index.ts';
import type { By } from '../users.ts';
import { type OrganisationPolicy, type OrganisationPolicyInput, policySchema } from './policy.ts';

/** A body of people, such as a customer: members, roles in it, domains of its own, a policy for signing in. */
export interface Organisation {
  id: string;
  /** A handle for URLs and requests; unique. */
  name: string;
  displayName: string;
  policy: OrganisationPolicy;
  createdAt: Date;
  updatedAt: Date;
  /** Counts the changes of what stands here; members are not part of it. */
  version: number;
}

export interface OrganisationEdit {
  name?: string | undefined;
  displayName?: string | undefined;
  policy?: OrganisationPolicyInput | undefined;
  /** Refuses when it has another version by now. */
  version?: number | undefined;
}

export interface Organisations {
  find(id: string): Promise<Organisation | undefined>;
  /** By id or by name, as applications and operators call it. */
  called(idOrName: string): Promise<Organisation | undefined>;
  list(query?: { prefix?: string; after?: string; limit?: number }): Promise<Organisation[]>;
  /** @throws Refusal `organisation.malformed` (invalid) with `details.faults`, `organisation.exists` (conflict) */
  create(
    input: { name: string; displayName?: string | undefined; policy?: OrganisationPolicyInput | undefined },
    by: By,
  ): Promise<Organisation>;
  /** @throws Refusal `organisation.unknown` (missing), `organisation.changed` (conflict), and as {@link create} */
  update(id: string, edit: OrganisationEdit, by: By): Promise<Organisation>;
  /** Its members, invitations, domains and groups go with it. @throws Refusal `organisation.unknown` (missing) */
  remove(id: string, by: By, edit?: Pick<OrganisationEdit, 'version'>): Promise<void>;
}

/** What names an organisation cannot be taken for an id, and stands in a URL as it is. */
export const organisationName = /^[a-z][a-z0-9-]{0,62}$/;

/** On this topic the other processes hear that an organisation, its domains or its policy changed. */
export const organisationTopic = 'organisation';

export interface OrganisationRow {
  id: string;
  name: string;
  display_name: string;
  policy: OrganisationPolicyInput;
  created_at: string;
  updated_at: string;
  version: number;
}

export const organisationOf = (row: OrganisationRow): Organisation => ({
  id: row.id,
  name: row.name,
  displayName: row.display_name,
  policy: policySchema.parse(row.policy),
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
  version: row.version,
});

export function createOrganisationRecords(deps: {
  db: Db;
  bus: Bus;
  clock: Clock;
  events: Pick<Events, 'record'>;
}): Organisations {
  const { db, bus, clock, events } = deps;
  const unknown = () => new Refusal('organisation.unknown', { kind: 'missing' });

  const one = async (where: string, value: string): Promise<Organisation | undefined> => {
    const [row] = await db.query<OrganisationRow>(`select * from organisation where ${where}`, [value]);
    return row && organisationOf(row);
  };

  const find: Organisations['find'] = async (id) => (isId(id) ? one('id = $1', id) : undefined);

  const refusingDuplicates = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (isDuplicate(error, 'organisation_name_key')) throw new Refusal('organisation.exists', { kind: 'conflict' });
      throw error;
    }
  };

  /** The locked organisation, as the caller saw it. */
  const demand = async (id: string, version: number | undefined): Promise<Organisation> => {
    const found = isId(id) ? await one('id = $1 for update', id) : undefined;
    if (!found) throw unknown();
    if (version !== undefined && found.version !== version)
      throw new Refusal('organisation.changed', { kind: 'conflict', details: { version: found.version } });
    return found;
  };

  return {
    find,
    called: async (idOrName) =>
      organisationName.test(idOrName) ? one('name = $1', idOrName) : find(idOrName.toLowerCase()),

    async list({ prefix = '', after = '00000000-0000-0000-0000-000000000000', limit = 100 } = {}) {
      const begins = `${prefix.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
      const rows = await db.query<OrganisationRow>(
        `select * from organisation where (name like $1 or lower(display_name) like $1) and id > $2 order by id limit $3`,
        [begins, isId(after) ? after : '00000000-0000-0000-0000-000000000000', Math.min(limit, 1_000)],
      );
      return rows.map(organisationOf);
    },

    create: ({ name, displayName = name, policy = {} }, by) =>
      refusingDuplicates(() =>
        db.transact(async () => {
          const [row] = await db.query<OrganisationRow>(
            `insert into organisation (id, name, display_name, policy, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $5) returning *`,
            [newId(), readName(name), readDisplayName(displayName), JSON.stringify(readPolicy(policy)), clock.now()],
          );
          await bus.publish(organisationTopic, row!.id);
          await events.record({ type: 'organisation.created', ...by, data: { organisation: row!.id } });
          return organisationOf(row!);
        }),
      ),

    update: (id, { version, ...edit }, by) =>
      refusingDuplicates(() =>
        db.transact(async () => {
          const before = await demand(id, version);
          const after = {
            name: edit.name === undefined ? before.name : readName(edit.name),
            displayName: edit.displayName === undefined ? before.displayName : readDisplayName(edit.displayName),
            policy: edit.policy === undefined ? before.policy : readPolicy(edit.policy),
          };
          const fields = (Object.keys(after) as (keyof typeof after)[]).filter(
            (name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]),
          );
          if (fields.length === 0) return before;
          const [row] = await db.query<OrganisationRow>(
            `update organisation set name = $2, display_name = $3, policy = $4, updated_at = $5, version = version + 1
             where id = $1 returning *`,
            [id, after.name, after.displayName, JSON.stringify(after.policy), clock.now()],
          );
          await bus.publish(organisationTopic, id);
          await events.record({ type: 'organisation.changed', ...by, data: { organisation: id, fields } });
          return organisationOf(row!);
        }),
      ),

    remove: (id, by, { version } = {}) =>
      db.transact(async () => {
        await demand(id, version);
        // Its groups go by their own foreign key; what they were assigned is named by no key.
        await db.query(
          'delete from role_assignment where subject_id in (select id from user_group where organisation_id = $1)',
          [id],
        );
        await db.query('delete from organisation where id = $1', [id]);
        await bus.publish(organisationTopic, id);
        await events.record({ type: 'organisation.removed', ...by, data: { organisation: id } });
      }),
  };
}

const malformed = (faults: string[]) => new Refusal('organisation.malformed', { kind: 'invalid', details: { faults } });

function readName(name: string): string {
  if (!organisationName.test(name))
    throw malformed(['name: is small letters, digits and hyphens, beginning with a letter; at most 63']);
  return name;
}

function readDisplayName(text: string): string {
  const name = text
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (name === '' || [...name].length > 200) throw malformed(['displayName: has 1 to 200 characters']);
  return name;
}

function readPolicy(policy: OrganisationPolicyInput): OrganisationPolicy {
  const result = policySchema.safeParse(policy);
  if (!result.success)
    throw malformed(result.error.issues.map(({ path, message }) => `policy.${path.join('.')}: ${message}`));
  return result.data;
}
