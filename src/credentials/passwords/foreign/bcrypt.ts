import { createHash, createHmac } from 'node:crypto';
import bcrypt from 'bcryptjs';
import type { Family, Foreign, ForeignKey } from './family.ts';

const shape = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** 2^14 rounds: a second in JavaScript. Systems use 10 to 12. */
const mostCost = 14;

/** @param spelled what the system gave to bcrypt instead of the password itself */
function read(hash: string, spelled: (password: string, key?: ForeignKey) => string = (it) => it): Foreign | undefined {
  const cost = Number(shape.exec(hash)?.[1]);
  if (!(cost >= 4 && cost <= 31)) return undefined;
  return {
    form: `bcrypt:${cost}`,
    dear: 2 ** (cost - mostCost),
    // What is beyond 72 bytes was not looked at there and is not here.
    verify: (password, key) => bcrypt.compareSync(spelled(password, key), hash),
  };
}

/** Modular crypt format, versions a, b and y: OpenBSD, PHP, Auth0, Laravel, Rails and most others. */
export const plainBcrypt: Family = (hash) => read(hash);

/** WordPress from 6.8: an HMAC before, so that long passwords and NULs count; spaces around are no part of it. */
export const wordPressBcrypt: Family = (hash) =>
  hash.startsWith('$wp$2y$')
    ? read(hash.slice(3), (password) => createHmac('sha384', 'wp-sha384').update(phpTrim(password)).digest('base64'))
    : undefined;

const phpTrim = (text: string) => text.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, '');

/** Django's BCryptSHA256PasswordHasher and BCryptPasswordHasher. */
export const djangoBcrypt: Family = (hash) => {
  const [, name, inner] = /^(bcrypt|bcrypt_sha256)\$(\$2.+)$/.exec(hash) ?? [];
  if (!inner) return undefined;
  return name === 'bcrypt'
    ? read(inner)
    : read(inner, (password) => createHash('sha256').update(password).digest('hex'));
};

/** Devise: a pepper of the application's behind the password. */
export const devise: Family = (hash) => {
  const [, keyId, inner] = /^\$devise\$k=([\w-]{1,64})(\$2.+)$/.exec(hash) ?? [];
  const found =
    inner && read(inner, (password, key) => password + (key?.kind === 'pepper' ? key.pepper : missing(keyId)));
  return found ? { ...found, keyId: keyId! } : undefined;
};

export function missing(keyId: string | undefined): never {
  throw new Error(`the key ${keyId} of a hash is not there`);
}
