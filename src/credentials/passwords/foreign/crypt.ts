import { createHash } from 'node:crypto';
import { cryptLetters, type Family, mostPasswordBytes, sameText } from './family.ts';

const digestOf = (name: string, parts: readonly (Buffer | string)[]): Buffer => {
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The bytes repeated to `length`. */
const stretched = (bytes: Buffer, length: number): Buffer => Buffer.alloc(length, bytes);

/** Letters of the digest in crypt's order: groups of bytes, highest first. */
const lettersOf = (digest: Buffer, groups: readonly (readonly number[])[]): string =>
  groups.map((group) => cryptLetters(group.map((at) => digest[at]!).toReversed(), group.length + 1)).join('');

const md5Groups = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5], [11]];

/** Poul-Henning Kamp's MD5 crypt: `$1$`, and Apache's `$apr1$`. Always a thousand rounds. */
export const md5Crypt: Family = (hash) => {
  const [, magic, salt, digest] = /^(\$1\$|\$apr1\$)([^$:\n]{0,8})\$([./0-9A-Za-z]{22})$/.exec(hash) ?? [];
  if (!digest) return undefined;
  return {
    form: 'md5-crypt',
    dear: 0.01,
    verify(password) {
      const secret = Buffer.from(password);
      if (secret.length > mostPasswordBytes) return false;
      return sameText(lettersOf(md5Rounds(secret, magic!, salt!), md5Groups), digest);
    },
  };
};

function md5Rounds(password: Buffer, magic: string, salt: string): Buffer {
  const inner = digestOf('md5', [password, salt, password]);
  const parts: (Buffer | string)[] = [password, magic, salt, stretched(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>= 1) {
    parts.push(bits & 1 ? Buffer.of(0) : password.subarray(0, 1));
  }
  let sum = digestOf('md5', parts);
  for (let round = 0; round < 1000; round++) {
    const odd = round % 2 === 1;
    const middle = [...(round % 3 ? [salt] : []), ...(round % 7 ? [password] : [])];
    sum = digestOf('md5', [odd ? password : sum, ...middle, odd ? sum : password]);
  }
  return sum;
}

/** A little more than a second. The default is 5,000. */
const mostRounds = 600_000;

/** Three bytes a group, each group's order turned on by the one before it, as the specification's table has it. */
const turned = (thirds: number, back: boolean): number[][] =>
  Array.from({ length: thirds }, (_, at) => {
    const group = [at, at + thirds, at + 2 * thirds];
    const turn = (back ? 2 * at : at) % 3;
    return [...group.slice(turn), ...group.slice(0, turn)];
  });

const shaForms = {
  5: { digest: 'sha256', letters: 43, groups: [...turned(10, true), [31, 30]] },
  6: { digest: 'sha512', letters: 86, groups: [...turned(21, false), [63]] },
} as const;

/** Ulrich Drepper's SHA-crypt: `$5$` (SHA-256) and `$6$` (SHA-512), with or without `rounds=`. */
export const shaCrypt: Family = (hash) => {
  const [, id, asked, salt, digest] =
    /^\$([56])\$(?:rounds=(\d{1,10})\$)?([^$:\n]{0,16})\$([./0-9A-Za-z]{43,86})$/.exec(hash) ?? [];
  const form = id && shaForms[id as unknown as 5 | 6];
  if (!form || digest?.length !== form.letters) return undefined;
  // Fewer than a thousand are a thousand, by the specification.
  const rounds = Math.min(Math.max(Number(asked ?? 5_000), 1_000), 999_999_999);
  return {
    form: `${form.digest}-crypt:${rounds}`,
    dear: rounds / mostRounds,
    verify(password) {
      const secret = Buffer.from(password);
      if (secret.length > mostPasswordBytes) return false;
      return sameText(lettersOf(shaRounds(form.digest, secret, salt!, rounds), form.groups), digest);
    },
  };
};

/** The steps of "Unix crypt using SHA-256 and SHA-512", numbered as there. */
function shaRounds(name: 'sha256' | 'sha512', password: Buffer, salt: string, rounds: number): Buffer {
  const saltBytes = Buffer.from(salt);
  // 4–8
  const b = digestOf(name, [password, saltBytes, password]);
  // 1–3, 9–12
  const parts: Buffer[] = [password, saltBytes, stretched(b, password.length)];
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? b : password);
  let sum = digestOf(name, parts);
  // 13–16
  const dp = digestOf(name, Array(password.length).fill(password));
  const p = stretched(dp, password.length);
  // 17–20
  const ds = digestOf(name, Array(16 + sum[0]!).fill(saltBytes));
  const s = stretched(ds, saltBytes.length);
  // 21
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    const middle = [...(round % 3 ? [s] : []), ...(round % 7 ? [p] : [])];
    sum = digestOf(name, [odd ? p : sum, ...middle, odd ? sum : p]);
  }
  return sum;
}
