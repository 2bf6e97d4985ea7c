import { z } from 'zod';
import type { Db } from '../platform/db/index.ts';
import { Refusal } from '../platform/index.ts';
import {
  type By,
  type Fields,
  fieldSchema,
  type Groups,
  type Organisations,
  type Permissions,
  policySchema,
  type Roles,
} from '../users/index.ts';
import { isStorable } from './parse.ts';

const name = z.string().min(1).max(256);

/** What people's records speak of, each as a line of an export before them. */
const definition = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('field'), field: fieldSchema }),
  z.strictObject({ type: z.literal('permission'), name, description: z.string().max(500).optional() }),
  z.strictObject({
    type: z.literal('role'),
    name,
    scope: z.enum(['installation', 'organisation']),
    description: z.string().max(500).optional(),
    permissions: z.array(name).max(500),
  }),
  z.strictObject({ type: z.literal('organisation'), name, displayName: name, policy: policySchema }),
  z.strictObject({
    type: z.literal('group'),
    name,
    organisation: name.optional(),
    externalId: z.string().max(512).optional(),
    provisioningDomain: z.string().max(200).optional(),
    roles: z.array(name).max(1000).optional(),
  }),
  z.strictObject({ type: z.literal('nesting'), group: name, in: name, organisation: name.optional() }),
]);

export type Definition = z.output<typeof definition>;

const types = new Set<unknown>(definition.options.map(({ shape }) => shape.type.value));

/** Whether the line of an export is one of these. */
export const isDefinition = (raw: Record<string, unknown>): boolean => types.has(raw.type);

interface Ports {
  db: Db;
  fields: Pick<Fields, 'list' | 'find' | 'put'>;
  groups: Pick<Groups, 'create' | 'addMembers'>;
  roles: Pick<Roles, 'list' | 'named' | 'put' | 'assign'>;
  permissions: Pick<Permissions, 'list' | 'put'>;
  organisations: Pick<Organisations, 'list' | 'called' | 'create'>;
}

/**
 * Custom fields, permissions, roles, organisations and groups on their way in and out, so that people find in an empty
 * installation what they were in. What is here under a name stays as it is.
 */
export function createDefinitions({ db, fields, groups, roles, permissions, organisations }: Ports) {
  const groupCalled = async (called: string, organisationId: string | undefined): Promise<string | undefined> => {
    const [row] = await db.query<{ id: string }>(
      `select id from user_group where lower(display_name) = lower($1)
         and organisation_id is not distinct from $2::uuid order by id limit 1`,
      [called, organisationId ?? null],
    );
    return row?.id;
  };
  const unknown = (what: string) => new Refusal('import.definition_unknown', { kind: 'conflict', details: { what } });
  const organisationId = async (called: string | undefined): Promise<string | undefined> => {
    if (called === undefined) return undefined;
    const found = await organisations.called(called);
    if (!found) throw unknown('organisation');
    return found.id;
  };

  const nest = async ({ group, in: outer, organisation }: Extract<Definition, { type: 'nesting' }>, by: By) => {
    const place = await organisationId(organisation);
    const [inner, around] = [await groupCalled(group, place), await groupCalled(outer, place)];
    if (!inner || !around) throw unknown('group');
    return (await groups.addMembers(around, [inner], by)) > 0;
  };

  const addGroup = async (one: Extract<Definition, { type: 'group' }>, by: By): Promise<boolean> => {
    const place = await organisationId(one.organisation);
    if (await groupCalled(one.name, place)) return false;
    const { externalId, provisioningDomain } = one;
    const made = await groups.create(
      { displayName: one.name, organisationId: place, externalId, provisioningDomain },
      by,
    );
    for (const called of one.roles ?? []) {
      const role = await roles.named(called, place ? 'organisation' : 'installation');
      if (!role) throw unknown('role');
      await roles.assign(role.id, { kind: 'group', id: made.id }, by);
    }
    return true;
  };

  return {
    /** @throws Refusal `import.field_malformed` (invalid) */
    read(raw: unknown): Definition {
      const result = definition.safeParse(raw);
      if (result.success && isStorable(result.data)) return result.data;
      const field = result.error?.issues[0]?.path.join('.').slice(0, 100) || '(record)';
      throw new Refusal('import.field_malformed', { kind: 'invalid', details: { field } });
    },

    /** Within the open transaction. @returns whether it was not here */
    async add(one: Definition, by: By): Promise<boolean> {
      switch (one.type) {
        case 'field':
          return !(await fields.find(one.field.name)) && fields.put(one.field, by);
        case 'permission':
          return !(await permissions.list()).some((known) => known.name === one.name) && permissions.put(one, by);
        case 'role':
          return !(await roles.named(one.name, one.scope)) && roles.put(one, by);
        case 'organisation':
          if (await organisations.called(one.name)) return false;
          await organisations.create(one, by);
          return true;
        case 'group':
          return addGroup(one, by);
        case 'nesting':
          return nest(one, by);
      }
    },

    /** In the order in which they can be brought in. */
    async *all(): AsyncGenerator<Definition> {
      for (const field of await fields.list()) yield { type: 'field', field };
      for (const one of await permissions.list()) yield { type: 'permission', ...one };
      for (const { name, scope, description, permissions } of await roles.list()) {
        yield { type: 'role', name, scope, description, permissions };
      }
      for (let after: string | undefined; ; ) {
        const page = await organisations.list({ limit: 100, ...(after && { after }) });
        for (const { name, displayName, policy } of page) yield { type: 'organisation', name, displayName, policy };
        after = page.at(-1)?.id;
        if (page.length < 100) break;
      }
      yield* groupsIn(db);
      yield* nestingsIn(db);
    },
  };
}

export type Definitions = ReturnType<typeof createDefinitions>;

const pageSize = 500;
const none = '00000000-0000-0000-0000-000000000000';

async function* groupsIn(db: Db): AsyncGenerator<Definition> {
  for (let after = none; ; ) {
    const page = await db.query<Record<string, string | null> & { id: string; name: string; roles: string[] }>(
      `select g.id, g.display_name as name, o.name as organisation, g.external_id, g.provisioning_domain,
           array(select r.name from role_assignment a join role r on r.id = a.role_id
             where a.subject_id = g.id order by r.name) as roles
         from user_group g left join organisation o on o.id = g.organisation_id
         where g.id > $1 order by g.id limit $2`,
      [after, pageSize],
    );
    for (const { name, organisation, external_id, provisioning_domain, roles } of page) {
      yield {
        type: 'group',
        name,
        organisation: organisation ?? undefined,
        externalId: external_id ?? undefined,
        provisioningDomain: provisioning_domain ?? undefined,
        ...(roles.length > 0 && { roles }),
      };
    }
    if (page.length < pageSize) return;
    after = page.at(-1)!.id;
  }
}

async function* nestingsIn(db: Db): AsyncGenerator<Definition> {
  for (let after = [none, none]; ; ) {
    const page = await db.query<{
      outer: string;
      inner: string;
      group: string;
      in: string;
      organisation: string | null;
    }>(
      `select m.group_id as outer, m.member_id as inner, inside.display_name as "group", around.display_name as "in",
           o.name as organisation
         from group_member m join user_group inside on inside.id = m.member_id
         join user_group around on around.id = m.group_id left join organisation o on o.id = around.organisation_id
         where m.member_kind = 'group' and (m.group_id, m.member_id) > ($1::uuid, $2::uuid)
         order by m.group_id, m.member_id limit $3`,
      [...after, pageSize],
    );
    for (const { group, in: outer, organisation } of page) {
      yield { type: 'nesting', group, in: outer, organisation: organisation ?? undefined };
    }
    if (page.length < pageSize) return;
    after = [page.at(-1)!.outer, page.at(-1)!.inner];
  }
}
