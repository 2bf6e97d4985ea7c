/**
 * Makes `src/credentials/passwords/common-passwords.bin`, the list of common passwords that Cardea refuses without asking
 * anyone:
 *
 *     npm pack @zxcvbn-ts/language-common@4.1.3 zxcvbn@4.4.2 && (unpack both) &&
 *     node bench/common-passwords.ts <language-common>/src/passwords.json <zxcvbn>/lib/frequency_lists.js
 *
 * Both lists are MIT-licensed and were counted from leaked passwords. The file holds the first five bytes of each
 * entry's SHA-256, sorted, so that it is searched where it lies: 49,000 entries in 246 kB, no word of them readable,
 * and a chance of 1 in 20 million that an uncommon password is taken for a common one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import vm from 'node:vm';
import { digestOf, entrySize } from '../src/credentials/passwords/common.ts';

const words = new Set<string>();
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  const list: string[] = file.endsWith('.json')
    ? JSON.parse(text)
    : vm.runInNewContext(`const module = { exports: {} }; ${text}; module.exports.passwords`, {});
  for (const word of list) {
    const spelled = word.normalize('NFKC').toLowerCase();
    // Shorter ones are refused for their length, and as a part of something longer they say nothing.
    if (spelled.length >= 4) words.add(spelled);
  }
}
if (words.size < 30_000) throw new Error(`only ${words.size} passwords: were both files named?`);
const digests = [...new Set([...words].map((word) => digestOf(word).toString('hex')))].sort();
const target = new URL('../src/credentials/passwords/common-passwords.bin', import.meta.url);
writeFileSync(target, Buffer.from(digests.join(''), 'hex'));
console.log(`${digests.length} entries of ${entrySize} bytes`);
