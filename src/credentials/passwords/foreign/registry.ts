import { devise, djangoBcrypt, plainBcrypt, wordPressBcrypt } from './bcrypt.ts';
import { md5Crypt, shaCrypt } from './crypt.ts';
import type { Family, Foreign } from './family.ts';
import { ldapDigest } from './ldap.ts';
import { aspNetIdentity, djangoPbkdf2, modularPbkdf2 } from './pbkdf2.ts';
import { phpass } from './phpass.ts';
import { djangoScrypt, firebase, modularScrypt, packedScrypt } from './scrypt.ts';

/** No text belongs to two of them. */
const families: readonly Family[] = [
  plainBcrypt,
  wordPressBcrypt,
  djangoBcrypt,
  devise,
  modularPbkdf2,
  djangoPbkdf2,
  modularScrypt,
  packedScrypt,
  djangoScrypt,
  firebase,
  phpass,
  md5Crypt,
  shaCrypt,
  ldapDigest,
  aspNetIdentity,
];

/** Longest hash that is looked at. */
const most = 2_048;

/** Understands a hash of another system, all but argon2's; undefined when it is none that is known. */
export function readForeign(hash: string): Foreign | undefined {
  if (hash.length > most) return undefined;
  for (const family of families) {
    const found = family(hash);
    if (found) return found;
  }
  return undefined;
}

/** The hash inside what only says what it is: `{CRYPT}$6$…`, `{BCRYPT}$2b$…`, `{ARGON2}$argon2…`, Django's `argon2$argon2id$…`. */
export function unwrapped(hash: string): string {
  const inner = /^\{(?:CRYPT|BCRYPT|ARGON2|SCRYPT)\}(\$.+)$/i.exec(hash)?.[1] ?? /^argon2(\$argon2.+)$/.exec(hash)?.[1];
  return inner ?? hash;
}
