import type { Clients, ResourceServers } from '../clients/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Sessions, StoredToken } from '../sessions/index.ts';
import type { Standing, TokenFactsReader } from '../users/index.ts';
import { type AccessTokenClaims, createJwtReader, looksLikeJwt } from './jwt.ts';
import { grantClaim, sessionClaim } from './origin.ts';

export interface AnswerPorts {
  keys: Keys;
  clients: Clients;
  resources: ResourceServers;
  sessions: Pick<Sessions, 'tokens'>;
  standing: Standing;
  issuer: string;
  clock: Clock;
  /** The name by which an application knows the account: its pairwise subject, if it has one. */
  subject: (accountId: string, clientId: string) => Promise<string>;
  /** What APIs are told of the person as of now: organisation, groups, roles. Nothing: the token is dead. */
  facts: TokenFactsReader;
  /** Called with each answer given: for counting, so nothing in it may wait. */
  answered?: ((token: 'opaque' | 'jwt', active: boolean) => void) | undefined;
}

/** Who asks, authenticated. */
export interface Caller {
  clientId: string;
  /** A public client proves nothing, so it is told nothing. */
  isPublic: boolean;
}

export interface Answer {
  active: boolean;
  [name: string]: unknown;
}

/** All that is ever said of a token that is dead, foreign or malformed (RFC 7662, section 2.2). */
export const dead: Answer = Object.freeze({ active: false });

interface Origin {
  clientId: string;
  accountId?: string | undefined;
  grantId?: string | undefined;
  /** Of the session it ends with. */
  sessionUid?: string | undefined;
}

/**
 * Whether a token is live, and what it says. Every question after the first round trip is answered from memory unless
 * something was stopped since.
 */
export function createAnswer(ports: AnswerPorts) {
  const { clients, resources, sessions, standing, issuer, clock, subject, facts, answered } = ports;
  const { tokens } = sessions;
  const jwts = createJwtReader(ports);

  /** A token's own client learns nothing it does not hold; a resource server asks of what was made for it. */
  const mayAsk = async (caller: Caller, token: { clientId: string; aud?: string | string[] | undefined }) =>
    !caller.isPublic &&
    (caller.clientId === token.clientId || resources.speaksFor(caller.clientId, [token.aud ?? []].flat()));

  /** The application, the grant, the session and the person: end one, and all that hangs on it is dead. */
  const stands = async ({ clientId, accountId, grantId, sessionUid }: Origin): Promise<boolean> => {
    if (!(await clients.find(clientId))) return false;
    // A service's own: nobody is behind it.
    if (grantId === undefined) return accountId === undefined && sessionUid === undefined;
    const grant = await tokens.grant(grantId);
    if (!grant || grant.clientId !== clientId || (accountId !== undefined && grant.accountId !== accountId))
      return false;
    if (!(await standing.isKnownToStand(grant.accountId))) return false;
    return sessionUid === undefined || tokens.isBound(sessionUid, { accountId: grant.accountId, clientId, grantId });
  };

  const opaque = async (caller: Caller, value: string): Promise<Answer> => {
    const token = await tokens.find(value);
    if (!token || token.exp! * 1000 <= clock.now().getTime()) return dead;
    const { clientId, accountId, grantId, expiresWithSession } = token as StoredToken & { clientId: string };
    if (!(await mayAsk(caller, { clientId, aud: token.aud as string | string[] }))) return dead;
    const sessionUid = expiresWithSession ? token.sessionUid : undefined;
    if (!(await stands({ clientId, accountId, grantId, sessionUid }))) return dead;
    if (!accountId) return { active: true, ...said(token, issuer) };
    const told = await facts(accountId, { scope: token.scope as string | undefined, org_id: organisationOf(token) });
    if (!told) return dead;
    return { active: true, sub: await subject(accountId, clientId), ...said(token, issuer), ...told };
  };

  const jwt = async (caller: Caller, value: string): Promise<Answer> => {
    await tokens.catchUp();
    const claims = await jwts.read(value);
    if (!claims || !(await mayAsk(caller, { clientId: claims.client_id, aud: claims.aud }))) return dead;
    const { [grantClaim]: grantId, [sessionClaim]: sessionUid, ...answer } = claims as AccessTokenClaims & TokenOrigin;
    if (await tokens.isJwtRevoked(claims.jti)) return dead;
    if (grantId === undefined && claims.sub !== claims.client_id) return dead;
    if (!(await stands({ clientId: claims.client_id, grantId, sessionUid }))) return dead;
    const accountId = grantId ? (await tokens.grant(grantId))?.accountId : undefined;
    const told = accountId ? await facts(accountId, claims as { scope?: string; org_id?: string }) : {};
    if (!told) return dead;
    return { active: true, ...answer, ...told, token_type: claims.cnf?.jkt ? 'DPoP' : 'Bearer' };
  };

  return async function answer(caller: Caller, token: string): Promise<Answer> {
    const isJwt = looksLikeJwt(token);
    const given = await (isJwt ? jwt : opaque)(caller, token);
    answered?.(isJwt ? 'jwt' : 'opaque', given.active);
    return given;
  };
}

interface TokenOrigin {
  [grantClaim]?: string;
  [sessionClaim]?: string;
}

/** The organisation that an opaque token is for; a refresh token has it with the request it came from. */
function organisationOf({ extra, claims }: StoredToken & Record<string, unknown>): string | undefined {
  const asked = (claims as { id_token?: { org_id?: { value?: string } } } | undefined)?.id_token?.org_id?.value;
  return (extra as { org_id?: string } | undefined)?.org_id ?? asked;
}

/** What the engine says of an opaque token, in its words; `undefined` is left out of the answer. */
function said(token: StoredToken, issuer: string): Record<string, unknown> {
  const { extra, clientId, exp, iat, sid, aud, rar, scope, jkt, kind } = token as StoredToken & Record<string, unknown>;
  const x5t = token['x5t#S256'] as string | undefined;
  return {
    ...(extra as object | undefined),
    client_id: clientId,
    exp,
    iat,
    sid,
    iss: issuer,
    aud,
    authorization_details: rar,
    scope: scope || undefined,
    cnf: x5t || jkt ? { ...(x5t && { 'x5t#S256': x5t }), ...(jkt ? { jkt } : {}) } : undefined,
    token_type: kind === 'RefreshToken' ? undefined : jkt ? 'DPoP' : 'Bearer',
  };
}
