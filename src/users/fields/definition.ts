import { z } from 'zod';
import { compilePattern } from './pattern.ts';

/** `text` has several lines; `strings` is a list. A date is `2026-11-21`; a URL begins with https:// or http://. */
export const fieldTypes = ['string', 'text', 'integer', 'number', 'boolean', 'date', 'enum', 'strings', 'url'] as const;

export type FieldType = (typeof fieldTypes)[number];

/** The name is a key of JSON, a part of SQL and a name in a form: nothing of it needs quoting anywhere. */
export const fieldName = /^[a-z][a-z0-9_]{0,39}$/;

/** Characters of one value at most, whatever a field says. */
export const longest = { string: 1_000, text: 4_000, url: 2_000, item: 200, items: 100 } as const;

/**
 * Claims that mean something already: to the protocol (RFC 7519, RFC 9068, OpenID Connect Core 1.0), or of Cardea's own.
 * A field must not be able to say that its owner is somebody else, in a group, or what applications take for rights.
 */
const reservedClaims = new Set(
  (
    'sub iss aud exp nbf iat jti sid azp nonce acr amr auth_time at_hash c_hash s_hash cnf act may_act scope client_id ' +
    'active token_type username events htm htu ath name family_name given_name middle_name nickname preferred_username ' +
    'profile picture website gender birthdate zoneinfo locale updated_at email email_verified phone_number ' +
    'phone_number_verified address gid suid groups roles permissions entitlements hasgroups hasroles _claim_names ' +
    '_claim_sources org_id org_name org_roles org_permissions authorization_details txn state ' +
    'admin administrator is_admin role scp verified_claims'
  ).split(' '),
);

const reservedScopes = new Set(['openid', 'offline_access', 'groups', 'roles', 'permissions', 'organization']);

/** Scopes of our own APIs open accounts: none of them may come to be one that every application may ask for. */
const ownScope = /^(account|users|directory|organisations|scim)\./;

const words = z
  .record(
    z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'is a language tag, as en'),
    z.string().min(1).max(200),
  )
  .refine((said) => Object.keys(said).length > 0, 'needs words in at least one language');

/** `user`: of themselves; `administrator`; a scope: clients that have it. Administrators always may. */
const party = z.union([z.literal('user'), z.literal('administrator'), z.string().regex(/^[\w.:/-]{1,100}$/)]);

/** The members of a definition, each by itself. */
export const fieldObject = z.strictObject({
  name: z.string().regex(fieldName, 'is small letters, digits and _, as cost_centre; at most 40'),
  /** What people are shown, by language. */
  label: words,
  /** A line that explains it, by language. */
  hint: words.optional(),
  type: z.enum(fieldTypes),
  /** Where it is asked, it must be filled in; and nobody but an administrator takes it away again. */
  required: z.boolean().default(false),
  /** A regular expression that the whole text matches; linear in time, see pattern.ts. */
  pattern: z.string().min(1).max(500).optional(),
  /** Of numbers the value, of texts the length, of lists how many. */
  min: z.number().optional(),
  max: z.number().optional(),
  /** The choices of an enum, or what a list is made of: each value and its words. */
  options: z
    .array(z.strictObject({ value: z.string().min(1).max(200), label: words.optional() }))
    .max(500)
    .optional(),
  /** Who sees it beside administrators: `user`, or the scopes of clients that do. */
  read: z.array(party).max(20).default(['user', 'users.read', 'scim.read']),
  /** Who changes it beside administrators. */
  write: z.array(party).max(20).default(['users.write', 'scim.write']),
  /** The claim that carries it, and the scope that asks for that claim. */
  claim: z
    .strictObject({
      name: z.string().regex(/^[A-Za-z_][\w.:/-]{0,99}$/, 'is the name of a claim'),
      scope: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'is the name of a scope (RFC 6749, section 3.3)'),
    })
    .optional(),
  /** Its name in SCIM, in Cardea's extension of User. */
  scim: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,60}$/, 'is the name of an attribute (RFC 7643, section 2.1)')
    .optional(),
  /** Has an index: found, and sorted by, among many. */
  searchable: z.boolean().default(false),
  /** On which pages people are asked. */
  ask: z.array(z.enum(['registration', 'profile'])).default([]),
  /** Where it stands among the others; the smaller the earlier. */
  order: z.number().int().default(0),
});

/** What a field is, as administrators declare it. */
export const fieldSchema = fieldObject.superRefine((field, { addIssue }) => {
  const fault = (path: string, message: string) => addIssue({ code: 'custom', path: [path], message });
  const isText = ['string', 'text', 'url', 'enum', 'strings'].includes(field.type);
  if (field.type === 'enum' && !field.options?.length) fault('options', 'an enum needs its choices');
  if (field.options && !['enum', 'strings'].includes(field.type)) fault('options', `a ${field.type} has no choices`);
  const values = field.options?.map(({ value }) => value) ?? [];
  if (new Set(values).size < values.length) fault('options', 'a choice is there twice');
  if (field.pattern !== undefined) {
    if (!isText) fault('pattern', `a ${field.type} is not text`);
    else
      try {
        compilePattern(field.pattern);
      } catch (error) {
        fault('pattern', (error as Error).message);
      }
  }
  if (field.min !== undefined && field.max !== undefined && field.min > field.max)
    fault('min', 'is more than the most');
  if ((field.min !== undefined || field.max !== undefined) && ['boolean', 'date', 'enum'].includes(field.type))
    fault('min', `a ${field.type} has no size`);
  if (isText && [field.min, field.max].some((bound) => bound !== undefined && (bound < 0 || !Number.isInteger(bound))))
    fault('min', 'a length is a whole number');
  if (field.claim && reservedClaims.has(field.claim.name.toLowerCase()))
    fault('claim', `${field.claim.name} means something else`);
  if (field.claim && (reservedScopes.has(field.claim.scope) || ownScope.test(field.claim.scope)))
    fault('claim', `${field.claim.scope} asks for something else`);
  if (field.ask.length > 0 && !field.write.includes('user'))
    fault('ask', 'who is asked must be allowed to write: add user to write');
  if (field.write.includes('user') && !field.read.includes('user'))
    fault('read', 'who may write it must be allowed to read it');
  if (field.searchable && field.type === 'text') fault('searchable', 'long texts are not indexed');
});

/** As it is kept: with every default filled in. */
export type Field = z.output<typeof fieldSchema>;
export type FieldInput = z.input<typeof fieldSchema>;
