import { expect, it } from 'vitest';
import type { Keys } from '../keys/index.ts';
import { Refusal, systemClock } from '../platform/index.ts';
import { createJwtReader } from './jwt.ts';

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = `${encode({ alg: 'ES256', typ: 'at+jwt', kid: 'new' })}.${encode({ exp: 4e9 })}.${'x'.repeat(86)}`;

it('a token whose key cannot be looked for just now is not called dead', async () => {
  const gone = new Refusal('store.unavailable', { kind: 'unavailable' });
  const keys = { catchUp: async () => {}, find: () => Promise.reject(gone) } as unknown as Keys;
  const read = () => createJwtReader({ keys, issuer: 'https://id.example', clock: systemClock }).read(token);
  await expect(read()).rejects.toBe(gone);
  keys.find = async () => undefined;
  expect(await read()).toBeUndefined();
});
