import { isDeepStrictEqual } from 'node:util';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, Refusal, type Vault } from '../platform/index.ts';
import type { By } from '../users/index.ts';
import { type Provider, type ProviderInput, providerSchema, secretNames, withDefaults } from './definition.ts';

/** The providers we trust: few, so every process keeps the whole list and reads it anew when one of them changes. */
export interface Providers {
  /** Those that are enabled, in the order of their buttons. */
  list(): Promise<readonly Provider[]>;
  /** An enabled one. */
  find(id: string): Promise<Provider | undefined>;
  /** Every one, without what is secret, for operators. */
  all(): Promise<Omit<Provider, (typeof secretNames)[number]>[]>;
  /**
   * Adds a provider or replaces it; a secret left out stays.
   * @returns whether that changed anything
   * @throws Refusal `federation.provider_malformed` (invalid) with `details.faults`
   */
  put(definition: ProviderInput, by: By): Promise<boolean>;
  /** Takes it away, with every link to it. @throws Refusal `federation.provider_unknown` (missing) */
  remove(id: string, by: By): Promise<void>;
  /** Called when the list may have changed. */
  onChange(listener: () => void): void;
  /** Seals the secrets anew under the newest CARDEA_SECRET. @returns how many were not */
  reseal(): Promise<number>;
}

const topic = 'identity-provider';
const maxAge = 30_000;
const context = (id: string) => `identity_provider:${id}`;

interface Row {
  id: string;
  definition: Record<string, unknown>;
  sealed_secrets: string | null;
}

export function createProviders(deps: {
  db: Db;
  bus: Bus;
  clock: Clock;
  vault: Vault;
  events: Pick<Events, 'record'>;
}): Providers {
  const { db, bus, clock, vault, events } = deps;
  const listeners = new Set<() => void>();
  let known: readonly Provider[] | undefined;
  let until = 0;
  let generation = 0;

  const forget = () => {
    generation++;
    known = undefined;
    for (const listener of listeners) listener();
  };
  bus.subscribe(topic, forget);

  const secretsOf = ({ id, sealed_secrets: sealed }: Row): Record<string, string> =>
    sealed ? JSON.parse(vault.open(sealed, context(id))) : {};
  const read = (row: Row): Provider => withDefaults(providerSchema.parse({ ...row.definition, ...secretsOf(row) }));
  const rows = (where = 'true', params: unknown[] = []) =>
    db.query<Row>(
      `select id, definition, sealed_secrets from identity_provider where ${where} order by position, id`,
      params,
    );

  const list = async (): Promise<readonly Provider[]> => {
    if (known && performance.now() < until) return known;
    const started = generation;
    const fresh = (await rows()).map(read).filter(({ enabled }) => enabled);
    // Changed while it was read: good for this caller, not kept.
    if (started === generation) {
      until = performance.now() + maxAge;
      known = fresh;
    }
    return fresh;
  };

  const changed = async (id: string, how: 'put' | 'removed', by: By) => {
    await events.record({ type: 'federation.provider_changed', ...by, data: { provider: id, how } });
    await bus.publish(topic, id);
    db.afterCommit(forget);
  };

  return {
    list,
    find: async (id) => (await list()).find((provider) => provider.id === id),
    all: async () =>
      (await rows()).map((row) => {
        const { client_secret: _, private_key: __, ...shown } = read(row);
        return shown;
      }),
    onChange: (listener) => void listeners.add(listener),

    put: (input, by) =>
      db.transact(async () => {
        const id = String((input as { id?: unknown }).id);
        await db.lock(context(id));
        const [before] = await rows('id = $1', [id]);
        const result = providerSchema.safeParse({ ...(before ? secretsOf(before) : {}), ...input });
        if (!result.success) {
          const faults = result.error.issues.map(
            ({ path, message }) => `${path.join('.') || 'the provider'}: ${message}`,
          );
          throw new Refusal('federation.provider_malformed', { kind: 'invalid', details: { faults } });
        }
        const secrets: Record<string, string> = {};
        const definition: Record<string, unknown> = JSON.parse(JSON.stringify(result.data));
        for (const name of secretNames) {
          if (definition[name] !== undefined) secrets[name] = String(definition[name]);
          delete definition[name];
        }
        const same = before && isDeepStrictEqual([before.definition, secretsOf(before)], [definition, secrets]);
        if (same) return false;
        const sealed = Object.keys(secrets).length > 0 ? vault.seal(JSON.stringify(secrets), context(id)) : null;
        await db.query(
          `insert into identity_provider (id, kind, definition, sealed_secrets, position, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $6)
           on conflict (id) do update set kind = excluded.kind, definition = excluded.definition,
             sealed_secrets = excluded.sealed_secrets, position = excluded.position, updated_at = excluded.updated_at`,
          [id, result.data.kind, JSON.stringify(definition), sealed, result.data.position, clock.now()],
        );
        await changed(id, 'put', by);
        return true;
      }),

    remove: (id, by) =>
      db.transact(async () => {
        const gone = await db.query('delete from identity_provider where id = $1 returning 1', [id]);
        if (gone.length === 0) throw new Refusal('federation.provider_unknown', { kind: 'missing' });
        await changed(id, 'removed', by);
      }),

    reseal: () =>
      db.transact(async () => {
        let count = 0;
        for (const row of await rows('sealed_secrets is not null')) {
          if (vault.isCurrent(row.sealed_secrets!)) continue;
          const sealed = vault.seal(JSON.stringify(secretsOf(row)), context(row.id));
          await db.query('update identity_provider set sealed_secrets = $2 where id = $1', [row.id, sealed]);
          count++;
        }
        return count;
      }),
  };
}
