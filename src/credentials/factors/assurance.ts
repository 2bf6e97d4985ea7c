/**
 * How sure a sign-in makes us of the person: the authentication context classes we know, from weakest to strongest
 * (OpenID Connect Core 1.0, section 2, `acr`). A stronger one satisfies a request for a weaker one.
 */
export const assuranceLevels = [{ acr: 'urn:cardea:acr:password' }, { acr: 'urn:cardea:acr:mfa' }] as const;

export const acrValues: string[] = assuranceLevels.map(({ acr }) => acr);

/** Two factors of different kinds, or a key that made sure of its user. */
export const mfa = 'urn:cardea:acr:mfa';

/** Seconds for which a sign-in is fresh: before a change that could lock the owner out or let another in, it has to be. */
export const freshSeconds = 10 * 60;

const rank = (acr: string | undefined): number => assuranceLevels.findIndex((level) => level.acr === acr);

/** A key in hardware or software; with `user` it has asked for the person's finger, face or PIN itself (RFC 8176). */
const isKey = (method: string): boolean => method === 'hwk' || method === 'swk';

/**
 * `fed` is the word of a provider that is trusted here (RFC 8176 has no value for it). It counts as one factor; with `mfa`
 * beside it the provider has proved two, and its word for that is taken.
 */
function isMultiFactor(amr: readonly string[]): boolean {
  const hasKey = amr.some(isKey);
  const hasCode = amr.includes('otp') || amr.includes('sms');
  if (amr.includes('fed') && (hasKey || hasCode || amr.includes('mfa'))) return true;
  return (hasKey && (amr.includes('user') || amr.includes('pwd'))) || (amr.includes('pwd') && hasCode);
}

/** What was proved, as tokens name it: with `mfa` where it adds up to that. @param proved RFC 8176 values */
export function amrOf(proved: readonly string[]): string[] {
  const methods = [...new Set(proved)].filter((method) => method !== 'mfa');
  return isMultiFactor(proved) ? [...methods, 'mfa'] : methods;
}

/** The strongest class that these proofs add up to. @param amr RFC 8176 values */
export function acrOf(amr: readonly string[]): string | undefined {
  if (amr.length === 0) return undefined;
  return isMultiFactor(amr) ? mfa : 'urn:cardea:acr:password';
}

/**
 * Whether a session of class `held` meets a request. Values we do not know ask for nothing: `acr_values` is a
 * preference (section 3.1.2.1), and we can only be held to what we publish.
 */
export function satisfies(held: string | undefined, requested: readonly string[]): boolean {
  const known = requested.filter((acr) => rank(acr) >= 0);
  return known.length === 0 || known.some((acr) => rank(held) >= rank(acr));
}
