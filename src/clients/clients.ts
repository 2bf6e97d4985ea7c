import type { Actor, Events } from '../events/index.ts';
import { type Db, isDuplicate } from '../platform/db/index.ts';
import {
  type Bus,
  type CacheReads,
  type Clock,
  newId,
  Refusal,
  randomToken,
  remembered,
  type Stops,
  sameBytes,
  sha256,
} from '../platform/index.ts';
import { type ClientMetadata, usesSecret } from './metadata.ts';

export interface ClientRecord {
  metadata: ClientMetadata;
  secrets: { id: string; hash: string; hint: string; createdAt: Date; expiresAt: Date | null }[];
}

export interface By {
  actor: Actor;
  reason?: string | undefined;
}

export interface Clients {
  /** An enabled client; from memory. */
  find(clientId: string): Promise<ClientRecord | undefined>;
  list(): Promise<ClientRecord[]>;
  /**
   * Adds a client; one that proves itself with a secret gets one unless `secret` brings it. The secret is in this
   * answer and nowhere else.
   * @throws Refusal `client.exists` (conflict)
   */
  add(
    metadata: Omit<ClientMetadata, 'client_id'> & { client_id?: string },
    by: By,
    options?: { secret?: string },
  ): Promise<{ clientId: string; secret?: string }>;
  /** Replaces the whole metadata. @throws Refusal `client.unknown` */
  replace(metadata: ClientMetadata, by: By): Promise<void>;
  remove(clientId: string, by: By): Promise<void>;
  /** Adds one more valid secret. @param options.othersEndAt when the present ones stop being accepted */
  addSecret(clientId: string, by: By, options?: { secret?: string; othersEndAt?: Date }): Promise<string>;
  /** Whether the client has this secret now, compared in constant time. */
  hasSecret(clientId: string, secret: string): Promise<boolean>;
  /** How often {@link find} was answered from memory. */
  cacheReads(): CacheReads;
}

/** @param options.own applications that are parts of this house: they stand in no table, no list, and cannot be changed */
export function createClients(options: {
  db: Db;
  bus: Bus;
  clock: Clock;
  events: Pick<Events, 'record'>;
  own?: readonly ClientMetadata[];
  stops?: Stops;
}): Clients {
  const { db, bus, clock, events, own = [], stops } = options;
  const isOwn = (clientId: string) => own.some(({ client_id }) => client_id === clientId);

  const load = async (where: string, params: unknown[]): Promise<ClientRecord[]> => {
    const rows = await db.query<{ metadata: ClientMetadata; secrets: ClientRecord['secrets'] }>(
      `select metadata, coalesce((
         select jsonb_agg(jsonb_build_object('id', id, 'hash', secret_hash, 'hint', hint,
           'createdAt', s.created_at, 'expiresAt', s.expires_at) order by s.created_at)
         from client_secret s where s.client_id = client.client_id), '[]') as secrets
       from client where disabled_at is null and ${where} order by client_id`,
      params,
    );
    return rows.map((row) => ({
      metadata: row.metadata,
      secrets: row.secrets.map((secret) => ({
        ...secret,
        createdAt: new Date(secret.createdAt),
        expiresAt: secret.expiresAt && new Date(secret.expiresAt),
      })),
    }));
  };

  const cache = remembered<ClientRecord>({
    stops,
    bus,
    topic: 'client',
    load: async (clientId) => (await load('client_id = $1', [clientId]))[0],
    maxAge: 30_000,
    most: 10_000,
  });

  const insertSecret = (clientId: string, secret: string) =>
    db.query(
      `insert into client_secret (id, client_id, secret_hash, hint, created_at) values ($1, $2, $3, $4, $5)
       on conflict (client_id, secret_hash) do update set expires_at = null`,
      [newId(), clientId, sha256(secret), secret.slice(0, 4), clock.now()],
    );

  const existing = async (clientId: string, work: () => Promise<unknown[]>) => {
    if ((await work()).length === 0) throw new Refusal('client.unknown', { kind: 'missing' });
    await cache.forget(clientId);
  };

  return {
    async find(clientId) {
      const part = own.find(({ client_id }) => client_id === clientId);
      return part ? { metadata: part, secrets: [] } : cache.get(clientId);
    },
    cacheReads: cache.reads,
    list: () => load('true', []),

    async add(metadata, by, { secret = randomToken() } = {}) {
      const clientId = metadata.client_id ?? newId();
      if (isOwn(clientId)) throw new Refusal('client.exists', { kind: 'conflict' });
      const whole: ClientMetadata = { ...metadata, client_id: clientId };
      try {
        await db.transact(async () => {
          await db.query('insert into client (client_id, metadata, created_at, updated_at) values ($1, $2, $3, $3)', [
            clientId,
            JSON.stringify(whole),
            clock.now(),
          ]);
          if (usesSecret(whole)) await insertSecret(clientId, secret);
          await cache.forget(clientId);
          await events.record({ type: 'client.created', ...by, client: clientId, data: {} });
        });
      } catch (error) {
        if (isDuplicate(error, 'client_pkey')) throw new Refusal('client.exists', { kind: 'conflict' });
        throw error;
      }
      return usesSecret(whole) ? { clientId, secret } : { clientId };
    },

    replace: (metadata, by) =>
      db.transact(async () => {
        await existing(metadata.client_id, () =>
          db.query('update client set metadata = $2, updated_at = $3 where client_id = $1 returning 1', [
            metadata.client_id,
            JSON.stringify(metadata),
            clock.now(),
          ]),
        );
        await events.record({
          type: 'client.updated',
          ...by,
          client: metadata.client_id,
          data: { fields: Object.keys(metadata) },
        });
      }),

    remove: (clientId, by) =>
      db.transact(async () => {
        await existing(clientId, () => db.query('delete from client where client_id = $1 returning 1', [clientId]));
        await events.record({ type: 'client.deleted', ...by, client: clientId });
      }),

    addSecret: (clientId, by, { secret = randomToken(), othersEndAt } = {}) =>
      db.transact(async () => {
        await existing(clientId, () => db.query('select 1 from client where client_id = $1 for update', [clientId]));
        if (othersEndAt) {
          await db.query(
            `update client_secret set expires_at = least(expires_at, $2) where client_id = $1 and secret_hash <> $3`,
            [clientId, othersEndAt, sha256(secret)],
          );
        }
        await insertSecret(clientId, secret);
        await events.record({ type: 'client.secret_added', ...by, client: clientId, data: {} });
        return secret;
      }),

    async hasSecret(clientId, secret) {
      const client = await cache.get(clientId);
      const hash = sha256(secret);
      const now = clock.now();
      return (client?.secrets ?? []).some(
        (candidate) => sameBytes(candidate.hash, hash) && (candidate.expiresAt === null || candidate.expiresAt > now),
      );
    },
  };
}
