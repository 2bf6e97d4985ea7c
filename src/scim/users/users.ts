import { isDeepStrictEqual } from 'node:util';
import { isId } from '../../platform/index.ts';
import type { Field, User, UserState } from '../../users/index.ts';
import { type Answer, type Conditions, demandMatch, isUnmodified } from '../answer.ts';
import { bad, ScimFault } from '../faults.ts';
import { applyPatch } from '../patch/apply.ts';
import { readPatch } from '../patch/request.ts';
import type { Reach, ScimPorts } from '../ports.ts';
import type { Page, Pages, Source } from '../query/page.ts';
import { project, wants } from '../query/projection.ts';
import type { Query, Selection } from '../query/request.ts';
import type { JsonObject } from '../schema/attribute.ts';
import { demandRequired, readResource } from '../schema/read.ts';
import { type ResourceType, userType } from '../schema/resource-type.ts';
import { cardeaSchema, enterpriseSchema } from '../schema/users.ts';
import { userColumns } from './columns.ts';
import { type CustomFields, customFields } from './custom-fields.ts';
import { type Facts, factsOf } from './facts.ts';
import { createPasswordWrites } from './password.ts';
import { type Person, personColumns } from './person.ts';
import { represent, versionTag, writablePart } from './represent.ts';
import { changesOfState, type StateWanted } from './states.ts';

const unknown = () => new ScimFault(404, undefined, 'there is no such user');
/** The schema as it is at the moment: administrators declare fields while we run. */
interface Scheme {
  type: ResourceType;
  fields: CustomFields;
}

export function createScimUsers(ports: ScimPorts & { base: string; pages: Pages }) {
  const { db, clock, users, groups, base, pages } = ports;
  const passwordWrites = createPasswordWrites(ports);

  /** Made anew only when a field was declared or removed. */
  let made: { of: readonly Field[]; scheme: Scheme } | undefined;
  const scheme = async (): Promise<Scheme> => {
    const of = await ports.fields.list();
    if (made?.of !== of) {
      const fields = customFields(of);
      made = { of, scheme: { type: userType(fields.attributes), fields } };
    }
    return made.scheme;
  };

  const find = async (id: string, { domain }: Reach, lock = ''): Promise<Person> => {
    const [person] = isId(id)
      ? await db.query<Person>(
          `select ${personColumns} from user_account u
            where u.id = $1 and u.state <> 'Deleted' and ($2::text is null or u.provisioning_domain = $2) ${lock}`,
          [id, domain ?? null],
          lock === '' ? 'scim-user-find' : undefined,
        )
      : [];
    if (!person) throw unknown();
    return person;
  };

  /** The resources of some people; their groups are looked up together, and only when they are wanted. */
  const shown = async (people: Person[], { type, fields }: Scheme, { domain }: Reach, selection: Selection) => {
    const inGroups =
      people.length > 0 && wants(type, selection, 'groups')
        ? await groups.ofAll(people.map(({ id }) => id))
        : undefined;
    return people.map((person) => {
      const mine = inGroups
        ?.get(person.id)
        ?.filter((group) => domain === undefined || group.provisioningDomain === domain);
      return project(type, represent(person, { base, fields, groups: mine }), selection);
    });
  };

  const answer = async (
    status: number,
    person: Person,
    scheme: Scheme,
    reach: Reach,
    selection: Selection,
  ): Promise<Answer> => {
    const [body] = await shown([person], scheme, reach, selection);
    return told(status, person, body!);
  };

  const told = (status: number, person: Person, body: JsonObject): Answer => ({
    status,
    body,
    location: `${base}/Users/${person.id}`,
    version: versionTag(person.version),
  });

  /** What the resource demands beyond its own facts. @throws ScimFault `invalidValue` */
  const refuseUnknownManager = async (resource: JsonObject, { domain }: Reach): Promise<void> => {
    const manager = (resource[enterpriseSchema] as JsonObject | undefined)?.manager as JsonObject | undefined;
    if (manager?.value === undefined) return;
    const id = String(manager.value).toLowerCase();
    const known =
      isId(id) &&
      (await db.query(
        `select 1 from user_account where id = $1 and state <> 'Deleted' and ($2::text is null or provisioning_domain = $2)`,
        [id, domain ?? null],
      ));
    if (!known || known.length === 0) throw bad('invalidValue', 'the manager is not a user here');
  };

  /** Custom fields that the resource says anew, checked as their declarations say. */
  const attributesOf = async (resource: JsonObject, before: JsonObject, fields: CustomFields, whole: boolean) => {
    const said = (resource[cardeaSchema] ?? {}) as JsonObject;
    const was = (before[cardeaSchema] ?? {}) as JsonObject;
    const values = fields.fromScim(said, was);
    if (Object.keys(values).length === 0 && !whole) return undefined;
    return ports.fields.check(values, { as: 'client', at: 'api', whole });
  };

  const create = async (body: unknown, reach: Reach, selection: Selection = {}): Promise<Answer> => {
    const now = await scheme();
    const resource = readResource(now.type, body);
    demandRequired(now.type, resource);
    const facts = factsOf(resource);
    const wanted = stateWanted(resource);
    await refuseUnknownManager(resource, reach);
    const attributes = await attributesOf(resource, {}, now.fields, true);
    const password = await passwordWrites.prepare(resource.password, facts);
    const person = await db.transact(async () => {
      const { email, name, givenName, familyName, locale, profile, directory, userName, externalId } = facts;
      const user = await users.create(
        {
          ...{ userName, externalId, email, name, givenName, familyName, locale, profile, directory },
          provisioningDomain: reach.domain,
          emailVerified: reach.vouches,
          state: reach.vouches || email === undefined ? 'Active' : 'Created',
          ...(attributes && { attributes: withoutNull(attributes) }),
        },
        reach.by,
      );
      if (password) await passwordWrites.store(user.id, password, reach);
      return toPerson(await move(user, wanted, reach));
    });
    // Nobody has put them into a group yet.
    return told(201, person, project(now.type, represent(person, { base, fields: now.fields }), selection));
  };

  /** Moves the account to the state that is wanted, by the permitted transitions. */
  const move = async (user: User, wanted: StateWanted, { by }: Reach): Promise<User> => {
    let moved = user;
    for (const transition of changesOfState(user, wanted)) moved = await users.change(user.id, transition, by);
    return moved;
  };

  /**
   * Changes a person to what `next` makes of the resource. Nothing is written, and no version counted, when that says
   * what is there already.
   */
  const change = async (
    id: string,
    reach: Reach,
    conditions: Conditions,
    selection: Selection,
    mentions: { password: boolean },
    next: (before: JsonObject, now: Scheme) => JsonObject,
  ): Promise<Answer> => {
    const now = await scheme();
    const password = mentions.password ? await newPassword(id, reach, now, next) : undefined;
    const person = await db.transact(async () => {
      const person = await find(id, reach, 'for update');
      demandMatch(conditions, person.version);
      const before = writablePart(person, now.fields);
      const { password: _, ...after } = next(before, now);
      demandRequired(now.type, after);
      const wanted = stateWanted(after, before);
      if (password) await passwordWrites.store(id, password, reach);
      const isSame = isDeepStrictEqual(factPart(before), factPart(after));
      let user = isSame ? undefined : await write(person, before, after, now, reach);
      if (wanted.active !== undefined || wanted.state !== undefined)
        user = await move(user ?? (await users.byId(id))!, wanted, reach);
      return user ? toPerson(user) : person;
    });
    return answer(200, person, now, reach, selection);
  };

  /** Hashing takes long and comes before the lock; what else is decided is decided again under it. */
  const newPassword = async (
    id: string,
    reach: Reach,
    now: Scheme,
    next: (before: JsonObject, now: Scheme) => JsonObject,
  ) => {
    const person = await find(id, reach);
    const glimpse = next(writablePart(person, now.fields), now);
    if (glimpse.password === undefined) return undefined;
    return passwordWrites.prepare(glimpse.password, factsOf(glimpse, person), id);
  };

  const write = async (
    person: Person,
    before: JsonObject,
    after: JsonObject,
    now: Scheme,
    reach: Reach,
  ): Promise<User> => {
    const facts = factsOf(after, person);
    const managerOf = (resource: JsonObject) => (resource[enterpriseSchema] as JsonObject | undefined)?.manager;
    if (!isDeepStrictEqual(managerOf(before), managerOf(after))) await refuseUnknownManager(after, reach);
    const attributes = await attributesOf(after, before, now.fields, false);
    return users.update(person.id, reach.by, (user) => {
      setFacts(user, facts, { at: clock.now(), vouches: reach.vouches });
      if (attributes) user.attributes = withoutNull({ ...user.attributes, ...attributes });
    });
  };

  return {
    scheme,
    create,

    async read(id: string, reach: Reach, conditions: Conditions, selection: Selection): Promise<Answer> {
      const person = await find(id, reach);
      if (isUnmodified(conditions, person.version)) return { status: 304, version: versionTag(person.version) };
      return answer(200, person, await scheme(), reach, selection);
    },

    replace: (id: string, body: unknown, reach: Reach, conditions: Conditions = {}, selection: Selection = {}) =>
      change(id, reach, conditions, selection, { password: true }, (before, { type }) => {
        const resource = readResource(type, body);
        // What a client does not know of it does not mean to end: whether the person is active, and our own extension.
        const { [cardeaSchema]: ours, ...rest } = resource;
        const kept = before[cardeaSchema] as JsonObject;
        return { active: before.active, ...rest, [cardeaSchema]: { ...kept, ...(ours as JsonObject | undefined) } };
      }),

    patch(
      id: string,
      body: unknown,
      reach: Reach,
      conditions: Conditions = {},
      selection: Selection = {},
    ): Promise<Answer> {
      const operations = readPatch(body);
      const mentions = { password: /password/i.test(JSON.stringify(operations)) };
      return change(id, reach, conditions, selection, mentions, (before, { type }) =>
        applyPatch(type, before, operations),
      );
    },

    /** The account is kept, for administrators to recover; to SCIM it is gone. */
    async remove(id: string, reach: Reach, conditions: Conditions = {}): Promise<Answer> {
      await db.transact(async () => {
        const person = await find(id, reach, 'for update');
        demandMatch(conditions, person.version);
        await users.change(id, 'remove', reach.by);
      });
      return { status: 204 };
    },

    async source({ domain }: Reach): Promise<Source & Scheme> {
      const now = await scheme();
      return {
        ...now,
        columns: userColumns(now.fields),
        from: 'user_account u',
        alias: 'u',
        select: personColumns,
        where: (add) =>
          `u.state <> 'Deleted'${domain === undefined ? '' : ` and u.provisioning_domain = ${add(domain)}`}`,
      };
    },

    async list(query: Query, reach: Reach): Promise<Page<JsonObject>> {
      const source = await this.source(reach);
      const page =
        query.cursor === undefined
          ? await pages.byNumber<Person>(source, query)
          : await pages.byCursor<Person>(source, { ...query, cursor: query.cursor });
      return { ...page, rows: await shown(page.rows, source, reach, query) };
    },
  };
}

export type ScimUsers = ReturnType<typeof createScimUsers>;

/** Without what is decided by transitions. */
const factPart = ({ active: _, [cardeaSchema]: ours, ...rest }: JsonObject): JsonObject => {
  const { state: __, ...fields } = (ours ?? {}) as JsonObject;
  return { ...rest, fields };
};

/** What a resource wants of the state, as far as it is another than before. */
function stateWanted(after: JsonObject, before?: JsonObject): StateWanted {
  const stateOf = (resource: JsonObject) =>
    (resource[cardeaSchema] as JsonObject | undefined)?.state as UserState | undefined;
  const state = stateOf(after);
  return {
    ...(after.active !== undefined && after.active !== (before?.active ?? true) && { active: after.active as boolean }),
    ...(state !== undefined && state !== (before && stateOf(before)) && { state }),
  };
}

const withoutNull = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/** An entity has what a row has, under the same names. */
const toPerson = (user: User): Person => ({ ...(user as unknown as Person) });

function setFacts(user: User, facts: Facts, { at, vouches }: { at: Date; vouches: boolean }): void {
  const { email, userName, externalId, name, givenName, familyName, locale, profile, directory } = facts;
  if (userName !== (user.userName ?? user.email)) user.changeUserName(userName);
  if (email === undefined) {
    user.email = null;
    user.emailKey = null;
    user.emailVerifiedAt = null;
  } else if (email.trim().normalize('NFC') !== user.email) {
    user.changeEmail(email, { at }, { verified: vouches });
  }
  user.externalId = externalId ?? null;
  user.name = name ?? null;
  user.givenName = givenName ?? null;
  user.familyName = familyName ?? null;
  user.locale = locale ?? null;
  user.profile = profile;
  user.directory = directory as Record<string, unknown>;
}
