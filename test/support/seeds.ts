import { generateKeyPairSync } from 'node:crypto';
import { createClient, type PlainClient } from './client.ts';
import { PASSWORD } from './flows.ts';
import { codeNow } from './totp.ts';

/** Where the clients of the protocol tests are called back; nobody listens there, the plain client stops before. */
export const CALLBACK = 'http://localhost:9/callback';

export const ADA = { email: 'ada@example.com', name: 'Ada Lovelace', password: PASSWORD };
export const GRACE = { email: 'grace@example.com', name: 'Grace Hopper', password: PASSWORD };

const secretOf = (id: string) => `the secret of ${id}, which is long enough`;

/** A confidential client of ours: nobody is asked for consent. */
const client = (id: string, more: Record<string, unknown> = {}) => ({
  client_id: id,
  client_secret: secretOf(id),
  client_name: id,
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code', 'refresh_token'],
  first_party: true,
  ...more,
});

/** The key of the client that signs its requests. */
export const requestKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const jwks = {
  keys: [{ ...requestKey.publicKey.export({ format: 'jwk' }), kid: 'request', alg: 'ES256', use: 'sig' }],
};

export const clients = {
  web: client('web'),
  /** Asks for consent. */
  other: client('other', { first_party: false }),
  spa: (({ client_secret: _, ...rest }) => rest)(client('spa', { token_endpoint_auth_method: 'none' })),
  signer: (({ client_secret: _, ...rest }) => rest)(
    client('signer', {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      require_signed_request_object: true,
      request_object_signing_alg: 'ES256',
      authorization_signed_response_alg: 'ES256',
    }),
  ),
  pushed: client('pushed', { require_pushed_authorization_requests: true }),
  bound: client('bound', { dpop_bound_access_tokens: true }),
  signed: client('signed', { userinfo_signed_response_alg: 'ES256', id_token_signed_response_alg: 'RS256' }),
  pairwise: client('pairwise', { subject_type: 'pairwise' }),
  pairwise2: client('pairwise2', { subject_type: 'pairwise', redirect_uris: ['http://127.0.0.1:9/callback'] }),
  service: client('service', {
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'orders:read orders:write stock:read',
  }),
  /** The orders API itself, to introspect. */
  orders: client('orders-api', { grant_types: [], redirect_uris: [], response_types: [] }),
  stranger: client('stranger-api', { grant_types: [], redirect_uris: [], response_types: [] }),
  device: (({ client_secret: _, ...rest }) => rest)(
    client('device', {
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: [],
      response_types: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    }),
  ),
};

export const ORDERS = 'https://orders.example.com/api';
export const STOCK = 'https://stock.example.com/api';

/** What CARDEA_BOOTSTRAP says for the tests. */
export const bootstrap = {
  clients: Object.values(clients),
  resource_servers: [
    {
      identifier: ORDERS,
      name: 'Orders',
      scopes: { 'orders:read': 'See your orders', 'orders:write': 'Place orders for you' },
      token_format: 'jwt',
      introspection_clients: ['orders-api'],
    },
    {
      identifier: STOCK,
      name: 'Stock',
      scopes: { 'stock:read': 'See the stock' },
      token_format: 'opaque',
      introspection_clients: ['orders-api'],
    },
  ],
  users: [
    { ...ADA, state: 'Active' },
    { ...GRACE, state: 'Active' },
    { email: 'suspended@example.com', name: 'Sus Pended', password: PASSWORD, state: 'Suspended' },
    // One for each way of walking.
    ...[0, 1, 2].map((n) => ({ email: `change.${n}@example.com`, password: PASSWORD, state: 'PasswordResetRequired' })),
  ],
};

/** A plain client that stops where an application would be called back. */
export const createPerson = () => createClient({ outside: /^http:\/\/(localhost|127\.0\.0\.1):9\// });

/** Signs in at the pages, agrees to what is asked, and answers the address that the application is called back with. */
export async function authorize(
  url: URL,
  {
    person = createPerson(),
    email = ADA.email,
    password = PASSWORD,
    totp,
  }: { person?: PlainClient; email?: string; password?: string; totp?: string | undefined } = {},
): Promise<URL> {
  let page = await person.open(url);
  for (let steps = 0; page.status !== 0 && steps < 6; steps++) {
    const step = page.url.pathname.split('/').at(-1);
    if (step === 'identifier') page = await person.submit(page, { identifier: email });
    else if (step === 'password') page = await person.submit(page, { password });
    else if (step === 'totp' && totp) page = await person.submit(page, { code: codeNow(totp) });
    else if (step === 'consent') page = await person.submit(page, {}, { button: 'allow' });
    else throw new Error(`no way on from ${page.status} ${page.url}: ${page.text.slice(0, 300)}`);
  }
  return page.url;
}
