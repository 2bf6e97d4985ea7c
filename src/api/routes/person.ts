import { z } from 'zod';
import { isTimeZone } from '../../platform/time-zone.ts';
import type { User, UserProfile } from '../../users/index.ts';
import { identityStatuses, userStates } from '../../users/index.ts';
import { etagOf } from '../conditions.ts';
import { anything, id, moment, shown, text } from '../schemas.ts';

const url = () => z.url({ protocol: /^https?$/ }).max(2_000);

const address = z.strictObject(
  Object.fromEntries(
    ['formatted', 'street_address', 'locality', 'region', 'postal_code', 'country'].map((name) => [
      name,
      text(500).optional(),
    ]),
  ),
);

/** What people tell of themselves: the claims of OpenID Connect Core 1.0, section 5.1, by their names; and `bio`, which is none. */
const claims = {
  name: text(200),
  given_name: text(200),
  family_name: text(200),
  middle_name: text(200),
  nickname: text(200),
  preferred_username: text(200),
  profile: url(),
  website: url(),
  gender: text(100),
  birthdate: z.string().regex(/^(\d{4}|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))$/, 'A date, or a year'),
  zoneinfo: text(100).refine(isTimeZone, 'A time zone, as Europe/Berlin'),
  locale: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'A language tag, as en or de-AT')
    .max(35),
  phone_number: z.string().regex(/^\+[1-9]\d{3,14}$/, 'As E.164 writes it: +49301234567'),
  address,
  bio: text(1_000),
};

const eachNullish = <Shape extends z.ZodRawShape>(shape: Shape) =>
  Object.fromEntries(
    Object.entries(shape).map(([name, schema]) => [name, (schema as z.ZodType).nullish()]),
  ) as unknown as {
    [Name in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[Name]>>;
  };

/** What a person changes of their own. */
export const ownWritable = {
  ...eachNullish(claims),
  attributes: z.record(z.string().max(100), z.json()).optional().describe('Custom fields by name'),
};

/** What an administrator or a service changes. */
export const writable = {
  ...ownWritable,
  picture: url().nullish(),
  phone_number_verified: z.boolean().optional(),
  user_name: text(254).nullish().describe('What directories know the person by'),
  external_id: text(254).nullish().describe('What the caller knows the person by'),
  email: z.string().min(3).max(254).nullish(),
  email_verified: z.boolean().optional(),
};

const nullable = <Shape extends z.ZodRawShape>(shape: Shape) =>
  Object.fromEntries(
    Object.entries(shape).map(([name, schema]) => [name, (schema as z.ZodType).nullable()]),
  ) as unknown as {
    [Name in keyof Shape]: z.ZodNullable<Shape[Name]>;
  };

/** A person as answers show them; what was written before it was checked so strictly is shown as it is. */
export const person = z
  .strictObject({
    id: id(),
    state: z.enum(userStates),
    state_changed_at: moment(),
    state_reason: z.string().nullable(),
    administrator: z.boolean(),
    user_name: z.string().nullable(),
    external_id: z.string().nullable(),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    ...nullable(Object.fromEntries(Object.keys(claims).map((name) => [name, z.string()]))),
    address: anything().nullable(),
    picture: z.string().nullable(),
    phone_number_verified: z.boolean(),
    identity_status: z.enum(identityStatuses),
    attributes: anything(),
    last_sign_in_at: moment().nullable(),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Person', description: 'A person and their account' });

export type Person = z.output<typeof person>;

/** Columns of their own; the other claims are in `profile`. */
const columns = { name: 'name', given_name: 'givenName', family_name: 'familyName', locale: 'locale' } as const;
const profileNames = [...Object.keys(claims).filter((name) => !(name in columns)), 'picture'] as (keyof UserProfile)[];

/** @param attributes those that the caller may see */
export function show(user: User, attributes: Record<string, unknown> = user.attributes ?? {}): Person {
  return {
    id: user.id,
    state: user.state as Person['state'],
    state_changed_at: shown.moment(user.stateChangedAt)!,
    state_reason: shown.text(user.stateReason),
    administrator: user.administrator,
    user_name: shown.text(user.userName),
    external_id: shown.text(user.externalId),
    email: shown.text(user.email),
    email_verified: user.isEmailVerified(),
    ...Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, shown.text(user[column])])),
    ...Object.fromEntries(profileNames.map((name) => [name, user.profile[name] ?? null])),
    phone_number_verified: user.profile.phone_number_verified ?? false,
    identity_status: user.identityStatus,
    attributes,
    last_sign_in_at: shown.moment(user.lastSignInAt),
    created_at: shown.moment(user.createdAt)!,
    updated_at: shown.moment(user.updatedAt)!,
  } as Person;
}

/** The last sign-in shows in it and changes no version. */
export const etagOfPerson = (user: User): string =>
  etagOf(user.version, user.lastSignInAt ? new Date(user.lastSignInAt).getTime().toString(36) : undefined);

type Written = Partial<z.output<z.ZodObject<typeof writable>>>;
type Claims = Pick<User, (typeof columns)[keyof typeof columns] | 'profile'>;

/** Puts on the entity what is named; null takes it away. Addresses, states and custom fields are others' business. */
export function writeClaims(user: Claims, written: Written): void {
  for (const [name, column] of Object.entries(columns) as [keyof typeof columns, 'name'][]) {
    if (written[name] !== undefined) user[column] = written[name];
  }
  const profile: Record<string, unknown> = { ...user.profile };
  for (const name of [...profileNames, 'phone_number_verified'] as (keyof Written)[]) {
    if (written[name] === undefined) continue;
    if (written[name] === null) delete profile[name];
    else profile[name] = written[name];
  }
  // Another number has not been proved by anybody.
  if (profile.phone_number === undefined) delete profile.phone_number_verified;
  else if (profile.phone_number !== user.profile.phone_number && written.phone_number_verified === undefined) {
    delete profile.phone_number_verified;
  }
  user.profile = profile as UserProfile;
}

/** The same for somebody new, who is written once: an account written again is indexed again. */
export function claimsOf(written: Written): Partial<Claims> {
  const claims = { profile: {} } as Claims;
  writeClaims(claims, written);
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
}

/** The whole of it: what a replacement does not name is taken away. */
export function wholeOf<Shape extends z.ZodRawShape>(shape: Shape, body: Record<string, unknown>) {
  const empty = Object.fromEntries(
    Object.keys(shape)
      .filter((name) => !['attributes', 'email_verified', 'phone_number_verified'].includes(name))
      .map((name) => [name, null]),
  );
  return { ...empty, ...body };
}
