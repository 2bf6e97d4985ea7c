import { createHash } from 'node:crypto';
import { cryptLetters, type Family, itoa64, mostPasswordBytes, sameText } from './family.ts';

/** 2^18 rounds: a quarter of a second. WordPress used 2^13. */
const mostLog = 18;

const md5 = (...parts: (Buffer | string)[]): Buffer => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Openwall's portable hashes: `$P$` (WordPress before 6.8, Drupal 6, Joomla) and `$H$` (phpBB 3). */
export const phpass: Family = (hash) => {
  const [, log, salt, digest] = /^\$[PH]\$([./0-9A-Za-z])([./0-9A-Za-z]{8})([./0-9A-Za-z]{22})$/.exec(hash) ?? [];
  if (!digest) return undefined;
  const rounds = itoa64.indexOf(log!);
  if (rounds < 7 || rounds > 30) return undefined;
  return {
    form: `phpass:${rounds}`,
    dear: 2 ** (rounds - mostLog),
    verify(password) {
      const secret = Buffer.from(password);
      if (secret.length > mostPasswordBytes) return false;
      let sum = md5(salt!, secret);
      for (let left = 2 ** rounds; left > 0; left--) sum = md5(sum, secret);
      let text = '';
      for (let at = 0; at < 16; at += 3) {
        const bytes = [...sum.subarray(at, at + 3)];
        text += cryptLetters(bytes, bytes.length + 1);
      }
      return sameText(text, digest);
    },
  };
};
