import type { IdentityStatus, UserProfile, UserState } from '../../users/index.ts';
import type { Json, JsonObject } from '../schema/attribute.ts';

/** What SCIM keeps beside the account's own columns. Names are SCIM's. */
export interface Directory {
  name?: { formatted?: string; honorificPrefix?: string; honorificSuffix?: string };
  /** Each with the form under which the address is found. */
  emails?: JsonObject[];
  phoneNumbers?: JsonObject[];
  photos?: JsonObject[];
  addresses?: JsonObject[];
  enterprise?: JsonObject;
  [name: string]: unknown;
}

/** A person's row, as this door reads it. */
export interface Person {
  id: string;
  state: UserState;
  stateBefore: UserState | null;
  stateChangedAt: string | Date;
  email: string | null;
  emailVerifiedAt: string | Date | null;
  name: string | null;
  givenName: string | null;
  familyName: string | null;
  locale: string | null;
  profile: UserProfile;
  userName: string | null;
  externalId: string | null;
  provisioningDomain: string | null;
  attributes: Record<string, unknown>;
  directory: Directory;
  lastSignInAt: string | Date | null;
  identityStatus: IdentityStatus;
  identityStatusAt: string | Date | null;
  createdAt: string | Date;
  updatedAt: string | Date;
  version: number;
}

/** What the statements of this door select of user_account, called `u`. */
export const personColumns = `u.id, u.state, u.state_before as "stateBefore", u.state_changed_at as "stateChangedAt",
  u.email, u.email_verified_at as "emailVerifiedAt", u.name, u.given_name as "givenName", u.family_name as "familyName",
  u.locale, u.profile, u.user_name as "userName", u.external_id as "externalId",
  u.provisioning_domain as "provisioningDomain", u.attributes, u.directory, u.last_sign_in_at as "lastSignInAt",
  u.identity_status as "identityStatus", u.identity_status_at as "identityStatusAt",
  u.created_at as "createdAt", u.updated_at as "updatedAt", u.version`;

/** The multi-valued attributes that are kept as they come. */
export const plainLists = ['ims', 'entitlements', 'roles', 'x509Certificates'] as const;
/** The single ones. */
export const plainTexts = ['title', 'userType', 'preferredLanguage'] as const;

/** SCIM's name of each part of a postal address, and OpenID Connect's (Core 1.0, section 5.1.1). */
export const addressParts = {
  formatted: 'formatted',
  streetAddress: 'street_address',
  locality: 'locality',
  region: 'region',
  postalCode: 'postal_code',
  country: 'country',
} as const;

export const isStoppedState = (state: UserState): boolean => ['Suspended', 'Deactivated', 'Deleted'].includes(state);

export const asList = (value: unknown): JsonObject[] => (Array.isArray(value) ? (value as JsonObject[]) : []);

/** Without what has no value. */
export function withoutEmpty(object: Record<string, unknown>): JsonObject {
  const entries = Object.entries(object).filter(([, value]) => {
    if (value === undefined || value === null || value === '') return false;
    return typeof value !== 'object' || value instanceof Date || Object.keys(value).length > 0;
  });
  return Object.fromEntries(entries) as Record<string, Json>;
}
