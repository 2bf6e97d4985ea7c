import type { WholeCredentials } from '../credentials/index.ts';
import { Refusal } from '../platform/index.ts';
import { emailKey, type Known, userNameKey, type WholeUser } from '../users/index.ts';
import type { UserRecord } from './record.ts';

/** A record, checked, with its line; or why it cannot be. */
export interface Row {
  line: number;
  record: UserRecord;
  credentials: WholeCredentials;
}

export const keysOf = (known: Known): string[] =>
  [
    known.id && `id:${known.id}`,
    known.externalId && `external:${known.provisioningDomain ?? ''}:${known.externalId}`,
    known.userName && `name:${userNameKey(known.userName)}`,
    known.email && `email:${emailKey(known.email)}`,
    // Who has no name of their own goes by the address, and no other may have that for a name.
    !known.userName && known.email && `name:${emailKey(known.email)}`,
  ].filter((key) => typeof key === 'string');

/**
 * Whom a record means: the account with its id, else that with its external id, its name, its address. A deleted person
 * is known by id alone: their address may be somebody else's by now, who must not be given what was theirs.
 * @throws Refusal `import.ambiguous` (conflict) when these are different people's
 */
export function whoIs(record: UserRecord, known: ReadonlyMap<string, WholeUser>): WholeUser | undefined {
  const found = keysOf(record.state === 'Deleted' ? { id: record.id } : record)
    .map((key) => known.get(key))
    .filter((user) => user !== undefined);
  const [first, ...others] = found;
  if (others.some(({ id }) => id !== first!.id)) throw new Refusal('import.ambiguous', { kind: 'conflict' });
  return first;
}

/** Whether anything comes with the record beside facts: something to sign in with, or a place among others. */
export const brings = ({ credentials, record }: Row): boolean =>
  Object.values(credentials).some((one) => one !== undefined) ||
  [record.groups, record.roles, record.organisations, record.consents].some((one) => one && one.length > 0);

const verifiedAt = (record: UserRecord, now: string): string | undefined =>
  record.emailVerified === true ? now : record.emailVerified ? record.emailVerified : undefined;

const stopped = new Set(['Suspended', 'Deactivated', 'Deleted']);

/** The account that a record makes. */
export function accountOf(record: UserRecord, id: string, now: string): WholeUser {
  const { emailVerified: _, password: _1, ...rest } = record;
  const verified = verifiedAt(record, now);
  // Whose address nobody has proved is asked to when they sign in; who has none cannot be.
  const going = verified || record.email === undefined ? 'Active' : 'Created';
  const state = record.state ?? going;
  return {
    id,
    state,
    stateBefore: record.stateBefore ?? (stopped.has(state) ? going : undefined),
    stateChangedAt: rest.stateChangedAt,
    stateReason: rest.stateReason,
    email: rest.email?.trim().normalize('NFC'),
    emailVerifiedAt: verified,
    administrator: rest.administrator,
    name: rest.name,
    givenName: rest.givenName,
    familyName: rest.familyName,
    locale: rest.locale,
    profile: rest.profile as WholeUser['profile'],
    userName: rest.userName,
    externalId: rest.externalId,
    provisioningDomain: rest.provisioningDomain,
    attributes: rest.attributes,
    directory: rest.directory,
    settings: rest.settings,
    lastSignInAt: rest.lastSignInAt,
    termsVersion: rest.termsVersion,
    termsAcceptedAt: rest.termsAcceptedAt,
    createdAt: rest.createdAt,
    updatedAt: rest.updatedAt,
  };
}

const plainFields = ['email', 'name', 'givenName', 'familyName', 'locale', 'userName', 'externalId'] as const;
const documents = ['profile', 'attributes', 'directory', 'settings'] as const;

/**
 * What an update would change: facts about the person. The state, administration and what they prove themselves with are
 * never changed by an import once the account is there.
 */
export function changesOf(record: UserRecord, user: WholeUser): Partial<WholeUser> {
  const changes: Record<string, unknown> = {};
  for (const field of plainFields) {
    const said = record[field];
    if (said !== undefined && said !== user[field]) changes[field] = said;
  }
  for (const field of documents) {
    const said = record[field];
    if (!said) continue;
    const merged = { ...user[field], ...said };
    if (canonical(merged) !== canonical(user[field] ?? {})) changes[field] = merged;
  }
  const sameAddress = record.email === undefined || (user.email && emailKey(record.email) === emailKey(user.email));
  if (record.emailVerified && !user.emailVerifiedAt && sameAddress) changes.emailVerifiedAt = 'now';
  return changes;
}

/** The same text for the same document, however its names are ordered. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
