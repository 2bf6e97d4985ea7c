import { emailKey, isEmail, isUserName, ownEmailKind, ownValueAt, type UserProfile } from '../../users/index.ts';
import { bad } from '../faults.ts';
import type { JsonObject } from '../schema/attribute.ts';
import { enterpriseSchema } from '../schema/users.ts';
import { addressParts, asList, type Directory, type Person, plainLists, plainTexts, withoutEmpty } from './person.ts';

/** What a resource says of a person, as the account keeps it. */
export interface Facts {
  userName: string;
  externalId: string | undefined;
  email: string | undefined;
  name: string | undefined;
  givenName: string | undefined;
  familyName: string | undefined;
  locale: string | undefined;
  profile: UserProfile;
  directory: Directory;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/**
 * Takes a whole resource apart. What SCIM does not know of a person (birthdate, gender, website) stays as it was.
 * @throws ScimFault `invalidValue`
 */
export function factsOf(resource: JsonObject, before?: Pick<Person, 'profile' | 'directory'>): Facts {
  const name = (resource.name ?? {}) as JsonObject;
  const userName = text(resource.userName)?.trim();
  if (userName === undefined || !isUserName(userName)) throw bad('invalidValue', 'userName is malformed');
  const emails = emailsOf(resource);
  const phoneNumbers = withPrimary(asList(resource.phoneNumbers));
  const photos = withPrimary(asList(resource.photos));
  for (const link of [resource.profileUrl, ...photos.map(({ value }) => value)]) refuseOtherLinks(link);
  const addresses = withPrimary(asList(resource.addresses));
  return {
    userName,
    externalId: text(resource.externalId),
    email: text(ownOf(emails, ownEmailKind)?.value),
    name: text(resource.displayName) ?? text(name.formatted),
    givenName: text(name.givenName),
    familyName: text(name.familyName),
    locale: text(resource.locale),
    profile: profileOf(resource, { phoneNumbers, photos, addresses }, before?.profile ?? {}),
    directory: withoutEmpty({
      ...otherParts(before?.directory),
      name: withoutEmpty({
        formatted: name.formatted,
        honorificPrefix: name.honorificPrefix,
        honorificSuffix: name.honorificSuffix,
      }),
      ...Object.fromEntries(plainTexts.map((each) => [each, resource[each]])),
      emails: emails.map((email) => ({ ...email, key: emailKey(String(email.value)) })),
      phoneNumbers,
      photos,
      addresses,
      ...Object.fromEntries(plainLists.map((each) => [each, resource[each]])),
      enterprise: resource[enterpriseSchema],
    }) as Directory,
  };
}

/** Both are claims, which applications show as links and pictures: no `javascript:`. */
function refuseOtherLinks(link: unknown): void {
  const isLink = typeof link === 'string' && /^https?:\/\//i.test(link) && URL.canParse(link);
  if (link !== undefined && !isLink)
    throw bad('invalidValue', 'profileUrl and photos are addresses that begin with http');
}

/** What somebody else keeps in the same place is left alone. */
function otherParts(directory: Directory = {}): Directory {
  const ours = new Set<string>([
    'name',
    'emails',
    'phoneNumbers',
    'photos',
    'addresses',
    'enterprise',
    ...plainTexts,
    ...plainLists,
  ]);
  return Object.fromEntries(Object.entries(directory).filter(([name]) => !ours.has(name)));
}

const ownOf = (list: JsonObject[], kind?: string): JsonObject | undefined => list[ownValueAt(list, kind)];

/** The account's own is told as the primary one, unless its sender says that it is not. */
function withPrimary(list: JsonObject[], kind?: string): JsonObject[] {
  const own = ownOf(list, kind);
  return list.map((element) =>
    element === own && element.primary === undefined ? { ...element, primary: true } : element,
  );
}

function emailsOf(resource: JsonObject): JsonObject[] {
  const emails = asList(resource.emails).filter(({ value }) => value !== undefined);
  for (const { value } of emails) {
    if (typeof value !== 'string' || !isEmail(value)) throw bad('invalidValue', 'emails has a malformed address');
  }
  return withPrimary(emails, ownEmailKind);
}

function profileOf(
  resource: JsonObject,
  lists: Record<'phoneNumbers' | 'photos' | 'addresses', JsonObject[]>,
  before: UserProfile,
): UserProfile {
  const { phone_number_verified, ...rest } = before;
  const phone = text(ownOf(lists.phoneNumbers)?.value);
  const picture = text(ownOf(lists.photos)?.value);
  const address = ownOf(lists.addresses);
  const isSamePhone = phone !== undefined && phone === before.phone_number;
  return withoutEmpty({
    ...rest,
    middle_name: (resource.name as JsonObject | undefined)?.middleName,
    nickname: resource.nickName,
    profile: resource.profileUrl,
    zoneinfo: resource.timezone,
    phone_number: phone,
    // Proved is the number, not the person.
    ...(isSamePhone && phone_number_verified !== undefined && { phone_number_verified }),
    picture,
    address:
      address &&
      Object.fromEntries(
        Object.entries(addressParts).flatMap(([ours, claim]) => (address[ours] ? [[claim, address[ours]]] : [])),
      ),
  }) as UserProfile;
}
