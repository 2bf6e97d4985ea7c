import { type Belonging, ownEmailKind, ownValueAt } from '../../users/index.ts';
import type { JsonObject } from '../schema/attribute.ts';
import { cardeaSchema, enterpriseSchema, userSchema } from '../schema/users.ts';
import type { CustomFields } from './custom-fields.ts';
import { addressParts, asList, isStoppedState, type Person, plainLists, plainTexts, withoutEmpty } from './person.ts';

/**
 * What of a person can be written, as a resource: what a PATCH is applied to. The account's own columns have the last
 * word, so that a person's own changes show in SCIM as they do in claims.
 */
export function writablePart(person: Person, fields: CustomFields): JsonObject {
  const { directory, profile } = person;
  const { formatted, honorificPrefix, honorificSuffix } = directory.name ?? {};
  return withoutEmpty({
    externalId: person.externalId,
    userName: person.userName ?? person.email,
    name: withoutEmpty({
      formatted,
      familyName: person.familyName,
      givenName: person.givenName,
      middleName: profile.middle_name,
      honorificPrefix,
      honorificSuffix,
    }),
    displayName: person.name,
    nickName: profile.nickname,
    profileUrl: profile.profile,
    ...Object.fromEntries(plainTexts.map((name) => [name, directory[name]])),
    locale: person.locale,
    timezone: profile.zoneinfo,
    active: !isStoppedState(person.state),
    emails: mirrored(
      asList(directory.emails).map(({ key: _, ...email }) => email),
      person.email,
      ownEmailKind,
    ),
    phoneNumbers: mirrored(asList(directory.phoneNumbers), profile.phone_number),
    photos: mirrored(asList(directory.photos), profile.picture),
    addresses: mirroredAddresses(asList(directory.addresses), profile.address),
    ...Object.fromEntries(plainLists.map((name) => [name, directory[name]])),
    [enterpriseSchema]: withoutEmpty(directory.enterprise ?? {}),
    [cardeaSchema]: withoutEmpty({ state: person.state, ...fields.toScim(person.attributes) }),
  });
}

/** The list with the account's own value as the account has it. */
function mirrored(list: JsonObject[], held: string | null | undefined, kind?: string): JsonObject[] {
  const at = ownValueAt(list, kind);
  if (held == null) return list.filter((_, index) => index !== at);
  if (at < 0) return [{ value: held, primary: true }];
  return list.map((element, index) => (index === at ? { ...element, value: held } : element));
}

function mirroredAddresses(list: JsonObject[], held: Record<string, string> | undefined): JsonObject[] {
  const at = ownValueAt(list);
  if (!held || Object.keys(held).length === 0) return list.filter((_, index) => index !== at);
  const parts = withoutEmpty(
    Object.fromEntries(Object.entries(addressParts).map(([ours, claim]) => [ours, held[claim]])),
  );
  const { type, primary = true } = list[at] ?? {};
  const own = { ...parts, ...(type !== undefined && { type }), primary };
  return at < 0 ? [own] : list.map((element, index) => (index === at ? own : element));
}

const time = (value: string | Date): string => new Date(value).toISOString();

export const versionTag = (version: number): string => `W/"${version}"`;

/** The whole resource (RFC 7643, section 4.1), but for what is never told. */
export function represent(
  person: Person,
  context: { base: string; fields: CustomFields; groups?: readonly Belonging[] | undefined },
): JsonObject {
  const { base, fields, groups = [] } = context;
  const resource = writablePart(person, fields);
  const name = resource.name as JsonObject | undefined;
  // Made of what there is for who has a name in parts; a directory that takes the name away sees none.
  const formatted =
    name && (name.formatted ?? person.name ?? [person.givenName, person.familyName].filter(Boolean).join(' '));
  const enterprise = resource[enterpriseSchema] as JsonObject | undefined;
  const manager = enterprise?.manager as JsonObject | undefined;
  return withoutEmpty({
    schemas: [userSchema, ...(enterprise ? [enterpriseSchema] : []), cardeaSchema],
    id: person.id,
    ...resource,
    name: withoutEmpty({ ...name, formatted }),
    groups: groups.map(({ id, displayName, direct }) => ({
      value: id,
      $ref: `${base}/Groups/${id}`,
      display: displayName,
      type: direct ? 'direct' : 'indirect',
    })),
    ...(enterprise && {
      [enterpriseSchema]: {
        ...enterprise,
        ...(manager && { manager: { ...manager, $ref: `${base}/Users/${manager.value}` } }),
      },
    }),
    [cardeaSchema]: withoutEmpty({
      ...(resource[cardeaSchema] as JsonObject),
      stateChangedAt: time(person.stateChangedAt),
      ...(person.email !== null && { emailVerified: person.emailVerifiedAt !== null }),
      ...(person.profile.phone_number && { phoneNumberVerified: person.profile.phone_number_verified === true }),
      lastSignInAt: person.lastSignInAt && time(person.lastSignInAt),
      identityStatus: person.identityStatus,
      identityStatusAt: person.identityStatusAt && time(person.identityStatusAt),
    }),
    meta: {
      resourceType: 'User',
      created: time(person.createdAt),
      lastModified: time(person.updatedAt),
      location: `${base}/Users/${person.id}`,
      version: versionTag(person.version),
    },
  });
}
