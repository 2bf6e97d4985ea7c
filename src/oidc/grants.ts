import type { Grant, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { randomToken } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { ConsentRecord, Consents } from '../users/index.ts';

/** What the request at hand asks for, by the engine's reading of it. */
interface Requested {
  scopes: string[];
  claims: string[];
  resourceScopes: Record<string, string[]>;
}

export function requested(ctx: KoaContextWithOIDC): Requested {
  const { oidc } = ctx;
  const asked = [...oidc.requestParamScopes];
  return {
    scopes: [...oidc.requestParamOIDCScopes],
    claims: [...oidc.requestParamClaims],
    resourceScopes: Object.fromEntries(
      Object.entries(oidc.resourceServers ?? {}).map(([identifier, server]) => [
        identifier,
        asked.filter((scope) => server.scopes.has(scope)),
      ]),
    ),
  };
}

/** Adds to the grant what is both asked for and allowed. @returns whether that was anything new */
function allow(grant: Grant, { scopes, claims, resourceScopes }: Requested): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  if (scopes.length > 0) grant.addOIDCScope(scopes.join(' '));
  if (claims.length > 0) grant.addOIDCClaims(claims);
  for (const [resource, names] of Object.entries(resourceScopes)) {
    if (names.length > 0) grant.addResourceScope(resource, names.join(' '));
  }
  return JSON.stringify([grant.openid, grant.resources]) !== before;
}

const overlap = (asked: Requested, record: ConsentRecord): Requested => ({
  scopes: asked.scopes.filter((scope) => record.scopes.includes(scope)),
  claims: asked.claims.filter((claim) => record.claims.includes(claim)),
  resourceScopes: Object.fromEntries(
    Object.entries(asked.resourceScopes).map(([resource, names]) => [
      resource,
      names.filter((name) => record.resourceScopes[resource]?.includes(name)),
    ]),
  ),
});

/** Hears which session a sign-in through a provider has become. */
export type CameBy = (sessionUid: string, came: { identityId: string }) => Promise<void>;

/**
 * The grant this request stands on. The organisation's own applications are given what they ask for; others what the
 * person allowed before, in whichever session that was. The rest is asked at the consent prompt, which stays in place
 * so that `prompt=consent` still works for all.
 */
export function createLoadExistingGrant(
  consents: Consents,
  sessions: Pick<Sessions, 'authorize' | 'endGrant'>,
  cameBy?: CameBy,
) {
  const load = async (ctx: KoaContextWithOIDC): Promise<Grant | undefined> => {
    const { client, session, account, result, provider } = ctx.oidc;
    const grantId = result?.consent?.grantId ?? session!.grantIdFor(client!.clientId);
    const existing = await findGrant(provider, grantId, account!.accountId, client!.clientId);

    const record = client!.first_party ? undefined : await consents.of(account!.accountId, client!.clientId);
    const asked = requested(ctx);
    const allowed = client!.first_party ? asked : record && overlap(asked, record);
    if (!allowed) return existing;

    const grant = existing ?? newGrant(provider, account!.accountId, client!.clientId);
    if (allow(grant, allowed) || !existing) await grant.save();
    return grant;
  };

  return async (ctx: KoaContextWithOIDC): Promise<Grant | undefined> => {
    // The first place after a sign-in that knows its session, and may wait.
    const came = (ctx.oidc.result as { federation?: { identityId: string } } | undefined)?.federation;
    if (came) await cameBy?.(ctx.oidc.session!.uid, came);
    const grant = await load(ctx);
    const { client, session, provider } = ctx.oidc;
    if (!grant || session!.grantIdFor(client!.clientId) === grant.jti) return grant;
    // New to this session. Another tab of the application may have been first: what hangs on a session hangs on the one
    // grant it has for the application, so this request adds to that one.
    const sid = session!.sidFor(client!.clientId) ?? randomToken();
    const part = await sessions.authorize(session!.uid, client!.clientId, { sid, grantId: grant.jti });
    if (!part?.grantId) return grant;
    session!.sidFor(client!.clientId, part.sid ?? sid);
    if (part.persistsLogout) session!.authorizationFor(client!.clientId).persistsLogout = true;
    if (part.grantId === grant.jti) return grant;
    const first = await provider.Grant.find(part.grantId);
    if (!first) return grant;
    addAll(first, grant);
    await first.save();
    await sessions.endGrant(grant.jti, 'merged');
    return first;
  };
}

function addAll(grant: Grant, { openid, resources, rar }: Grant): void {
  if (openid?.scope) grant.addOIDCScope(openid.scope);
  if (openid?.claims) grant.addOIDCClaims(openid.claims);
  for (const [resource, scope] of Object.entries(resources ?? {})) grant.addResourceScope(resource, scope);
  for (const detail of rar ?? []) grant.addRar(detail);
}

/** A browser changes hands, with what an interaction of it remembers: somebody else's grant is none here. */
async function findGrant(
  provider: Provider,
  id: string | undefined,
  accountId: string,
  clientId: string,
): Promise<Grant | undefined> {
  const grant = id ? await provider.Grant.find(id) : undefined;
  return grant?.accountId === accountId && grant.clientId === clientId ? grant : undefined;
}

const newGrant = (provider: Provider, accountId: string, clientId: string): Grant =>
  new provider.Grant({ accountId, clientId });

/** What the consent prompt found missing, as the engine reports it. */
export interface Missing {
  missingOIDCScope?: string[];
  missingOIDCClaims?: string[];
  missingResourceScopes?: Record<string, string[]>;
}

/**
 * Records the person's consent and puts it into the grant.
 * @returns the grant's id, for the engine to resume with
 */
export async function grantMissing(
  provider: Provider,
  options: { consents: Consents; accountId: string; clientId: string; grantId: string | undefined; missing: Missing },
): Promise<string> {
  const { consents, accountId, clientId, grantId, missing } = options;
  const allowed: Requested = {
    scopes: missing.missingOIDCScope ?? [],
    claims: missing.missingOIDCClaims ?? [],
    resourceScopes: missing.missingResourceScopes ?? {},
  };
  const existing = await findGrant(provider, grantId, accountId, clientId);
  const grant = existing ?? newGrant(provider, accountId, clientId);
  allow(grant, allowed);
  await consents.give(accountId, clientId, allowed);
  return grant.save();
}
