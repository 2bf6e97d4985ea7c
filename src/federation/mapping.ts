import { profileClaims, type User, type UserProfile } from '../users/index.ts';
import type { Provider } from './definition.ts';

/** What of a person a provider fills in. An address and what is verified of it are no part: linking.ts decides those. */
export interface Mapped {
  name?: string;
  givenName?: string;
  familyName?: string;
  locale?: string;
  profile: Record<string, string>;
  /** Custom fields, not yet checked. */
  attributes: Record<string, unknown>;
}

const columns = { name: 'name', given_name: 'givenName', family_name: 'familyName', locale: 'locale' } as const;
const addresses: readonly string[] = ['profile', 'picture', 'website'];

/** Where a value may go: a claim, or `attributes.<custom field>`. */
export const mappingTargets: readonly string[] = [...Object.keys(columns), ...profileClaims];

export const isMappingTarget = (target: string): boolean =>
  mappingTargets.includes(target) || /^attributes\.[A-Za-z][\w-]*$/.test(target);

/** The claims of OpenID Connect by their own names. */
const usual: Record<string, string> = Object.fromEntries(mappingTargets.map((name) => [name, name]));

/**
 * Makes facts of claims. Pure: the dry run is this and nothing else.
 * @returns `faults`: targets nobody knows, and values that cannot be used, which are left out
 */
export function mapClaims(
  provider: Pick<Provider, 'mapping'>,
  claims: Record<string, unknown>,
): { mapped: Mapped; faults: string[] } {
  const mapped: Mapped = { profile: {}, attributes: {} };
  const faults: string[] = [];
  for (const [target, source] of Object.entries({ ...usual, ...provider.mapping })) {
    if (!isMappingTarget(target)) {
      faults.push(`${target}: nothing of a person is called so`);
      continue;
    }
    const value = valueAt(source, claims);
    if (value === undefined || value === null || value === '') continue;
    if (target.startsWith('attributes.')) {
      mapped.attributes[target.slice('attributes.'.length)] = value;
      continue;
    }
    const text = textOf(value);
    if (text === undefined || (addresses.includes(target) && !/^https:\/\//.test(text))) {
      faults.push(`${target}: what ${source} says cannot be used`);
      continue;
    }
    if (target in columns) mapped[columns[target as keyof typeof columns]] = text;
    else mapped.profile[target] = text;
  }
  return { mapped, faults };
}

/** `claim`, `claim.inner`, `claim.0`, or text with those in braces; an empty source takes nothing. */
function valueAt(source: string, claims: Record<string, unknown>): unknown {
  if (!source.includes('{')) return at(source, claims);
  return source
    .replace(/\{([^{}]+)\}/g, (_, path: string) => textOf(at(path.trim(), claims)) ?? '')
    .replace(/\s+/g, ' ')
    .trim();
}

function at(path: string, claims: Record<string, unknown>): unknown {
  // A claim's name may hold dots itself, as those that are URLs do.
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** One line of at most 200 characters (a picture's address may be longer); no other kind of value is text. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined;
  const text = String(value)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  const most = /^https:/.test(text) ? 2_000 : 200;
  return text && text.length <= most ? text : undefined;
}

/** Puts the facts into an account, as the provider's policy says. @returns whether that changed anything */
export function applyFacts(
  user: Pick<User, 'name' | 'givenName' | 'familyName' | 'locale' | 'profile' | 'attributes'>,
  mapped: Mapped,
  policy: Provider['update'],
): boolean {
  if (policy === 'never') return false;
  const before = JSON.stringify([
    user.name,
    user.givenName,
    user.familyName,
    user.locale,
    user.profile,
    user.attributes,
  ]);
  const keeps = (present: unknown) => policy === 'empty' && present !== undefined && present !== null && present !== '';
  for (const name of Object.values(columns)) {
    const fresh = mapped[name];
    if (fresh !== undefined && !keeps(user[name])) user[name] = fresh;
  }
  user.profile = merged(user.profile as Record<string, unknown>, mapped.profile, keeps) as UserProfile;
  user.attributes = merged(user.attributes, mapped.attributes, keeps);
  return (
    before !== JSON.stringify([user.name, user.givenName, user.familyName, user.locale, user.profile, user.attributes])
  );
}

const merged = (
  present: Record<string, unknown>,
  fresh: Record<string, unknown>,
  keeps: (value: unknown) => boolean,
): Record<string, unknown> => ({
  ...present,
  ...Object.fromEntries(Object.entries(fresh).filter(([name]) => !keeps(present[name]))),
});
