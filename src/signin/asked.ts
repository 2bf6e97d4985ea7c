/**
 * The authentication context classes an application asks for: `acr_values`, or an essential `acr` claim of the ID token
 * (OpenID Connect Core 1.0, sections 3.1.2.1 and 5.5.1.1). The engine has checked both before it asked us.
 */
export function requestedAcr(params: Record<string, unknown>): string[] {
  const { essential, value, values } = acrClaim(params.claims);
  if (essential && (value || values)) return [value ?? [], values ?? []].flat().map(String);
  return String(params.acr_values ?? '')
    .split(' ')
    .filter(Boolean);
}

function acrClaim(claims: unknown): { essential?: boolean; value?: string; values?: string[] } {
  if (claims === undefined) return {};
  const parsed = typeof claims === 'string' ? JSON.parse(claims) : claims;
  return parsed?.id_token?.acr ?? {};
}

/** The provider by which the application wants somebody to come. */
export const providerHint = (params: Record<string, unknown>): string | undefined =>
  [params.idp_hint, params.kc_idp_hint].find((value): value is string => typeof value === 'string');

/** Why the engine asks somebody who is signed in only for more than they have proved. */
const moreOnly = new Set(['acr_values', 'essential_acr', 'client_mfa', 'organization_mfa', 'person_mfa']);

export const stepsUp = ({ name, reasons }: { name: string; reasons: string[] }): boolean =>
  name === 'login' && reasons.length > 0 && reasons.every((reason) => moreOnly.has(reason));
