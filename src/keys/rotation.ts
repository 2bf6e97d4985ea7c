import type { Actor, Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, Refusal, type Stops, secondsAfter, type Vault } from '../platform/index.ts';
import { stageAt } from './stages.ts';
import { insertKey, keyContext, makeKey, openKey, type StoredKey, standingKeys } from './store.ts';

/** The topic on the bus that says that keys changed. */
export const keysChanged = 'keys';
/** The name under which it is told that a key ended before its time. */
export const keysStopped = 'keys';

/** All times in seconds. */
export interface KeySettings {
  /** The algorithms of which a key is kept; the first is the default one. */
  algorithms: readonly string[];
  /** How long a key signs before the schedule replaces it. */
  rotateAfter: number;
  /** How long a key is in the JWKS before it signs: at least twice `jwksMaxAge`. */
  publishAhead: number;
  /** How long a key stays in the JWKS after it signed last: at least the longest life of what it signs. */
  retireAfter: number;
  /** How long others may cache the JWKS. */
  jwksMaxAge: number;
}

/** 90 days of signing, a day ahead of it, two days after it, cached for five minutes. */
export const defaultKeySettings: KeySettings = {
  algorithms: ['ES256', 'RS256'],
  rotateAfter: 90 * 86_400,
  publishAhead: 86_400,
  retireAfter: 2 * 86_400,
  jwksMaxAge: 300,
};

export interface RotateOptions {
  /** Default: every algorithm. */
  alg?: string | undefined;
  /** The old key is not to be trusted any more: it is gone at once, and so is all it signed. */
  immediately?: boolean;
  actor?: Actor;
  reason?: string | undefined;
}

export interface Rotated {
  alg: string;
  kid: string;
  signsFrom: Date;
}

const system: Actor = { kind: 'system' };

/** Makes, replaces and erases keys: all that writes the table. One process at a time, under the lock `keys`. */
export function createRotation(deps: {
  db: Db;
  vault: Vault;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  events: Pick<Events, 'record'>;
  settings: KeySettings;
  stops?: Stops;
}) {
  const { db, vault, clock, bus, events, settings, stops } = deps;

  const standing = async (alg: string) => (await standingKeys(db, clock.now())).filter((key) => key.alg === alg);

  const add = async (fresh: Awaited<ReturnType<typeof makeKey>>, signsFrom: Date, actor: Actor) => {
    await insertKey(db, { ...fresh, createdAt: clock.now(), signsFrom, retiresFrom: undefined, goneFrom: undefined });
    await events.record({
      type: 'key.created',
      actor,
      data: { kid: fresh.kid, alg: fresh.alg, signsFrom: signsFrom.toISOString() },
    });
    await bus.publish(keysChanged);
  };

  /** Ends keys between two moments; `erase` when nobody may use them again. */
  const end = (keys: readonly StoredKey[], retiresFrom: Date, goneFrom: Date, erase = false) =>
    db.query(
      `update signing_key set retires_from = least(retires_from, $2), gone_from = least(gone_from, $3),
         sealed_private = case when $4 then null else sealed_private end where kid = any($1)`,
      [keys.map(({ kid }) => kid), retiresFrom, goneFrom, erase],
    );

  const rotateOne = async (alg: string, options: RotateOptions): Promise<Rotated> => {
    const { immediately = false, actor = system, reason } = options;
    const fresh = await makeKey(alg, vault);
    return db.transact(async () => {
      await db.lock('keys');
      const now = clock.now();
      const keys = await standing(alg);
      const waiting = keys.find((key) => stageAt(key, now) === 'published');
      // Asked twice, or by two processes at once: the key made first is the next one.
      if (waiting && !immediately) return { alg, kid: waiting.kid, signsFrom: waiting.signsFrom };
      const signsFrom = immediately || keys.length === 0 ? now : secondsAfter(now, settings.publishAhead);
      if (immediately) {
        stops?.mark(keysStopped);
        await end(keys, now, now, true);
      } else await end(keys, signsFrom, secondsAfter(signsFrom, settings.retireAfter));
      await add(fresh, signsFrom, actor);
      await events.record({ type: 'key.rotated', actor, reason, data: { kid: fresh.kid, alg, immediately } });
      return { alg, kid: fresh.kid, signsFrom };
    });
  };

  return {
    /** Sees to it that each algorithm has a key. Processes that start together make one set. */
    async ensure(): Promise<void> {
      for (const alg of settings.algorithms) {
        if ((await standing(alg)).length > 0) continue;
        const fresh = await makeKey(alg, vault);
        await db.transact(async () => {
          await db.lock('keys');
          if ((await standing(alg)).length === 0) await add(fresh, clock.now(), system);
        });
      }
    },

    async rotate(options: RotateOptions = {}): Promise<Rotated[]> {
      if (options.alg !== undefined && !settings.algorithms.includes(options.alg)) {
        throw new Refusal('keys.algorithm_unknown', { kind: 'invalid', details: { known: settings.algorithms } });
      }
      const rotated: Rotated[] = [];
      for (const alg of options.alg === undefined ? settings.algorithms : [options.alg]) {
        rotated.push(await rotateOne(alg, options));
      }
      return rotated;
    },

    async rotateIfDue(): Promise<Rotated[]> {
      const rotated: Rotated[] = [];
      for (const alg of settings.algorithms) {
        const now = clock.now();
        const due = (key: StoredKey) =>
          stageAt(key, now) === 'signing' &&
          key.retiresFrom === undefined &&
          now >= secondsAfter(key.signsFrom, settings.rotateAfter - settings.publishAhead);
        if ((await standing(alg)).some(due)) rotated.push(await rotateOne(alg, {}));
      }
      return rotated;
    },

    /** Erases the private part of what is gone. */
    erase: () =>
      db.transact(async () => {
        const gone = await db.query<{ kid: string; alg: string }>(
          `update signing_key set sealed_private = null where gone_from <= $1 and sealed_private is not null
           returning kid, alg`,
          [clock.now()],
        );
        for (const data of gone) await events.record({ type: 'key.erased', actor: system, data });
        return gone.length;
      }),

    /** Seals the private parts anew under the newest secret. */
    reseal: () =>
      db.transact(async () => {
        await db.lock('keys');
        const outdated = (await standingKeys(db, clock.now())).filter(
          ({ sealedPrivate }) => sealedPrivate !== undefined && !vault.isCurrent(sealedPrivate),
        );
        for (const key of outdated) {
          const sealed = vault.seal(JSON.stringify(openKey(key, vault)), keyContext(key.kid));
          await db.query('update signing_key set sealed_private = $2 where kid = $1', [key.kid, sealed]);
        }
        return outdated.length;
      }),
  };
}
