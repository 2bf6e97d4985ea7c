import type { Cardea } from './cardea.ts';
import { clients } from './seeds.ts';
import { tokenClient } from './token-client.ts';

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const CARDEA = 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
export const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
export const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

// biome-ignore lint/suspicious/noExplicitAny: a test looks at what it expects to find
type Body = any;

export interface ScimAnswer {
  status: number;
  body: Body;
  headers: Headers;
}

/** A service that provisions, by its own token. */
export const provisioner = (id: string, more: object = {}) => ({
  ...clients.service,
  client_id: id,
  scope: 'scim.read scim.write',
  ...more,
});

/** Speaks SCIM as a directory does. */
export async function scimClient(
  cardea: Pick<Cardea, 'issuer'>,
  client: { client_id: string; client_secret?: string },
) {
  const answer = await tokenClient(cardea.issuer, client).credentials();
  const token = String(answer.body.access_token);
  return scimWith(cardea, token);
}

export function scimWith(cardea: Pick<Cardea, 'issuer'>, token: string) {
  const base = `${cardea.issuer}/scim/v2`;
  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ScimAnswer> {
    const response = await fetch(path.startsWith('http') ? path : base + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/scim+json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
  }
  const filtered = (filter: string, more: Record<string, string> = {}) =>
    `?${new URLSearchParams({ filter, ...more })}`;
  return {
    base,
    send,
    get: (path: string, headers?: Record<string, string>) => send('GET', path, undefined, headers),
    post: (path: string, body: unknown, headers?: Record<string, string>) => send('POST', path, body, headers),
    put: (path: string, body: unknown, headers?: Record<string, string>) => send('PUT', path, body, headers),
    remove: (path: string, headers?: Record<string, string>) => send('DELETE', path, undefined, headers),
    patch: (path: string, operations: unknown[], headers?: Record<string, string>) =>
      send('PATCH', path, { schemas: [PATCH], Operations: operations }, headers),
    bulk: (operations: unknown[], more: object = {}) =>
      send('POST', '/Bulk', { schemas: [BULK], Operations: operations, ...more }),
    /** User names of those who meet the filter, in order. */
    async users(filter: string, more?: Record<string, string>): Promise<string[] | string> {
      const { status, body } = await send('GET', `/Users${filtered(filter, more)}`);
      return status === 200 ? body.Resources.map((each: Body) => each.userName) : body.scimType;
    },
    async user(userName: string, more: object = {}): Promise<Body> {
      const made = await send('POST', '/Users', { schemas: [USER], userName, ...more });
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      return made.body;
    },
    async group(displayName: string, members: string[] = [], more: object = {}): Promise<Body> {
      const body = { schemas: [GROUP], displayName, members: members.map((value) => ({ value })), ...more };
      const made = await send('POST', '/Groups', body);
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      return made.body;
    },
  };
}

export type ScimClient = ReturnType<typeof scimWith>;
