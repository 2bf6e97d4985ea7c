import { type Cardea, type CardeaOptions, startCardea } from '../support/cardea.ts';
import { ADA, bootstrap, clients, GRACE } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// A server with the callers that the API knows: services by what they may do, an administrator, and people.

export const ADMIN = { email: 'admin@example.com', password: 'seven quiet otters read maps' };

const service = (id: string, scope: string) => ({ ...clients.service, client_id: id, scope });
const own = 'account.read account.write';
const directory = 'directory.read directory.write';
const reader = service('api-reader', 'users.read directory.read');
const writer = service('api-writer', `users.read users.write ${directory}`);
const other = service('api-other', 'users.read users.write');
const scimOnly = service('api-scim', 'scim.read');
const console_ = {
  ...clients.web,
  client_id: 'console',
  scope: `openid groups ${own} users.read users.write ${directory} organisations.manage`,
};

export interface Answer<Body = Record<string, never>> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface CallOptions {
  token?: string;
  headers?: Record<string, string>;
  /** Sent as JSON; text is sent as it is. */
  body?: unknown;
}

export async function apiStage(options: CardeaOptions = {}) {
  const cardea = await startCardea({
    ...options,
    bootstrap: {
      ...bootstrap,
      clients: [...bootstrap.clients, reader, writer, other, scimOnly, console_],
      administrators: [ADMIN],
    },
    settings: { demo: { enabled: false }, mfa: { administrators: 'offered' }, ...options.settings },
  });
  const api = `${cardea.issuer}/api`;

  const given = async (client: typeof reader) =>
    String((await tokenClient(cardea.issuer, client).credentials()).body.access_token);
  const signedIn = async (email: string, scope: string, totp?: string) =>
    (
      await tokenClient(cardea.issuer, console_).signIn({
        email,
        ...(email === ADMIN.email && { password: ADMIN.password }),
        ...(totp && { totp }),
        parameters: { scope: `openid ${scope}`, resource: api },
        tokenParameters: { resource: api },
      })
    ).access_token;

  const tokens = {
    reader: await given(reader),
    writer: await given(writer),
    other: await given(other),
    scim: await given(scimOnly),
    admin: await signedIn(ADMIN.email, `users.read users.write ${directory}`),
    ada: await signedIn(ADA.email, `${own} users.read users.write ${directory}`),
    grace: await signedIn(GRACE.email, own),
  };

  // biome-ignore lint/suspicious/noExplicitAny: what a test reads it knows
  async function call<Body = any>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> {
    const { token = tokens.writer, headers = {}, body } = options;
    const response = await fetch(path.startsWith('http') ? path : api + path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text && /[/+]json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text) as Body,
    };
  }

  const idOf = async (email: string): Promise<string> =>
    (await cardea.sql<{ id: string }>('select id from user_account where email_key = $1', [email]))[0]!.id;

  return {
    cardea,
    api,
    tokens,
    call,
    idOf,
    ids: { ada: await idOf(ADA.email), grace: await idOf(GRACE.email), admin: await idOf(ADMIN.email) },
    /** A token of theirs. @param totp the secret of their app, for a sign-in with two factors */
    signedIn,
    async stop() {
      const logs = cardea.logs();
      await cardea.stop();
      const faults = logs.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line));
      if (faults.length > 0) throw new Error(`the server had faults:\n${faults.join('\n')}`);
    },
  };
}

export type ApiStage = Awaited<ReturnType<typeof apiStage>>;
export type { Cardea };
