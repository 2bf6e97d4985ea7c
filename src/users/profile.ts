import { Refusal } from '../platform/refusal.ts';
import { isTimeZone } from '../platform/time-zone.ts';
import { phoneNumber } from './phone.ts';
import type { User, UserProfile } from './user.ts';

/** The lines of an address (OpenID Connect Core 1.0, section 5.1.1), without `formatted`, which is made of them. */
export const addressFields = ['street_address', 'postal_code', 'locality', 'region', 'country'] as const;

/** Most characters of what people say of themselves. */
export const profileLimits = {
  given_name: 100,
  middle_name: 100,
  family_name: 100,
  name: 200,
  nickname: 100,
  preferred_username: 100,
  phone_number: 40,
  birthdate: 10,
  gender: 60,
  zoneinfo: 64,
  website: 500,
  bio: 1_000,
  street_address: 200,
  postal_code: 20,
  locality: 100,
  region: 100,
  country: 100,
} as const;

export type ProfileField = keyof typeof profileLimits;
/** As typed; what is absent stays, what is empty goes. */
export type TypedProfile = Partial<Record<ProfileField, string>>;

/** Whoever has a profile: an account, or one that is to be. */
export type ProfileOwner = Pick<User, 'name' | 'givenName' | 'familyName' | 'profile'>;

/** Something does not fit: all of it is told at once. */
export interface ProfileProblem {
  field: ProfileField;
  code: 'field.too_long' | 'field.invalid' | 'phone.invalid' | 'date.invalid' | 'url.invalid';
  params?: { max: number };
}

const profileTexts = [
  ...(['middle_name', 'nickname', 'preferred_username', 'birthdate', 'gender', 'zoneinfo', 'website', 'bio'] as const),
];

const severalLines = new Set<ProfileField>(['bio', 'street_address']);

/** One line, whatever was pasted; or several, without what no keyboard makes. */
const tidied = (field: ProfileField, text: string): string =>
  severalLines.has(field)
    ? text
        .replace(/\r\n?/g, '\n')
        .replace(/[^\P{Cc}\n]+/gu, ' ')
        .replace(/\n{3,}/g, '\n\n')
        .trim()
    : text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();

/** A day that was, not longer ago than anybody lives. */
function isBirthdate(text: string, today: Date): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  const date = new Date(`${text}T00:00:00Z`);
  if (!year || Number.isNaN(date.getTime()) || date.getUTCMonth() + 1 !== Number(month)) return false;
  return date.getUTCDate() === Number(day) && date <= today && Number(year) > today.getUTCFullYear() - 130;
}

function isWebsite(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol) && !url.username && !url.password;
}

/**
 * Checks what somebody says of themselves.
 * @returns the change, to be made within `users.update`, or of facts of somebody new; it writes only what was given
 * @throws Refusal `profile.refused` (invalid); `details.problems` are {@link ProfileProblem}s
 */
export async function readProfile(typed: TypedProfile, today: Date): Promise<(user: ProfileOwner) => void> {
  const problems: ProfileProblem[] = [];
  const given = new Map<ProfileField, string>();
  for (const [name, text] of Object.entries(typed)) {
    const field = name as ProfileField;
    const max = profileLimits[field];
    if (max === undefined || text === undefined) continue;
    const value = tidied(field, text);
    if ([...value].length > max) problems.push({ field, code: 'field.too_long', params: { max } });
    else given.set(field, value);
  }
  const phone = given.get('phone_number');
  if (phone) {
    const known = await phoneNumber(phone).catch(() => undefined);
    if (known) given.set('phone_number', known.number);
    else problems.push({ field: 'phone_number', code: 'phone.invalid' });
  }
  const birthdate = given.get('birthdate');
  if (birthdate && !isBirthdate(birthdate, today)) problems.push({ field: 'birthdate', code: 'date.invalid' });
  const website = given.get('website');
  if (website && !isWebsite(website)) problems.push({ field: 'website', code: 'url.invalid' });
  const zone = given.get('zoneinfo');
  if (zone && !isTimeZone(zone)) problems.push({ field: 'zoneinfo', code: 'field.invalid' });
  if (problems.length > 0) throw new Refusal('profile.refused', { kind: 'invalid', details: { problems } });
  return (user) => change(user, given);
}

/** What was wrong with a profile; undefined for any other error. */
export const profileProblems = (error: unknown): ProfileProblem[] | undefined =>
  error instanceof Refusal && error.code === 'profile.refused'
    ? (error.details.problems as ProfileProblem[])
    : undefined;

function change(user: ProfileOwner, given: ReadonlyMap<ProfileField, string>): void {
  if (given.has('given_name')) user.givenName = given.get('given_name') || null;
  if (given.has('family_name')) user.familyName = given.get('family_name') || null;
  if (given.has('name')) user.name = given.get('name') || null;
  const profile: UserProfile = { ...user.profile };
  for (const field of profileTexts) {
    if (!given.has(field)) continue;
    if (given.get(field)) profile[field] = given.get(field)!;
    else delete profile[field];
  }
  const phone = given.get('phone_number');
  if (phone !== undefined && phone !== (profile.phone_number ?? '')) {
    // Another number is nobody's until it is proved.
    delete profile.phone_number;
    delete profile.phone_number_verified;
    if (phone) Object.assign(profile, { phone_number: phone, phone_number_verified: false });
  }
  if (addressFields.some((field) => given.has(field))) {
    const lines = Object.fromEntries(
      addressFields.flatMap((field) => {
        const value = given.has(field) ? given.get(field)! : (profile.address?.[field] ?? '');
        return value ? [[field, value]] : [];
      }),
    );
    if (Object.keys(lines).length > 0) profile.address = { ...lines, formatted: formatted(lines) };
    else delete profile.address;
  }
  user.profile = profile;
}

/** As it would stand on a letter in most of the world. */
const formatted = (lines: Record<string, string>): string =>
  [lines.street_address, [lines.postal_code, lines.locality].filter(Boolean).join(' '), lines.region, lines.country]
    .filter(Boolean)
    .join('\n');
