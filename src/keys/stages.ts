import type { JWK } from 'jose';

/**
 * The life of a signing key. Each row carries the moments at which its stage changes, so that every process changes it
 * at the same time without being told.
 *
 * ```
 *  published ──signs_from──▶ signing ──retires_from──▶ retiring ──gone_from──▶ gone
 *  in the JWKS, so that      signs                     verifies what it         its private part
 *  caches learn of it                                  signed, still alive      is erased
 * ```
 */
export type Stage = 'published' | 'signing' | 'retiring' | 'gone';

export interface KeyRow {
  kid: string;
  alg: string;
  publicJwk: JWK;
  createdAt: Date;
  signsFrom: Date;
  /** Unknown until its successor is made. */
  retiresFrom: Date | undefined;
  goneFrom: Date | undefined;
}

export function stageAt(key: Pick<KeyRow, 'signsFrom' | 'retiresFrom' | 'goneFrom'>, now: Date): Stage {
  if (key.goneFrom && now >= key.goneFrom) return 'gone';
  if (key.retiresFrom && now >= key.retiresFrom) return 'retiring';
  return now >= key.signsFrom ? 'signing' : 'published';
}

const rank: Record<Stage, number> = { signing: 0, retiring: 1, published: 2, gone: 3 };

/**
 * The order in which keys are handed to whoever signs with the first that fits: the signing one, then retiring ones,
 * newest first, then those published ahead of time. So a process whose clock is behind, or that cannot open the signing
 * key yet, falls back on a key every cache knows.
 */
export function inSigningOrder<K extends KeyRow>(keys: readonly K[], now: Date): K[] {
  return keys
    .filter((key) => stageAt(key, now) !== 'gone')
    .toSorted((a, b) => {
      const [left, right] = [stageAt(a, now), stageAt(b, now)];
      if (left !== right) return rank[left] - rank[right];
      const newestFirst = b.signsFrom.getTime() - a.signsFrom.getTime();
      return left === 'published' ? -newestFirst : newestFirst;
    });
}

/** When the next of these keys changes its stage. */
export function nextChange(keys: readonly KeyRow[], now: Date): Date | undefined {
  const moments = keys
    .flatMap(({ signsFrom, retiresFrom, goneFrom }) => [signsFrom, retiresFrom, goneFrom])
    .filter((moment) => moment !== undefined && moment > now) as Date[];
  return moments.toSorted((a, b) => a.getTime() - b.getTime())[0];
}
