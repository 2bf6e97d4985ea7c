import { Refusal } from '../../platform/index.ts';
import type { Cost } from './hashing.ts';

const shape =
  /^\$argon2(id|i|d)\$(?:v=(16|19)\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,8})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Most that a hash from elsewhere may cost to verify: more, and each sign-in with it would be an attack on the server. */
const most: Cost = { memoryCost: 262_144, timeCost: 16, parallelism: 8 };
/** KiB that are written, all passes together: about a second. */
const mostWork = 4 * 262_144;

interface Phc extends Cost {
  variant: string;
}

/** Reads the parameters of an argon2 hash in PHC string format. */
export function readPhc(phc: string): Phc | undefined {
  const found = shape.exec(phc);
  if (!found) return undefined;
  // The first version had no number.
  const [, variant, version = '16', memory, time, lanes] = found;
  return {
    variant: `${variant}.${version}`,
    memoryCost: Number(memory),
    timeCost: Number(time),
    parallelism: Number(lanes),
  };
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

/** An argon2id hash in PHC string format, of parts made elsewhere. */
export const phcOf = ({ memoryCost, timeCost, parallelism }: Cost, salt: Buffer, hash: Buffer): string =>
  `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;

/** Whether the hash was made otherwise than we make them now. */
export function isOutdated(phc: string, cost: Cost): boolean {
  const found = readPhc(phc);
  return (
    found?.variant !== 'id.19' ||
    found.memoryCost !== cost.memoryCost ||
    found.timeCost !== cost.timeCost ||
    found.parallelism !== cost.parallelism
  );
}

/** What it costs, 1 being the most that is computed. */
export const dearness = ({ memoryCost, timeCost, parallelism }: Cost): number =>
  Math.max(
    memoryCost / most.memoryCost,
    timeCost / most.timeCost,
    parallelism / most.parallelism,
    (memoryCost * timeCost) / mostWork,
  );

/**
 * @returns the hash as it is kept: with the number of its version
 * @throws Refusal `password.hash_unusable` (no argon2 hash), `password.hash_too_dear` (both invalid)
 */
export function usable(phc: string): string {
  const found = readPhc(phc);
  if (!found || found.parallelism < 1 || found.timeCost < 1 || found.memoryCost < 8 * found.parallelism) {
    throw new Refusal('password.hash_unusable', { kind: 'invalid' });
  }
  if (dearness(found) > 1) {
    const form = `argon2${found.variant}:${found.memoryCost},${found.timeCost},${found.parallelism}`;
    throw new Refusal('password.hash_too_dear', { kind: 'invalid', details: { form } });
  }
  return phc.replace(/^(\$argon2[id]+\$)m=/, '$1v=16$m=');
}
