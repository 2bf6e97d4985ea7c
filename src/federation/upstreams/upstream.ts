/** What one sign-in at a provider is bound to. Kept sealed by us, of which the browser holds no part but `state`. */
export interface Departure {
  /** Where the provider sends the browser back to: each has a place of its own, so that answers cannot be mixed up. */
  redirectUri: string;
  state: string;
  /** Ties the ID token to this sign-in. */
  nonce: string;
  /** PKCE (RFC 7636): ties the code to us. */
  verifier: string;
  loginHint?: string | undefined;
  /** `login` or `select_account`, where the provider knows them. */
  prompt?: string | undefined;
  /** Seconds. */
  maxAge?: number | undefined;
  uiLocales?: string | undefined;
  /** In the provider's own words. */
  acrValues?: string | undefined;
}

/** Who came, as the provider says. */
export interface Arrival {
  /** With `subject` the identity; no address is part of it. */
  issuer: string;
  subject: string;
  /** All it said, for the mapping. */
  claims: Record<string, unknown>;
  email?: string | undefined;
  /** Its word that the address is the person's; whether that is believed is not decided here. */
  emailVerified: boolean;
  /** Its session, as its logout tokens name it. */
  sid?: string | undefined;
  acr?: string | undefined;
  amr: string[];
  authTime?: Date | undefined;
  idToken?: string | undefined;
  tokens: { access_token?: string; refresh_token?: string; expires_in?: number; scope?: string };
}

/** Where logout tokens of a provider come from. */
export interface LogoutSource {
  issuer: string;
  clientId: string;
  /** @throws when no key of the provider has signed it, or a claim is not as expected */
  verify(token: string): Promise<Record<string, unknown>>;
}

/** One provider, spoken to. All of it throws whatever went wrong; `federation.ts` says what that means. */
export interface Upstream {
  /** The address to send the browser to. */
  begin(departure: Departure): Promise<URL>;
  /** Makes the answer a person: redeems the code and checks all that can be checked. */
  finish(answer: URLSearchParams, departure: Departure): Promise<Arrival>;
  /** Signs the browser out there, if the provider offers that (OpenID Connect RP-Initiated Logout 1.0). */
  endSession?(input: { idToken: string; redirectUri: string; state: string }): Promise<URL | undefined>;
  /** Who may tell us that somebody has signed out there; not all can. */
  logoutSource?(): Promise<LogoutSource>;
}

/** The answer is not one that this sign-in could have got: a fault of the provider, or somebody's forgery. */
export class AnswerRefused extends Error {
  override readonly name = 'AnswerRefused';
}

/** The provider said no: `access_denied` when the person did. */
export class ProviderSaidNo extends Error {
  override readonly name = 'ProviderSaidNo';
  readonly code: string;

  constructor(code: string) {
    super(`the provider answered ${code}`);
    this.code = code;
  }
}

export const stringOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** Apple says `"true"`. */
export const isTrue = (value: unknown): boolean => value === true || value === 'true';

/** Seconds since 1970 → when. */
export const timeOf = (value: unknown): Date | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? new Date(value * 1000) : undefined;
