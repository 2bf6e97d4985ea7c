import { z } from 'zod';
import { Refusal } from '../platform/index.ts';
import { isEmail, isUserName, userStates } from '../users/index.ts';
import { isStorable } from './parse.ts';

// One account, as a line of NDJSON says it: what imports take and exports give. See docs/guides/import.md.

const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => value.isWellFormed() && !value.includes('\0'));
const name = text(200);
/** Within what every part of the house can reckon with. */
const moment = z.iso
  .datetime({ offset: true })
  .or(z.iso.date())
  .refine((value) => value >= '1900' && value < '2200');
const json = z.record(z.string().max(200), z.json()).refine(isStorable);

const line = text(2_000);
/** Only what a browser may follow or show: these become links. */
const page = line.refine((value) => /^(https?:\/\/|\/)/.test(value) && URL.canParse(value, 'https://x'));

/** OpenID Connect Core 1.0, section 5.1, without what has a field of its own. */
const profile = z.strictObject({
  middle_name: name.optional(),
  nickname: name.optional(),
  preferred_username: name.optional(),
  profile: page.optional(),
  picture: page.optional(),
  website: page.optional(),
  gender: name.optional(),
  birthdate: text(10).optional(),
  zoneinfo: text(60).optional(),
  phone_number: text(40).optional(),
  phone_number_verified: z.boolean().optional(),
  address: z.record(text(40), text(500)).optional(),
  bio: line.optional(),
});

const passkey = z.strictObject({
  id: z.uuid().optional(),
  credentialId: z.base64url().max(1400),
  publicKey: z.base64url().max(4000),
  signCount: z.int().min(0),
  transports: z.array(text(30)).max(10),
  aaguid: z.uuid(),
  backupEligible: z.boolean(),
  backedUp: z.boolean(),
  name: name.optional(),
  createdAt: moment.optional(),
  lastUsedAt: moment.optional(),
});

const record = z.strictObject({
  type: z.literal('user').optional(),
  id: z.uuid().toLowerCase().optional(),
  externalId: text(512).optional(),
  provisioningDomain: text(200).optional(),
  userName: text(254)
    .refine((value) => isUserName(value))
    .optional(),
  email: text(254)
    .refine((value) => isEmail(value))
    .optional(),
  /** Since when, or whether. */
  emailVerified: z.boolean().or(moment).optional(),
  state: z.enum(userStates).optional(),
  stateBefore: z.enum(userStates).optional(),
  stateChangedAt: moment.optional(),
  stateReason: text(1000).optional(),
  administrator: z.boolean().optional(),
  name: name.optional(),
  givenName: name.optional(),
  familyName: name.optional(),
  locale: z
    .string()
    .regex(/^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}$/)
    .optional(),
  profile: profile.optional(),
  attributes: json.optional(),
  directory: json.optional(),
  settings: json.optional(),
  termsVersion: text(40).optional(),
  termsAcceptedAt: moment.optional(),
  createdAt: moment.optional(),
  updatedAt: moment.optional(),
  lastSignInAt: moment.optional(),
  /** In the clear; hashed before it is stored. */
  password: z.string().min(1).max(1024).optional(),
  passwordHash: z.string().min(1).max(2048).optional(),
  passwordChangedAt: moment.optional(),
  totp: z.strictObject({ secret: z.string().max(300), createdAt: moment.optional() }).optional(),
  recoveryCodes: z.array(z.string().min(8).max(100)).max(50).optional(),
  recoveryCodeMacs: z
    .array(z.strictObject({ mac: z.string().max(100), issuedAt: moment, usedAt: moment.optional() }))
    .max(50)
    .optional(),
  passkeys: z.array(passkey).max(100).optional(),
  groups: z.array(text(256)).max(1000).optional(),
  roles: z.array(text(256)).max(1000).optional(),
  organisations: z
    .array(
      z.strictObject({
        name: text(256),
        roles: z.array(text(256)).max(100).optional(),
        groups: z.array(text(256)).max(1000).optional(),
      }),
    )
    .max(1000)
    .optional(),
  consents: z
    .array(
      z.strictObject({
        client: text(200),
        scopes: z.array(text(200)).max(200),
        claims: z.array(text(200)).max(200).optional(),
        resourceScopes: z.record(text(500), z.array(text(200)).max(200)).optional(),
        givenAt: moment.optional(),
      }),
    )
    .max(1000)
    .optional(),
});

export type UserRecord = z.output<typeof record>;

/** The first line of an export: what its hashes take, and whose recovery codes they are. */
const header = z.strictObject({
  type: z.literal('cardea.export'),
  version: z.literal(1),
  at: moment.optional(),
  secrets: z.boolean().optional(),
  fingerprint: z.string().max(100).optional(),
  keys: z
    .array(
      z.strictObject({
        id: z.string().max(64),
        key: z.discriminatedUnion('kind', [
          z.strictObject({
            kind: z.literal('firebase'),
            signerKey: z.base64(),
            saltSeparator: z.base64(),
            rounds: z.int().min(1).max(64),
            memCost: z.int().min(1).max(31),
          }),
          z.strictObject({ kind: z.literal('pepper'), pepper: z.string().max(1024) }),
        ]),
      }),
    )
    .max(100)
    .optional(),
});

export type ExportHeader = z.output<typeof header>;

export const isHeader = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'cardea.export';

/** The last line of an export: without it some are missing. */
export const isEnd = (value: unknown): boolean => (value as { type?: unknown }).type === 'cardea.end';

const checked = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  // Names of fields only: what stands in them is people's.
  if (issue.code === 'unrecognized_keys') {
    const fields = issue.keys.slice(0, 10).map((key) => key.slice(0, 60));
    throw new Refusal('import.field_unknown', { kind: 'invalid', details: { fields } });
  }
  throw new Refusal('import.field_malformed', {
    kind: 'invalid',
    details: { field: issue.path.join('.').slice(0, 100) || '(record)' },
  });
};

/** @throws Refusal `import.field_unknown`, `import.field_malformed` (invalid) with the field's name */
export function readRecord(value: unknown): UserRecord {
  const read = checked(record, value);
  if (read.email === undefined && read.userName === undefined) {
    throw new Refusal('import.nameless', { kind: 'invalid' });
  }
  return read;
}

export const readHeader = (value: unknown): ExportHeader => checked(header, value);
