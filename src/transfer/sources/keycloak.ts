import { keycloakHash } from '../../credentials/index.ts';
import { attributesOf, locale, moment, type Source, said, saidOf, text, yes } from './source.ts';

interface Credential {
  type?: string;
  credentialData?: string;
  secretData?: string;
  createdDate?: number;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648, section 6, without padding. */
function base32(bytes: Buffer): string {
  let bits = 0;
  let value = 0;
  let out = '';
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? out + alphabet[(value << (5 - bits)) & 31] : out;
}

/** Only what every app speaks: time-based, SHA-1, six digits, thirty seconds. The rest enrols anew. */
function totpOf({ credentialData, secretData, createdDate }: Credential) {
  try {
    const { subType, digits, period, algorithm, secretEncoding } = JSON.parse(credentialData ?? '');
    const { value } = JSON.parse(secretData ?? '');
    if (subType !== 'totp' || digits !== 6 || period !== 30 || algorithm !== 'HmacSHA1') return undefined;
    const secret = secretEncoding === 'BASE32' ? String(value) : base32(Buffer.from(String(value)));
    return said({ secret, createdAt: moment(createdDate) });
  } catch {
    return undefined;
  }
}

/** `kc.sh export`: a realm as one document, its people under `users`. Ids become external ids. */
export const keycloak: Source = {
  how: 'json',
  convert(raw, context) {
    // People of clients are no people.
    if (raw.serviceAccountClientId) return undefined;
    const credentials = (Array.isArray(raw.credentials) ? raw.credentials : []) as Credential[];
    const password = credentials.find(({ type }) => type === 'password');
    const otp = credentials.find(({ type }) => type === 'otp');
    const actions = Array.isArray(raw.requiredActions) ? raw.requiredActions : [];
    const { locale: language, phoneNumber, picture, ...attributes } = (raw.attributes ?? {}) as Record<string, unknown>;
    const active = actions.includes('UPDATE_PASSWORD') ? 'PasswordResetRequired' : undefined;
    return said({
      externalId: text(raw.id),
      userName: text(raw.username),
      email: text(raw.email),
      emailVerified: yes(raw.emailVerified),
      state: raw.enabled === false ? 'Suspended' : active,
      givenName: text(raw.firstName),
      familyName: text(raw.lastName),
      name: [text(raw.firstName), text(raw.lastName)].filter(Boolean).join(' ') || undefined,
      locale: locale([language].flat()[0]),
      profile: saidOf({ phone_number: text([phoneNumber].flat()[0]), picture: text([picture].flat()[0]) }),
      attributes: attributesOf(attributes, context),
      createdAt: moment(raw.createdTimestamp),
      passwordHash:
        password?.credentialData && password.secretData
          ? (keycloakHash({ credentialData: password.credentialData, secretData: password.secretData }) ?? 'unknown')
          : undefined,
      passwordChangedAt: password && moment(password.createdDate),
      totp: otp && totpOf(otp),
      groups: Array.isArray(raw.groups) ? raw.groups.map((path) => String(path).replace(/^\//, '')) : undefined,
      roles: Array.isArray(raw.realmRoles)
        ? raw.realmRoles.filter((role) => !/^(default-roles-.*|offline_access|uma_authorization)$/.test(String(role)))
        : undefined,
    });
  },
};
