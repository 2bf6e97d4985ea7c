/**
 * The reference: the plain protocol engine with its own memory store, one process, signing as Cardea does (ES256) and
 * issuing the same formats. Whoever comes is who `login_hint` says, and consent is given. Started as a process of its
 * own: node bench/support/reference.ts <port> [passwords]
 *
 * With `passwords` they are asked for one on a page of one line, and it is looked at as Cardea does. That is all: nothing is
 * counted, noted or told, and who they are is not asked.
 */
import { generateKeyPairSync } from 'node:crypto';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Provider } from 'oidc-provider';
import { createHashing } from '../../src/credentials/passwords/hashing.ts';
import { defaultCost } from '../../src/credentials/passwords/passwords.ts';
import { clients, issuer, password, people, resources } from './seeds.ts';

const [, , port, asks] = process.argv;
const page = asks ? '/password' : '';

// Its own store forgets the oldest of some 1,000 entries, sessions and grants in use among them: this one keeps 100,000.
const engine = dirname(fileURLToPath(import.meta.resolve('oidc-provider')));
const { default: LRU } = await import(join(engine, 'helpers/lru.js'));
const { default: MemoryAdapter } = await import(join(engine, 'adapters/memory_adapter.js'));
const store = new LRU({ maxSize: 100_000 });

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' };

const provider = new Provider(issuer, {
  adapter: (model: string) => new MemoryAdapter(model, store),
  jwks: { keys: [key] as never },
  // It takes `scope` for OpenID scopes alone, and gives a client for itself whatever an API has.
  clients: Object.values<Record<string, unknown>>(clients).map(
    ({ first_party: _, scope: __, ...metadata }) => metadata,
  ) as never,
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: ['for the benchmarks only'] },
  routes: { authorization: '/authorize', token: '/token', introspection: '/introspect', userinfo: '/userinfo' },
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  responseTypes: ['code'],
  interactions: { url: (_ctx, interaction) => `/signin/${interaction.uid}${page}` },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  findAccount: (_ctx, accountId) => {
    const person = people.find(({ email }) => email === accountId);
    return (
      person && {
        accountId,
        claims: () => ({ sub: accountId, email: person.email, email_verified: true, name: person.name }),
      }
    );
  },
  async loadExistingGrant({ oidc }) {
    const { clientId } = oidc.client!;
    const known = oidc.result?.consent?.grantId ?? oidc.session!.grantIdFor(clientId);
    if (known) return oidc.provider.Grant.find(known);
    const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session!.accountId! });
    grant.addOIDCScope('openid email profile offline_access');
    for (const resource of Object.values(resources)) grant.addResourceScope(resource, 'read');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => [],
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'read',
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: resource === resources.jwt ? 'jwt' : 'opaque',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
provider.proxy = true;

const hashing = createHashing();
// One for all of them, who have the same password.
const known = asks && (await hashing.hash(password, defaultCost));
const form = '<form method="post"><input name="password" type="password"><button>Sign in</button></form>';

const answer = provider.callback();
const { createServer } = await import('node:http');
createServer(async (req, res) => {
  if (!req.url!.startsWith('/signin/')) return answer(req, res);
  const { params } = await provider.interactionDetails(req, res);
  if (known) {
    if (req.method === 'GET') return res.setHeader('content-type', 'text/html').end(form);
    const typed = new URLSearchParams(await text(req)).get('password') ?? '';
    if (!(await hashing.verify(known, typed))) return res.writeHead(422).end(form);
  }
  await provider.interactionFinished(req, res, { login: { accountId: String(params.login_hint) } });
}).listen(Number(port), '127.0.0.1');
