import type { Context } from 'koa';
import { type ClientMetadata, type Clients, scopesNamedBy } from '../clients/index.ts';
import { Refusal } from '../platform/index.ts';
import type { ScimCaller, ScimScope } from './ports.ts';

/** `client_id:client_secret`; a secret may hold a colon, the id of who comes this way may not. */
function credentialsIn(authorization: string): { id: string; secret: string } | undefined {
  const token = /^bearer +([\w\-+/]{20,2000}=*) *$/i.exec(authorization)?.[1];
  const [, id, secret] = /^([^:]+):(.+)$/s.exec(token ? Buffer.from(token, 'base64').toString('utf8') : '') ?? [];
  return id && secret ? { id, secret } : undefined;
}

const maySo = (client: ClientMetadata): boolean =>
  client.provisioning_by_secret === true && (client.grant_types ?? []).includes('client_credentials');

/**
 * Senders that know nothing but one token that stays (OneLogin, JumpCloud, Entra ID's "secret token", Okta's "HTTP header")
 * send their client's secret for it, where the client's metadata allow that. It is as good as the secret: it ends with it,
 * and reaches as far as the client's scopes. Not guessed: a secret is random and has 32 characters or more in production.
 * @throws Refusal `token.insufficient_scope` (forbidden)
 * @returns undefined for whoever comes by any other token, or may not come so: they are asked as everybody is
 */
export function createSecretTokens({ clients }: { clients: Pick<Clients, 'find' | 'hasSecret'> }) {
  return async (ctx: Context, scopes: readonly ScimScope[]): Promise<ScimCaller | undefined> => {
    const sent = credentialsIn(ctx.get('authorization'));
    const client = sent && (await clients.find(sent.id))?.metadata;
    if (!client || !maySo(client) || !(await clients.hasSecret(sent.id, sent.secret))) return undefined;
    const held = scopesNamedBy(client);
    ctx.set('cache-control', 'no-store');
    if (!scopes.some((scope) => held.includes(scope))) {
      ctx.set('www-authenticate', `Bearer error="insufficient_scope", scope="${scopes[0]}"`);
      throw new Refusal('token.insufficient_scope', { kind: 'forbidden', details: { scopes: scopes[0] } });
    }
    return { clientId: sent.id, client };
  };
}
