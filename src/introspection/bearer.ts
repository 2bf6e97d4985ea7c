import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import { type ClientMetadata, type Clients, scopesNamedBy } from '../clients/index.ts';
import { satisfies } from '../credentials/index.ts';
import type { Keys } from '../keys/index.ts';
import { type Clock, Refusal } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Standing } from '../users/index.ts';
import { createJwtReader, looksLikeJwt } from './jwt.ts';
import { originOf } from './origin.ts';
import { isPersonal, type OwnScope, ownApiIdentifier } from './own-api.ts';
import { createProofCheck, proofAlgorithms } from './proof-of-possession.ts';
import { createStandingBehind, type TokenOrigin } from './standing-behind.ts';

/** Who calls one of our own APIs. */
export interface Caller {
  clientId: string;
  client: ClientMetadata;
  /** The person behind the token; absent when the client calls for itself. */
  accountId?: string;
  /** What the token is good for at this moment, which may be less than what is written in it. */
  scopes: ReadonlySet<OwnScope>;
  jti: string;
  grantId?: string;
  /** How and when the person proved who they are. */
  acr?: string;
  amr?: readonly string[];
  authTime?: Date;
}

export interface Wanted {
  /** All of them. */
  scopes: readonly OwnScope[];
  /** Or else any one of these. */
  or?: readonly OwnScope[];
  /** Or else an access token for userinfo with this scope: what a claim is when it says where to ask for the rest. */
  orClaim?: string;
  /** The person must have proved themselves so (RFC 9470). Who has no person behind the token is not asked. */
  acr?: string;
  /** The person must have proved themselves within so many seconds (RFC 9470). */
  maxAge?: number;
}

/**
 * Lets a request into one of our own APIs by its access token (RFC 6750, RFC 9449, RFC 8705). On a refusal the answer's
 * `WWW-Authenticate` is set and must be left on it.
 * @throws Refusal `token.missing`, `token.invalid`, `token.insufficient_authentication` (unauthenticated),
 *   `token.insufficient_scope` (forbidden), `token.malformed` (invalid)
 */
export type Bearer = (ctx: Context, wanted: Wanted) => Promise<Caller>;

export interface BearerPorts {
  issuer: string;
  provider(): Provider;
  keys: Keys;
  clients: Clients;
  sessions: Sessions;
  standing: Standing;
  clock: Clock;
  certificateOf(ctx: Context): { thumbprint: string } | undefined;
}

/** A token as it was written, whatever its format. */
interface Written extends TokenOrigin {
  jti: string;
  scope: string;
  audience: readonly string[];
  cnf: { jkt?: string; 'x5t#S256'?: string };
  proved: { acr?: string; amr?: string[]; auth_time?: number };
}

export function createBearer(ports: BearerPorts): Bearer {
  const { issuer, provider, clients, sessions, standing, clock, certificateOf } = ports;
  const jwts = createJwtReader(ports);
  const behind = createStandingBehind(ports);
  const thumbprintOfProof = createProofCheck(ports);
  const audience = ownApiIdentifier(issuer);

  const readJwt = async (token: string): Promise<Written | undefined> => {
    const claims = await jwts.read(token);
    if (!claims || (await sessions.isJwtRevoked(claims.jti))) return undefined;
    const { scope = '', cnf = {}, jti } = claims;
    return {
      ...originOf(claims),
      jti,
      scope,
      cnf,
      audience: [claims.aud ?? []].flat(),
      proved: claims as Written['proved'],
    };
  };

  const readOpaque = async (token: string): Promise<Written | undefined> => {
    const { AccessToken, ClientCredentials } = provider();
    const found = ((await AccessToken.find(token)) ?? (await ClientCredentials.find(token))) as
      | (InstanceType<Provider['AccessToken']> & Written['cnf'] & { extra?: Written['proved'] })
      | undefined;
    if (!found) return undefined;
    return {
      clientId: found.clientId!,
      subject: found.accountId ?? found.clientId!,
      grantId: found.grantId,
      jti: found.jti,
      scope: found.scope ?? '',
      audience: [found.aud ?? []].flat(),
      cnf: { ...(found.jkt && { jkt: found.jkt }), ...(found['x5t#S256'] && { 'x5t#S256': found['x5t#S256'] }) },
      proved: found.extra ?? {},
    };
  };

  /** A token bound to a key is good only in the hands of who proves to hold it; and a proof only with such a token. */
  const isHeldRightly = async (ctx: Context, scheme: string, token: string, { cnf }: Written): Promise<boolean> => {
    if (cnf['x5t#S256'] && certificateOf(ctx)?.thumbprint !== cnf['x5t#S256']) return false;
    if (!cnf.jkt) return scheme === 'bearer';
    if (scheme !== 'dpop') return false;
    const request = { method: ctx.method, url: new URL(issuer).origin + ctx.path, token };
    return (await thumbprintOfProof(ctx.get('dpop'), request)) === cnf.jkt;
  };

  /** Withdrawn from the client means withdrawn from its tokens; and people reach others' accounts only as administrators. */
  const scopesNow = async (written: Written, client: ClientMetadata, accountId: string | undefined) => {
    const named = scopesNamedBy(client);
    const held = written.scope.split(' ').filter((scope) => named.includes(scope)) as OwnScope[];
    const personal = accountId === undefined ? [] : held.filter(isPersonal);
    const reaching = held.filter((scope) => !isPersonal(scope));
    const mayReach = reaching.length > 0 && (accountId === undefined || (await standing.administers(accountId)));
    return new Set([...personal, ...(mayReach ? reaching : [])]);
  };

  return async (ctx, wanted) => {
    ctx.set('cache-control', 'no-store');
    const presented = /^(bearer|dpop) +([\w\-.~+/]+=*) *$/i.exec(ctx.get('authorization'));
    if (!presented) {
      const isOther = ctx.get('authorization') === '';
      challenge(ctx, issuer, isOther ? {} : { error: 'invalid_request' }, ['Bearer', 'DPoP']);
      throw isOther
        ? new Refusal('token.missing', { kind: 'unauthenticated' })
        : new Refusal('token.malformed', { kind: 'invalid' });
    }
    const scheme = presented[1]!.toLowerCase();
    const token = presented[2]!;
    const schemes = [scheme === 'dpop' ? 'DPoP' : 'Bearer'];
    const refuse = (error: string, refusal: Refusal, more: Record<string, string> = {}): never => {
      challenge(ctx, issuer, { error, ...more }, schemes);
      throw refusal;
    };
    const invalid = () => refuse('invalid_token', new Refusal('token.invalid', { kind: 'unauthenticated' }));

    const written = looksLikeJwt(token) ? await readJwt(token) : await readOpaque(token);
    if (!written) return invalid();
    const { orClaim } = wanted;
    const isForClaims = orClaim !== undefined && written.audience.length === 0 && hasScope(written, orClaim);
    if (!isForClaims && !written.audience.includes(audience)) return invalid();
    if (!(await isHeldRightly(ctx, scheme, token, written))) return invalid();
    const stands = await behind(provider(), written);
    const record = await clients.find(written.clientId);
    if (!stands || !record) return invalid();
    const { accountId } = stands;

    const scopes = await scopesNow(written, record.metadata, accountId);
    const isEnough =
      (isForClaims && accountId !== undefined) ||
      wanted.scopes.every((scope) => scopes.has(scope)) ||
      wanted.or?.some((scope) => scopes.has(scope));
    if (!isEnough) {
      const refusal = new Refusal('token.insufficient_scope', {
        kind: 'forbidden',
        details: { scopes: wanted.scopes },
      });
      return refuse('insufficient_scope', refusal, { scope: wanted.scopes.join(' ') });
    }

    const { acr, amr, auth_time } = written.proved;
    const authTime = auth_time === undefined ? undefined : new Date(auth_time * 1000);
    if (accountId !== undefined && !isProvedEnough({ acr, authTime }, wanted, clock.now())) {
      const refusal = new Refusal('token.insufficient_authentication', { kind: 'unauthenticated' });
      return refuse('insufficient_user_authentication', refusal, {
        ...(wanted.acr && { acr_values: wanted.acr }),
        ...(wanted.maxAge !== undefined && { max_age: String(wanted.maxAge) }),
      });
    }

    return {
      clientId: written.clientId,
      client: record.metadata,
      scopes,
      jti: written.jti,
      ...(accountId !== undefined && { accountId }),
      ...(written.grantId !== undefined && { grantId: written.grantId }),
      ...(acr !== undefined && { acr }),
      ...(amr !== undefined && { amr }),
      ...(authTime !== undefined && { authTime }),
    };
  };
}

const hasScope = ({ scope }: Written, name: string): boolean => scope.split(' ').includes(name);

function isProvedEnough(
  proved: { acr: string | undefined; authTime: Date | undefined },
  wanted: Wanted,
  now: Date,
): boolean {
  if (wanted.acr !== undefined && !satisfies(proved.acr, [wanted.acr])) return false;
  if (wanted.maxAge === undefined) return true;
  return proved.authTime !== undefined && now.getTime() - proved.authTime.getTime() <= wanted.maxAge * 1000;
}

/** RFC 6750, section 3; RFC 9449, section 7.1. The values are ours, so that nothing in them needs a backslash. */
function challenge(ctx: Context, realm: string, fields: Record<string, string>, schemes: readonly string[]): void {
  for (const scheme of schemes) {
    const all = { realm, ...fields, ...(scheme === 'DPoP' && { algs: proofAlgorithms.join(' ') }) };
    const written = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
    ctx.append('www-authenticate', `${scheme} ${written.join(', ')}`);
  }
}
