import { describe, expect, it } from 'vitest';
import { createCookieKeys } from './cookie-keys.ts';

describe('the keys of cookies', () => {
  const keys = createCookieKeys(['new', 'old']);
  const old = createCookieKeys(['old']);

  it('know what they signed, and by which of them', () => {
    expect(keys.index('session=a', keys.sign('session=a'))).toBe(0);
    expect(keys.index('session=a', old.sign('session=a'))).toBe(1);
    expect(keys.verify('session=a', old.sign('session=a'))).toBe(true);
  });

  it('refuse another cookie, another key, a part and nothing', () => {
    const signature = keys.sign('session=a');
    expect(keys.index('session=b', signature)).toBe(-1);
    expect(keys.index('other=a', signature)).toBe(-1);
    expect(keys.index('session=a', createCookieKeys(['third']).sign('session=a'))).toBe(-1);
    expect(keys.index('session=a', signature.slice(0, -4))).toBe(-1);
    expect(keys.index('session=a', '')).toBe(-1);
    expect(keys.verify('session=a', `${signature}AAAA`)).toBe(false);
  });
});
