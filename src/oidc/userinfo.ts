import type { IncomingMessage } from 'node:http';
import type { Clients } from '../clients/index.ts';
import type { ShortWay } from '../front/index.ts';
import type { Clock } from '../platform/index.ts';
import type { GrantFacts, Sessions, StoredToken } from '../sessions/index.ts';
import { type Field, type Fields, factScopes, type Portrait, type Standing } from '../users/index.ts';
import { claimsFor, claimsWith } from './claims.ts';
import { organisationIn } from './organisations.ts';

export interface UserinfoPorts {
  /** Of the endpoint. */
  path: string;
  sessions: Pick<Sessions, 'tokens'>;
  clients: Clients;
  standing: Standing;
  fields: Pick<Fields, 'list'>;
  portraits: (id: string) => Promise<Portrait | undefined>;
  /** The name by which an application knows the account. */
  subject: (accountId: string, clientId: string) => Promise<string>;
  clock: Clock;
}

/** What decides about the answer, besides who the person is. */
interface AccessToken extends StoredToken {
  clientId: string;
  accountId: string;
  grantId: string;
  scope: string;
}

const bearer = /^Bearer ([\w-]+)$/i;

/**
 * Userinfo (OpenID Connect Core 1.0, section 5.3) without the engine, for the common kind: an opaque token of a bearer, with
 * scopes that stand for claims of the person alone, answered as JSON. A token that is dead, bound to a key, for an API, or
 * came with claims asked for by name goes the long way, and so does everything that is to be refused.
 */
export function answerUserinfoShortly(ports: UserinfoPorts): ShortWay {
  const { path, sessions, clients, standing, fields, portraits, subject, clock } = ports;
  const { tokens } = sessions;
  const namesBy = createNames();

  /** The application, the grant, the session and the person: end one, and the token is dead. */
  const grantBehind = async ({ clientId, accountId, grantId, expiresWithSession, sessionUid }: AccessToken) => {
    const grant = await tokens.grant(grantId);
    if (grant?.clientId !== clientId || grant.accountId !== accountId) return undefined;
    if (!(await standing.isKnownToStand(accountId))) return undefined;
    if (expiresWithSession && !(await tokens.isBound(sessionUid!, { accountId, clientId, grantId }))) return undefined;
    return grant;
  };

  return {
    method: 'GET',
    path,
    takes: ({ headers }) => bearer.test(headers.authorization ?? '') && Number(headers['content-length'] ?? 0) === 0,
    async answer(request: IncomingMessage) {
      const value = bearer.exec(request.headers.authorization!)![1]!;
      const token = await tokens.findAccessToken(value);
      if (!token || token.exp! * 1000 <= clock.now().getTime() || !isOfPerson(token)) return undefined;
      const client = (await clients.find(token.clientId))?.metadata;
      if (!client || client.userinfo_signed_response_alg || client.userinfo_encrypted_response_alg) return undefined;
      const grant = await grantBehind(token);
      const scopes = grant && scopesLeft(token, grant);
      if (!scopes || scopes.some((scope) => factScopes.includes(scope as never))) return undefined;
      const known = await fields.list();
      const [portrait, sub] = await Promise.all([portraits(token.accountId), subject(token.accountId, token.clientId)]);
      if (!portrait) return undefined;
      const claims = { ...claimsFor(portrait, client, known), sub };
      const names = scopes.flatMap((scope) => namesBy(known)[scope] ?? []);
      return Object.fromEntries(names.map((name) => [name, claims[name as 'sub']]));
    },
  };
}

/** Whether it is a bearer's, for userinfo, and nothing was asked for but by scope. */
function isOfPerson(token: StoredToken & Record<string, unknown>): token is AccessToken {
  const { accountId, grantId, scope, aud, claims, jkt } = token;
  const { userinfo: byName } = (claims ?? {}) as { userinfo?: object };
  return (
    typeof accountId === 'string' &&
    typeof grantId === 'string' &&
    typeof scope === 'string' &&
    scope.split(' ').includes('openid') &&
    ![aud, byName, jkt, token['x5t#S256'], organisationIn(token as never)].some((value) => value !== undefined)
  );
}

/** Of the token's scopes those that the grant still has; undefined where the person has refused some. */
function scopesLeft({ scope }: AccessToken, { document }: GrantFacts): string[] | undefined {
  const { openid, rejected } = JSON.parse(document) as { openid?: { scope?: string }; rejected?: object };
  if (rejected && Object.keys(rejected).length > 0) return undefined;
  const granted = openid?.scope?.split(' ') ?? [];
  return granted.filter((name) => scope.split(' ').includes(name));
}

/** Which claims a scope stands for, as of the custom fields that there are. */
function createNames() {
  let of: readonly Field[] | undefined;
  let names: Record<string, string[] | null> = {};
  return (fields: readonly Field[]) => {
    if (fields !== of) names = claimsWith(fields);
    of = fields;
    return names;
  };
}
