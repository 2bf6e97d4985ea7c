import type { Db } from '../platform/db/index.ts';
import { type Bus, type CacheReads, type Clock, Refusal, remembered, type Stops } from '../platform/index.ts';

/** An API that accepts our access tokens, named by its resource indicator (RFC 8707). */
export interface ResourceServer {
  /** An absolute URI without fragment; the audience of its tokens. */
  identifier: string;
  name: string;
  /** Each scope and what it means, in words for the consent page. */
  scopes: Record<string, string>;
  tokenFormat: 'opaque' | 'jwt';
  /** Seconds its access tokens live; the installation's default otherwise. */
  tokenTtl?: number | undefined;
  /** JWS algorithm of its JWT access tokens. */
  signingAlg?: string | undefined;
  /** Clients that are this resource server: they may introspect the tokens meant for it. */
  clientIds: string[];
  /** Its scopes are given to no client but those whose metadata (`scope`) names them. */
  scopesByName?: true;
}

export interface ResourceServers {
  find(identifier: string): Promise<ResourceServer | undefined>;
  list(): Promise<ResourceServer[]>;
  /** Adds it, or replaces what is there. @returns whether anything changed. @throws Refusal `resource_server.reserved` */
  put(server: ResourceServer): Promise<boolean>;
  remove(identifier: string): Promise<void>;
  /** Whether the client is the resource server that one of these audiences names. */
  speaksFor(clientId: string, audiences: readonly string[]): Promise<boolean>;
  /** How often {@link find} was answered from memory. */
  cacheReads(): CacheReads;
}

interface Row {
  identifier: string;
  name: string;
  scopes: Record<string, string>;
  token_format: 'opaque' | 'jwt';
  token_ttl: number | null;
  signing_alg: string | null;
  client_ids: string[];
}

const fromRow = (row: Row): ResourceServer => ({
  identifier: row.identifier,
  name: row.name,
  scopes: row.scopes,
  tokenFormat: row.token_format,
  tokenTtl: row.token_ttl ?? undefined,
  signingAlg: row.signing_alg ?? undefined,
  clientIds: row.client_ids,
});

const columns = 'identifier, name, scopes, token_format, token_ttl, signing_alg, client_ids';

/** @param options.own APIs that are parts of this house: they stand in no table, no list, and cannot be changed */
export function createResourceServers(options: {
  db: Db;
  bus: Bus;
  clock: Clock;
  own?: readonly ResourceServer[];
  stops?: Stops;
}): ResourceServers {
  const { db, bus, clock, own = [], stops } = options;
  const ownOf = (identifier: string) => own.find((server) => server.identifier === identifier);
  const cache = remembered<ResourceServer>({
    stops,
    bus,
    topic: 'resource-server',
    load: async (identifier) => {
      const [row] = await db.query<Row>(`select ${columns} from resource_server where identifier = $1`, [identifier]);
      return row && fromRow(row);
    },
    maxAge: 30_000,
    most: 10_000,
  });

  return {
    find: async (identifier) => ownOf(identifier) ?? cache.get(identifier),
    cacheReads: cache.reads,
    list: async () => (await db.query<Row>(`select ${columns} from resource_server order by identifier`)).map(fromRow),
    put: (server) =>
      db.transact(async () => {
        if (ownOf(server.identifier)) throw new Refusal('resource_server.reserved', { kind: 'conflict' });
        const changed = await db.query(
          `insert into resource_server as r (${columns}, created_at, updated_at) values ($1,$2,$3,$4,$5,$6,$7,$8,$8)
           on conflict (identifier) do update set name = excluded.name, scopes = excluded.scopes,
             token_format = excluded.token_format, token_ttl = excluded.token_ttl, signing_alg = excluded.signing_alg,
             client_ids = excluded.client_ids, updated_at = excluded.updated_at
           where (r.name, r.scopes, r.token_format, r.token_ttl, r.signing_alg, r.client_ids)
             is distinct from (excluded.name, excluded.scopes, excluded.token_format, excluded.token_ttl,
               excluded.signing_alg, excluded.client_ids)
           returning 1`,
          [
            server.identifier,
            server.name,
            JSON.stringify(server.scopes),
            server.tokenFormat,
            server.tokenTtl ?? null,
            server.signingAlg ?? null,
            server.clientIds,
            clock.now(),
          ],
        );
        if (changed.length > 0) await cache.forget(server.identifier);
        return changed.length > 0;
      }),
    async remove(identifier) {
      await db.transact(async () => {
        await db.query('delete from resource_server where identifier = $1', [identifier]);
        await cache.forget(identifier);
      });
    },
    async speaksFor(clientId, audiences) {
      const servers = await Promise.all(audiences.map((audience) => cache.get(audience)));
      return servers.some((server) => server?.clientIds.includes(clientId) ?? false);
    },
  };
}
