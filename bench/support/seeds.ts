/** What every target of the benchmarks knows: the same people, clients and resource servers, under the same issuer. */
export const issuer = 'https://id.bench.test';
export const callback = 'https://app.bench.test/callback';
export const password = 'nine patient herons count stones';

export const people = Array.from({ length: 64 }, (_, index) => ({
  email: `person.${index}@bench.test`,
  name: `Person ${index}`,
  password,
}));

const client = (client_id: string, more: object) => ({
  client_id,
  client_secret: `the secret of ${client_id}, which is long enough`,
  first_party: true,
  ...more,
});

export const clients = {
  web: client('web', { redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'] }),
  service: client('service', {
    ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    scope: 'read',
  }),
  api: client('api', { grant_types: [], redirect_uris: [], response_types: [] }),
};

export const resources = {
  jwt: 'https://orders.bench.test/api',
  opaque: 'https://stock.bench.test/api',
} as const;
export type Format = keyof typeof resources;

/** What CARDEA_BOOTSTRAP says. */
export const bootstrap = {
  clients: Object.values(clients),
  resource_servers: Object.entries(resources).map(([format, identifier]) => ({
    identifier,
    name: identifier,
    scopes: { read: 'Read' },
    token_format: format,
    introspection_clients: ['api'],
  })),
  users: people.map((person) => ({ ...person, state: 'Active', email_verified: true })),
};

/** As a proxy that ended TLS hands a request on. */
export const forwarded = { host: new URL(issuer).host, 'x-forwarded-proto': 'https' };

export const basic = ({ client_id, client_secret }: { client_id: string; client_secret: string }) =>
  `Basic ${btoa(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`)}`;
