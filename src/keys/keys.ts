import type { JWK } from 'jose';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, type Log, type Stops, sha256, type Vault } from '../platform/index.ts';
import { type JwksResponse, jwksResponse } from './jwks.ts';
import {
  createRotation,
  type KeySettings,
  keysChanged,
  keysStopped,
  type Rotated,
  type RotateOptions,
} from './rotation.ts';
import { inSigningOrder, type KeyRow, nextChange, type Stage, stageAt } from './stages.ts';
import { openKey, type StoredKey, standingKeys } from './store.ts';

/** The keys of one moment. Frozen: hold on to it only until {@link Keys.onChange} says otherwise. */
export interface CurrentKeys {
  /** By algorithm, the private key that signs. */
  signing: Readonly<Record<string, JWK>>;
  /** Private keys in the order the engine picks from: the first that fits signs. */
  all: readonly JWK[];
  publicJwks: { keys: readonly JWK[] };
  /** Changes whenever a key or a stage does. */
  version: string;
}

export interface Keys {
  /** Makes missing keys, loads all and keeps them up to date. @throws Error when CARDEA_SECRET does not open them */
  start(): Promise<void>;
  stop(): void;
  current(): CurrentKeys;
  /** Called with the new keys when a key or a stage changed, also when only time went by. @returns how to stop it */
  onChange(listener: (keys: CurrentKeys) => void): () => void;
  /** The public key with this id, if it is not gone. One not known yet is looked for in the database. */
  find(kid: string): Promise<JWK | undefined>;
  /** The answer of the JWKS endpoint. @param ifNoneMatch the request's header */
  jwks(ifNoneMatch?: string): JwksResponse;
  /** The keys with their stages, for people: no private part. */
  list(): Promise<(KeyRow & { stage: Stage })[]>;
  /**
   * Brings the next key on its way; `immediately` ends the old one and all it signed.
   * @throws Refusal `keys.algorithm_unknown` (invalid)
   */
  rotate(options?: RotateOptions): Promise<Rotated[]>;
  /** What the schedule asks for now, and the erasing of what is gone: for a job. */
  rotateIfDue(): Promise<Rotated[]>;
  /** Seals every private key anew under the newest secret. @returns how many were not */
  reseal(): Promise<number>;
  /** Sees to it that {@link find} knows of every key that was ended before the caller's last `stops.catchUp`. */
  catchUp(): Promise<void>;
  /** Reads the database now. */
  refresh(): Promise<void>;
}

const checkEveryMilliseconds = 10_000;
/** A stranger may send any `kid`; that must not become a query each. */
const lookupsApartMilliseconds = 1_000;

export function createKeys(deps: {
  db: Db;
  vault: Vault;
  clock: Clock;
  bus: Bus;
  log: Log;
  events: Pick<Events, 'record'>;
  settings: KeySettings;
  stops?: Stops;
}): Keys {
  const { db, vault, clock, bus, log, settings, stops } = deps;
  if (settings.publishAhead < 2 * settings.jwksMaxAge) {
    throw new Error('a signing key must be published for at least twice the time the JWKS may be cached');
  }
  const rotation = createRotation(deps);
  const listeners = new Set<(keys: CurrentKeys) => void>();
  const opened = new Map<string, JWK>();
  let rows: StoredKey[] = [];
  let current: CurrentKeys | undefined;
  let validUntil: Date | undefined;
  let told: string | undefined;
  let asked = 0;
  let answered = 0;
  let lastLookup = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const derive = (): CurrentKeys => {
    const now = clock.now();
    const keys = inSigningOrder(rows, now);
    const usable = keys.filter(({ kid }) => opened.has(kid));
    const signing: Record<string, JWK> = {};
    for (const { alg, kid } of usable) signing[alg] ??= opened.get(kid)!;
    validUntil = nextChange(rows, now);
    return Object.freeze({
      signing,
      all: usable.map(({ kid }) => opened.get(kid)!),
      publicJwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
      version: sha256(JSON.stringify(keys.map((key) => [key.kid, stageAt(key, now), opened.has(key.kid)]))),
    });
  };

  const now = (): CurrentKeys => {
    if (!current || (validUntil && clock.now() >= validUntil)) current = derive();
    return current;
  };

  const open = (key: StoredKey) => {
    if (opened.has(key.kid) || key.sealedPrivate === undefined) return;
    opened.set(key.kid, Object.freeze(openKey(key, vault)));
  };

  const tell = () => {
    const keys = now();
    if (told === keys.version) return;
    const first = told === undefined;
    told = keys.version;
    if (first) return;
    log.info({ keys: keys.publicJwks.keys.map(({ kid }) => kid) }, 'signing keys changed');
    for (const listener of listeners) {
      try {
        listener(keys);
      } catch (error) {
        log.error({ err: error }, 'a listener of the keys failed');
      }
    }
  };

  /** @param strict a key that cannot be opened is an error, not a log line */
  const load = async (strict = false) => {
    const turn = ++asked;
    const at = performance.now();
    const fresh = await standingKeys(db, clock.now());
    // Answers may come back out of order; an older one must not undo a newer.
    if (turn < answered) return;
    answered = turn;
    loadedAt = at;
    for (const key of fresh) {
      try {
        open(key);
      } catch (error) {
        if (strict) {
          throw new Error(
            `signing key ${key.kid} cannot be opened: CARDEA_SECRET is not the one it was sealed under (a former secret may be given beside the new one)`,
            { cause: error },
          );
        }
        log.error({ kid: key.kid }, 'a signing key cannot be opened under the secrets of this process');
      }
    }
    for (const kid of opened.keys()) if (!fresh.some((key) => key.kid === kid)) opened.delete(kid);
    rows = fresh;
    current = derive();
    tell();
  };

  const loadOrComplain = () =>
    load().catch((error: unknown) => log.warn({ err: error }, 'signing keys could not be read; the known ones stay'));

  const watch = () => {
    const change = validUntil ? validUntil.getTime() - clock.now().getTime() : checkEveryMilliseconds;
    timer = setTimeout(
      async () => {
        tell();
        await loadOrComplain();
        if (running) watch();
      },
      Math.max(50, Math.min(change, checkEveryMilliseconds)),
    ).unref();
  };

  return {
    async start() {
      if (running) return;
      running = true;
      // Before the first look at the database, so that nothing falls in between.
      bus.subscribe(keysChanged, () => void (running && loadOrComplain()));
      await rotation.ensure();
      await load(true);
      watch();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
    current: now,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async find(kid) {
      const known = () => now().publicJwks.keys.find((key) => key.kid === kid);
      const at = performance.now();
      if (!known() && at - lastLookup >= lookupsApartMilliseconds) {
        lastLookup = at;
        await load();
      }
      return known();
    },
    jwks: (ifNoneMatch) => jwksResponse(now().publicJwks, settings.jwksMaxAge, ifNoneMatch),
    async list() {
      const at = clock.now();
      return (await standingKeys(db, at)).map(({ sealedPrivate: _, ...key }) => ({ ...key, stage: stageAt(key, at) }));
    },
    async rotate(options) {
      const rotated = await rotation.rotate(options);
      await load();
      return rotated;
    },
    async rotateIfDue() {
      const rotated = await rotation.rotateIfDue();
      await rotation.erase();
      if (rotated.length > 0) await load();
      return rotated;
    },
    reseal: rotation.reseal,
    async catchUp() {
      if (!stops || stops.mayUse(loadedAt, [keysStopped])) return;
      // One that is under way may have begun before the key was ended: all wait for the one after it.
      next ??= loading
        .catch(() => {})
        .then(() => {
          next = undefined;
          loading = load();
          return loading;
        });
      await next;
    },
    refresh: () => load(),
  };
}
