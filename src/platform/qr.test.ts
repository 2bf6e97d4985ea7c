import { expect, it } from 'vitest';
import { qrCode } from './qr.ts';

it('draws the three corners, a quiet zone around, and nothing beyond', () => {
  const { size, path } = qrCode('otpauth://totp/Acme:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Acme');
  expect(path.startsWith(`M4 4h7v1h-7z`)).toBe(true);
  expect(path).toContain(`M${size - 11} 4h7v1h-7z`);
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
    expect(Number(x) + Number(width)).toBeLessThanOrEqual(size - 4);
    expect(Number(y)).toBeLessThan(size - 4);
  }
});
