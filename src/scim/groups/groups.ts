import { isId } from '../../platform/index.ts';
import type { Group, Member } from '../../users/index.ts';
import { type Answer, type Conditions, demandMatch, isUnmodified } from '../answer.ts';
import { bad, ScimFault } from '../faults.ts';
import { readPatch } from '../patch/request.ts';
import type { Reach, ScimPorts } from '../ports.ts';
import type { Page, Pages, Source } from '../query/page.ts';
import { project, wants } from '../query/projection.ts';
import type { Query, Selection } from '../query/request.ts';
import { isObject, type Json, type JsonObject } from '../schema/attribute.ts';
import { groupSchema } from '../schema/groups.ts';
import { demandRequired, readResource } from '../schema/read.ts';
import { groupType } from '../schema/resource-type.ts';
import { versionTag } from '../users/represent.ts';
import { groupColumns } from './columns.ts';
import { type GroupStep, groupSteps, memberIds } from './patch.ts';

const unknown = () => new ScimFault(404, undefined, 'there is no such group');

/** Members that one answer lists; more are read group by group, or left out by `excludedAttributes=members`. */
const mostShown = 100_000;
const batch = 10_000;

export function createScimGroups(ports: ScimPorts & { base: string; pages: Pages }) {
  const { db, groups, base, pages } = ports;

  const find = async (id: string, { domain }: Reach): Promise<Group> => {
    const group = await groups.find(id);
    if (!group || (domain !== undefined && group.provisioningDomain !== domain)) throw unknown();
    return group;
  };

  /** The group, and nobody else changes it until the transaction ends. */
  const locked = async (id: string, reach: Reach, conditions: Conditions): Promise<Group> => {
    const rows = isId(id) ? await db.query('select 1 from user_group where id = $1 for update', [id]) : [];
    if (rows.length === 0) throw unknown();
    const group = await find(id, reach);
    demandMatch(conditions, group.version);
    return group;
  };

  const membersOf = async (id: string): Promise<Member[]> => {
    const all: Member[] = [];
    for (;;) {
      const page = await groups.members(id, { after: all.at(-1)?.id, limit: batch });
      all.push(...page);
      if (page.length < batch) return all;
    }
  };

  const represent = (group: Group, members: readonly Member[] | undefined): JsonObject => ({
    schemas: [groupSchema],
    id: group.id,
    ...(group.externalId !== undefined && { externalId: group.externalId }),
    displayName: group.displayName,
    ...(members && members.length > 0 && { members: members.map(toMember) }),
    meta: {
      resourceType: 'Group',
      created: group.createdAt.toISOString(),
      lastModified: group.updatedAt.toISOString(),
      location: `${base}/Groups/${group.id}`,
      version: versionTag(group.version),
    },
  });

  const toMember = ({ id, kind, display }: Member): JsonObject => ({
    value: id,
    $ref: `${base}/${kind === 'user' ? 'Users' : 'Groups'}/${id}`,
    ...(display !== undefined && { display }),
    type: kind === 'user' ? 'User' : 'Group',
  });

  const shown = async (list: Group[], selection: Selection): Promise<JsonObject[]> => {
    const isWanted = wants(groupType, selection, 'members');
    const resources: JsonObject[] = [];
    let count = 0;
    for (const group of list) {
      const members = isWanted ? await membersOf(group.id) : undefined;
      count += members?.length ?? 0;
      if (list.length > 1 && count > mostShown)
        throw bad('tooMany', `more than ${mostShown} members in one answer: ask with excludedAttributes=members`);
      resources.push(project(groupType, represent(group, members), selection));
    }
    return resources;
  };

  const answer = async (status: number, group: Group, selection: Selection): Promise<Answer> => {
    const [body] = await shown([group], selection);
    return { status, body: body!, location: `${base}/Groups/${group.id}`, version: versionTag(group.version) };
  };

  const apply = async (id: string, step: GroupStep, { by, domain }: Reach): Promise<void> => {
    switch (step.kind) {
      case 'facts':
        return void (await groups.update(id, by, step.facts));
      case 'add':
        return void (await groups.addMembers(id, step.members, by, { domain }));
      case 'remove':
        return void (await groups.removeMembers(id, step.members, by));
      case 'replace':
        return void (await groups.replaceMembers(id, step.members, by, { domain }));
      default: {
        const meant = (await membersOf(id)).filter((member) => step.isMeant(toMember(member)));
        if (meant.length === 0) throw bad('noTarget', 'no member is meant by the path');
        await groups.removeMembers(
          id,
          meant.map((member) => member.id),
          by,
        );
      }
    }
  };

  return {
    async create(body: unknown, reach: Reach, selection: Selection = {}): Promise<Answer> {
      const { facts, members } = readGroup(body);
      const { by, domain } = reach;
      const group = await groups.create(
        { ...facts, externalId: facts.externalId ?? undefined, members, provisioningDomain: domain },
        by,
      );
      return answer(201, group, selection);
    },

    async read(id: string, reach: Reach, conditions: Conditions, selection: Selection): Promise<Answer> {
      const group = await find(id, reach);
      if (isUnmodified(conditions, group.version)) return { status: 304, version: versionTag(group.version) };
      return answer(200, group, selection);
    },

    async replace(
      id: string,
      body: unknown,
      reach: Reach,
      conditions: Conditions = {},
      selection: Selection = {},
    ): Promise<Answer> {
      const { facts, members } = readGroup(body);
      await db.transact(async () => {
        await groups.holdNesting(members);
        await locked(id, reach, conditions);
        await groups.update(id, reach.by, facts);
        await groups.replaceMembers(id, members, reach.by, { domain: reach.domain });
      });
      return answer(200, await find(id, reach), selection);
    },

    /** Answers 204, for what changed is known to who sent it and members may be many; with attributes asked for, 200. */
    async patch(
      id: string,
      body: unknown,
      reach: Reach,
      conditions: Conditions = {},
      selection: Selection = {},
    ): Promise<Answer> {
      const steps = groupSteps(readPatch(body));
      await db.transact(async () => {
        await groups.holdNesting(
          steps.flatMap((step) => ('members' in step && step.kind !== 'remove' ? step.members : [])),
        );
        await locked(id, reach, conditions);
        for (const step of steps) await apply(id, step, reach);
      });
      const group = await find(id, reach);
      if (selection.attributes) return answer(200, group, selection);
      return { status: 204, location: `${base}/Groups/${id}`, version: versionTag(group.version) };
    },

    async remove(id: string, reach: Reach, conditions: Conditions = {}): Promise<Answer> {
      await db.transact(async () => {
        await groups.holdNesting();
        await locked(id, reach, conditions);
        await groups.remove(id, reach.by);
      });
      return { status: 204 };
    },

    source: ({ domain }: Reach): Source => ({
      type: groupType,
      columns: groupColumns,
      from: 'user_group g',
      alias: 'g',
      select: `g.id, g.display_name as "displayName", g.external_id as "externalId",
        g.provisioning_domain as "provisioningDomain", g.created_at as "createdAt", g.updated_at as "updatedAt", g.version`,
      where: (add) => (domain === undefined ? 'true' : `g.provisioning_domain = ${add(domain)}`),
    }),

    async list(query: Query, reach: Reach): Promise<Page<JsonObject>> {
      const source = this.source(reach);
      const page =
        query.cursor === undefined
          ? await pages.byNumber<Group>(source, query)
          : await pages.byCursor<Group>(source, { ...query, cursor: query.cursor });
      return { ...page, rows: await shown(page.rows.map(fromRow), query) };
    },
  };
}

export type ScimGroups = ReturnType<typeof createScimGroups>;

const fromRow = (row: Group): Group => ({
  ...row,
  externalId: row.externalId ?? undefined,
  createdAt: new Date(row.createdAt),
  updatedAt: new Date(row.updatedAt),
});

/** A whole group from a request. Its members are read apart: they may be very many. */
function readGroup(body: unknown): { facts: { displayName: string; externalId: string | null }; members: string[] } {
  const members = isObject(body)
    ? Object.entries(body).find(([name]) => name.toLowerCase() === 'members')?.[1]
    : undefined;
  const rest = isObject(body)
    ? (Object.fromEntries(Object.entries(body).filter(([name]) => name.toLowerCase() !== 'members')) as JsonObject)
    : body;
  const resource = readResource(groupType, rest);
  demandRequired(groupType, resource);
  return {
    facts: {
      displayName: resource.displayName as string,
      externalId: (resource.externalId as string | undefined) ?? null,
    },
    members: memberIds(members as Json | undefined),
  };
}
