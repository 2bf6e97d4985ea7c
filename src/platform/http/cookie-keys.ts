import { createHmac, timingSafeEqual } from 'node:crypto';

/** What koa and the engine sign cookies with; Keygrip's interface. */
export interface CookieKeys {
  sign(data: string): string;
  verify(data: string, signature: string): boolean;
  /** @returns of the key that made the signature, -1 for none; other than 0 makes whoever asked sign anew */
  index(data: string, signature: string): number;
}

/**
 * Keygrip's own are SHA-1, and compare through two more HMACs; these are HMAC-SHA-256 and compare once.
 * @param keys newest first
 */
export function createCookieKeys(keys: readonly string[]): CookieKeys {
  const mac = (data: string, key: string): Buffer => createHmac('sha256', key).update(data).digest();
  const index = (data: string, signature: string): number => {
    const given = Buffer.from(signature, 'base64url');
    return keys.findIndex((key) => {
      const expected = mac(data, key);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  };
  return {
    sign: (data) => mac(data, keys[0]!).toString('base64url'),
    verify: (data, signature) => index(data, signature) >= 0,
    index,
  };
}
