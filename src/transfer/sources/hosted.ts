import { firebaseHash } from '../../credentials/index.ts';
import { profileClaims } from '../../users/index.ts';
import {
  attributesOf,
  type Context,
  locale,
  moment,
  numbered,
  peppered,
  type Source,
  said,
  saidOf,
  text,
  yes,
} from './source.ts';

/** `{"$date": …}` and `{"$oid": …}`, as MongoDB spells them. */
const extended = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const { $date, $oid, $numberLong } = value as Record<string, unknown>;
  return extended($date ?? $oid ?? $numberLong ?? undefined);
};

/** Auth0: the export job's NDJSON, the file with hashes that its support gives, and what its own import takes. */
export const auth0: Source = {
  how: 'lines',
  convert(raw, context) {
    const oid = text(extended(raw._id));
    const custom = raw.custom_password_hash as { hash?: { value?: unknown } } | undefined;
    const factors = (Array.isArray(raw.mfa_factors) ? raw.mfa_factors : []) as { totp?: { secret?: string } }[];
    const secret = factors.find(({ totp }) => totp?.secret)?.totp?.secret;
    // Who has no name of their own is given their address there.
    const name = text(raw.name);
    return said({
      externalId: text(raw.user_id) ?? (oid && `auth0|${oid}`),
      userName: text(raw.username),
      email: text(raw.email),
      emailVerified: yes(raw.email_verified),
      state: raw.blocked === true ? 'Suspended' : undefined,
      name: name?.includes('@') ? undefined : name,
      givenName: text(raw.given_name),
      familyName: text(raw.family_name),
      locale: locale(raw.locale),
      profile: saidOf({
        nickname: text(raw.nickname),
        picture: text(raw.picture),
        phone_number: text(raw.phone_number),
      }),
      attributes: attributesOf(
        { ...(raw.user_metadata as object | undefined), ...(raw.app_metadata as object | undefined) },
        context,
      ),
      createdAt: moment(extended(raw.created_at)),
      lastSignInAt: moment(extended(raw.last_login)),
      passwordHash: text(raw.passwordHash) ?? text(raw.password_hash) ?? text(custom?.hash?.value),
      passwordChangedAt: moment(extended(raw.password_set_date)),
      totp: secret && { secret },
    });
  },
};

/** `firebase auth:export --format=json`; hashes take the project's parameters (`--firebase-keys`). */
export const firebase: Source = {
  how: 'json',
  convert(raw, context) {
    const [hash, salt] = [text(raw.passwordHash), text(raw.salt)];
    let attributes: unknown;
    try {
      attributes = JSON.parse(text(raw.customAttributes) ?? '{}');
    } catch {
      attributes = {};
    }
    const providers = (Array.isArray(raw.providerUserInfo) ? raw.providerUserInfo : []) as Record<string, unknown>[];
    return said({
      externalId: text(raw.localId),
      email: text(raw.email),
      // By phone or anonymous: they go by their id.
      userName: text(raw.email) ? undefined : (text(raw.phoneNumber) ?? text(raw.localId)),
      emailVerified: yes(raw.emailVerified),
      state: raw.disabled === true ? 'Suspended' : undefined,
      name: text(raw.displayName) ?? text(providers.find(({ displayName }) => text(displayName))?.displayName),
      profile: saidOf({ picture: text(raw.photoUrl), phone_number: text(raw.phoneNumber) }),
      attributes: attributesOf(attributes, context),
      createdAt: moment(raw.createdAt),
      lastSignInAt: moment(raw.lastSignedInAt),
      passwordHash:
        hash &&
        (context.firebase ? firebaseHash(context.firebase, { salt: salt ?? '', passwordHash: hash }) : 'unknown'),
      passwordChangedAt: moment(raw.passwordUpdatedAt),
    });
  },
};

const claims = [...profileClaims, 'phone_number'] as const;

const custom = (raw: Record<string, unknown>, context: Context) =>
  attributesOf(
    Object.fromEntries(
      Object.entries(raw)
        .filter(([name]) => name.startsWith('custom:'))
        .map(([name, value]) => [name.slice(7), value]),
    ),
    context,
  );

/** Amazon Cognito's CSV of a user pool. It gives no hashes. */
export const cognito: Source = {
  how: 'csv',
  convert: (raw, context) =>
    said({
      externalId: text(raw.sub) ?? text(raw['cognito:username']),
      userName: text(raw['cognito:username']),
      email: text(raw.email),
      emailVerified: yes(raw.email_verified),
      state: yes(raw['cognito:enabled'] ?? raw.enabled) === false ? 'Suspended' : undefined,
      name: text(raw.name),
      givenName: text(raw.given_name),
      familyName: text(raw.family_name),
      locale: locale(raw.locale),
      profile: saidOf(Object.fromEntries(claims.map((claim) => [claim, text(raw[claim])]))),
      attributes: custom(raw, context),
    }),
};

const oktaStates: Record<string, string> = {
  SUSPENDED: 'Suspended',
  DEPROVISIONED: 'Deactivated',
  PASSWORD_EXPIRED: 'PasswordResetRequired',
  RECOVERY: 'PasswordResetRequired',
  STAGED: 'Created',
  PROVISIONED: 'Created',
};

/** Okta's CSV of people (its report, or of the profile attributes). It gives no hashes. */
export const okta: Source = {
  how: 'csv',
  convert(raw, context) {
    const of = (...names: string[]) => names.map((name) => text(raw[name])).find(Boolean);
    const status = of('status', 'Status')?.toUpperCase();
    return said({
      externalId: of('id', 'User Id', 'userId'),
      userName: of('login', 'Username', 'username'),
      email: of('email', 'Primary email', 'Email'),
      emailVerified: status === undefined ? undefined : !['STAGED', 'PROVISIONED'].includes(status),
      state: status === undefined ? undefined : oktaStates[status],
      givenName: of('firstName', 'First name'),
      familyName: of('lastName', 'Last name'),
      name:
        of('displayName', 'Display name') ??
        ([of('firstName', 'First name'), of('lastName', 'Last name')].filter(Boolean).join(' ') || undefined),
      locale: locale(of('locale', 'preferredLanguage')),
      profile: saidOf({
        middle_name: of('middleName'),
        nickname: of('nickName'),
        phone_number: of('mobilePhone', 'primaryPhone'),
      }),
      attributes: attributesOf(raw, context),
      createdAt: moment(of('created', 'Created')),
      lastSignInAt: moment(of('lastLogin', 'Last login')),
    });
  },
};

/** A table of people and their `encrypted_password`, as Devise keeps them. */
export const devise: Source = {
  how: 'csv',
  needs: ['email', 'encrypted_password'],
  convert: (raw, context) =>
    said({
      externalId: numbered('devise', raw.id),
      email: text(raw.email),
      emailVerified: raw.confirmed_at === undefined ? undefined : text(raw.confirmed_at) !== undefined,
      userName: text(raw.username),
      name: text(raw.name),
      givenName: text(raw.first_name),
      familyName: text(raw.last_name),
      state: text(raw.locked_at) ? 'Suspended' : undefined,
      passwordHash: peppered(text(raw.encrypted_password), context),
      attributes: attributesOf(raw, context),
      createdAt: moment(raw.created_at),
      lastSignInAt: moment(raw.current_sign_in_at ?? raw.last_sign_in_at),
    }),
};
