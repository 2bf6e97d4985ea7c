import { Refusal } from '../platform/index.ts';
import type { Cost } from './hashing.ts';

const shape =
  /^\$argon2(id|i|d)\$v=(16|19)\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Most that a hash from elsewhere may cost to verify: more, and each sign-in with it would be an attack on the server. */
const most: Cost = { memoryCost: 262_144, timeCost: 16, parallelism: 8 };

interface Phc extends Cost {
  variant: string;
}

/** Reads the parameters of an argon2 hash in PHC string format. */
export function readPhc(phc: string): Phc | undefined {
  const found = shape.exec(phc);
  if (!found) return undefined;
  const [, variant, version, memory, time, lanes] = found;
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

/** @throws Refusal `password.hash_unusable` (invalid) when the text is no argon2 hash or one too dear to verify */
export function assertUsable(phc: string): void {
  const found = readPhc(phc);
  const usable =
    found &&
    found.memoryCost >= 8 * found.parallelism &&
    found.memoryCost <= most.memoryCost &&
    found.timeCost >= 1 &&
    found.timeCost <= most.timeCost &&
    found.parallelism >= 1 &&
    found.parallelism <= most.parallelism;
  if (!usable) throw new Refusal('password.hash_unusable', { kind: 'invalid' });
}
