import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Bytes kept of each entry's digest; `bench/common-passwords.ts` makes the file and says what is in it. */
export const entrySize = 5;

/** What stands in the list for a password in lower case. */
export const digestOf = (word: string): Buffer => createHash('sha256').update(word).digest().subarray(0, entrySize);

let list: Buffer | undefined;

function isListed(word: string): boolean {
  list ??= readFileSync(new URL('./common-passwords.bin', import.meta.url));
  const wanted = digestOf(word);
  let low = 0;
  let high = list.length / entrySize;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = wanted.compare(list, middle * entrySize, (middle + 1) * entrySize);
    if (order === 0) return true;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return false;
}

const lookAlikes: Record<string, string> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'i',
  '+': 't',
};
const plain = (text: string, one = 'i') =>
  text.replace(/[01345789@$!+]/g, (c) => (c === '1' ? one : (lookAlikes[c] ?? c)));

/** `abcabcabc` → `abc`; a text that repeats nothing → itself. */
const unitOf = (text: string): string => /^(.+?)\1+$/su.exec(text)?.[1] ?? text;

const walks = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'yxcvbnm', 'azertyuiop', 'qsdfghjklm', '1234567890'];
const reversed = (text: string) => [...text].reverse().join('');
const rows = [...walks, ...walks.map(reversed)];

/** Alphabet and numbers up or down by one, or along a row of the keyboard, from end to end. */
function isRun(text: string): boolean {
  const codes = [...text].map((c) => c.codePointAt(0)!);
  const steps = codes.slice(1).map((code, at) => code - codes[at]!);
  return (
    steps.every((step) => step === 1) || steps.every((step) => step === -1) || rows.some((row) => row.includes(text))
  );
}

/** Only a word that can carry a password counts once its decoration is taken off. */
const shortestWord = 4;
const stripped = (text: string) => text.replace(/^[^\p{L}]{1,2}/u, '').replace(/[^\p{L}]{1,4}$/u, '');

/**
 * Whether a password is among the most common ones, or one of them thinly disguised: capitals, `p4$$w0rd`, up to
 * two signs before and four behind, backwards, said twice; or a run of keys or letters, or the same few over again.
 * @param password normalised
 */
export function isCommon(password: string): boolean {
  const lower = password.toLowerCase();
  const unit = unitOf(lower);
  // `abcabcabc` is no longer than `abc`.
  if (unit !== lower && [...unit].length <= shortestWord) return true;
  if (isRun(lower) || isRun(unit)) return true;
  const forms = new Set<string>();
  for (const text of [lower, unit]) {
    for (const form of [text, stripped(text)]) {
      for (const shape of [form, plain(form), plain(form, 'l'), stripped(plain(form))]) {
        forms.add(unitOf(shape)).add(shape).add(reversed(shape));
      }
    }
  }
  return [...forms].some((form) => form.length >= shortestWord && isListed(form));
}
