/**
 * How sure a sign-in makes us of the person: the authentication context classes we know, from weakest to strongest
 * (OpenID Connect Core 1.0, section 2, `acr`). A stronger one satisfies a request for a weaker one.
 */
export const assuranceLevels = [{ acr: 'urn:cardea:acr:password', needs: 1 }] as const;

export const acrValues: string[] = assuranceLevels.map(({ acr }) => acr);

const rank = (acr: string | undefined): number => assuranceLevels.findIndex((level) => level.acr === acr);

/** The strongest class that these proofs add up to. @param amr RFC 8176 values */
export function acrOf(amr: readonly string[]): string | undefined {
  return assuranceLevels.filter(({ needs }) => amr.length >= needs).at(-1)?.acr;
}

/**
 * Whether a session of class `held` meets a request. Values we do not know ask for nothing: `acr_values` is a
 * preference (section 3.1.2.1), and we can only be held to what we publish.
 */
export function satisfies(held: string | undefined, requested: readonly string[]): boolean {
  const known = requested.filter((acr) => rank(acr) >= 0);
  return known.length === 0 || known.some((acr) => rank(held) >= rank(acr));
}
