import type * as arctic from 'arctic';
import type { Clock } from '../../../platform/index.ts';
import type { Call } from '../../../platform/outbound.ts';
import type { Provider } from '../../definition.ts';
import { arrivalOf } from '../oidc.ts';
import { AnswerRefused, type Arrival, type Departure } from '../upstream.ts';

/** What a kind of provider is made of; arctic knows its endpoints. */
export interface Social {
  url(departure: Departure): URL;
  redeem(code: string, departure: Departure): Promise<arctic.OAuth2Tokens>;
  /** Who the tokens belong to. */
  who(tokens: arctic.OAuth2Tokens, departure: Departure, answer: URLSearchParams): Promise<Arrival>;
  /** What it sends as `iss` with its answers, if it sends one (RFC 9207). */
  iss?: string;
}

/** What it is made with. */
export interface Kit {
  provider: Provider;
  call: Call;
  clock: Clock;
  redirectUri: string;
  /** Reads JSON with the token. */
  get(url: string, tokens: arctic.OAuth2Tokens): Promise<Record<string, unknown>>;
}

/** Adds what is there to an authorization URL. */
export function withParameters(url: URL, parameters: Record<string, string | undefined>): URL {
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url;
}

export const tokensOf = (tokens: arctic.OAuth2Tokens): Parameters<typeof arrivalOf>[2] =>
  tokens.data as Parameters<typeof arrivalOf>[2];

/** Of those who answer with a profile and no ID token. */
export const profile = (
  issuer: string,
  tokens: arctic.OAuth2Tokens,
  input: { subject: unknown; claims: Record<string, unknown>; email?: string | undefined; emailVerified: boolean },
): Arrival => {
  const { subject, claims, email, emailVerified } = input;
  if ((typeof subject !== 'string' && typeof subject !== 'number') || subject === '')
    throw new AnswerRefused('the profile names nobody');
  return { ...arrivalOf(issuer, { ...claims, sub: String(subject) }, tokensOf(tokens)), email, emailVerified };
};

export const defined = (claims: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  );

/** What the operator asks for, else what is usual. */
export const scopesOf = (provider: Provider, usual: string[]) => [...(provider.scopes ?? usual)];
