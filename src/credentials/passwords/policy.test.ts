import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../platform/index.ts';
import { isCommon } from './common.ts';
import { createPasswordPolicy } from './policy.ts';

const policy = createPasswordPolicy({ log: silentLog, settings: { organisation: ['Evergreen Books'] } });
const reason = async (password: string, context = {}) => {
  const found = await policy.assess(password, context);
  return found.ok ? 'ok' : found.reason;
};

describe('length', () => {
  it('is counted in code points of what is stored', async () => {
    expect(await reason('zu kurz')).toBe('password.too_short');
    expect(await reason('gkwpzmtb')).toBe('ok');
    expect(await reason('🦊🦉🐝🍄🌵🎻🧭')).toBe('password.too_short');
    expect(await reason('🦊🦉🐝🍄🌵🎻🧭⛵')).toBe('ok');
    const long = [...'🦊🦉🐝🍄🌵'.repeat(60)].map((sign, at) => (at % 7 === 3 ? 'x' : sign));
    expect(await reason(long.slice(0, 256).join(''))).toBe('ok');
    expect(await reason(long.slice(0, 257).join(''))).toBe('password.too_long');
    expect(await reason('ﷺ'.repeat(100))).toBe('password.too_long');
    expect(await reason('x'.repeat(10_000_000))).toBe('password.too_long');
  });

  it('asks for more of those who have nothing but a password, when the operator says so', async () => {
    const strict = createPasswordPolicy({ log: silentLog, settings: { minLengthAlone: 15 } });
    expect(await strict.assess('gkwpzmtbxh')).toEqual({
      ok: false,
      reason: 'password.too_short',
      minimum: 15,
      maximum: 256,
    });
    expect(await strict.assess('gkwpzmtbxh', { secondFactor: true })).toEqual({ ok: true });
    await expect(strict.demand('gkwpzmtbxh')).rejects.toMatchObject({
      code: 'password.too_short',
      kind: 'invalid',
      details: { minimum: 15, maximum: 256 },
    });
  });

  it('is all there is to composition', async () => {
    expect(await reason('onlysmallletterswithoutnumbers')).toBe('ok');
    expect(await reason('  spaces count too  ')).toBe('ok');
  });
});

describe('common passwords', () => {
  it.each([
    'password',
    'Password1',
    'P@ssw0rd',
    'p4$$w0rd!',
    'PASSWORD123',
    '12345678',
    '1234567890',
    '87654321',
    'qwertyuiop',
    'QWERTZUIOP',
    'abcdefgh',
    'aaaaaaaa',
    'abababab',
    'abcabcabc',
    'iloveyou',
    'iloveyou2024',
    'letmein!!!',
    'dragondragon',
    'drowssap',
    'sunshine',
    'Sunshine99!',
    'trustno1',
    '!monkey1!',
    '00000000',
    'football',
    'asdfghjkl',
    'passw0rdpassw0rd',
    'ｐａｓｓｗｏｒｄ',
    '1qaz2wsx',
  ])('%s is refused', async (password) => expect(await reason(password)).toBe('password.common'));

  it.each([
    'correct horse battery staple',
    'gkwpzmtb',
    'Ember-Lantern-Quietly',
    'x7!Kq2#vRt',
    'tiefblau und still',
    'мой зелёный чайник',
    '7f3c9a1e5b2d',
    'password manager of my aunt',
  ])('%s is not', (password) => expect(isCommon(password)).toBe(false));

  it('takes next to no random password for a common one', () => {
    let wrong = 0;
    for (let i = 0; i < 20_000; i++) {
      if (isCommon(createHash('sha256').update(`${i}`).digest('base64url').slice(0, 12))) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('looks at the longest ones without taking long', () => {
    const start = performance.now();
    for (const text of ['a'.repeat(256), 'ab'.repeat(128), `${'a'.repeat(255)}b`, '1'.repeat(128) + 'x'.repeat(128)])
      isCommon(text);
    expect(performance.now() - start).toBeLessThan(200);
  });
});

describe('personal passwords', () => {
  const anna = { email: 'Anna.Schmidt@example.com', names: ['Anna', 'Schmidt-Meier', undefined] };
  it.each([
    'anna.schmidt@example.com',
    'xx-Anna.Schmidt@Example.com-secret-and-long',
    'annaschmidt99',
    'Schmidt2024!',
    'ANNA.schmidt1',
    'example.com1',
    'schmidt-meier7',
    'evergreenbooks',
    'Evergreen Books 1',
    'evergreenbooks2026',
  ])('%s is refused', async (password) => expect(await reason(password, anna)).toBe('password.personal'));

  it.each(['the anaconda of my neighbour', 'anna walks through seven doors', 'gkwpzmtb'])(
    '%s is not',
    async (password) => expect(await reason(password, anna)).toBe('ok'),
  );
});

describe('breached passwords', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
  const digest = createHash('sha1').update('ember lantern quietly').digest('hex').toUpperCase();

  const rangeServer = async (
    answer: (path: string) => { status?: number; body?: string; wait?: number },
    timeout = 10_000,
  ) => {
    const asked: { path: string; padding: unknown }[] = [];
    const server = createServer((request, response) => {
      asked.push({ path: request.url!, padding: request.headers['add-padding'] });
      const { status = 200, body = '', wait = 0 } = answer(request.url!);
      setTimeout(() => response.writeHead(status).end(body), wait);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const log = { ...silentLog, warn: vi.fn() } as unknown as typeof silentLog & { warn: ReturnType<typeof vi.fn> };
    return { asked, log, asking: createPasswordPolicy({ log, settings: { breaches: { url, timeout } } }) };
  };

  it('are refused, and only five characters of a hash leave the house', async () => {
    const { asking, asked } = await rangeServer(() => ({
      body: `${'0'.repeat(35)}:7\r\n${digest.slice(5)}:3\r\n${'F'.repeat(35)}:0`,
    }));
    expect(await asking.assess('ember lantern quietly')).toMatchObject({ ok: false, reason: 'password.breached' });
    expect(asked).toEqual([{ path: `/range/${digest.slice(0, 5)}`, padding: 'true' }]);
  });

  it('others are let through, padding included', async () => {
    const { asking } = await rangeServer(() => ({ body: `${'0'.repeat(35)}:7\r\n${digest.slice(5)}:0\r\n` }));
    expect(await asking.assess('ember lantern quietly')).toEqual({ ok: true });
  });

  it.each([
    ['answers with a fault', { status: 503 }],
    ['does not answer in time', { wait: 2_000 }],
    ['sends one elsewhere', { status: 302 }],
  ])('a service that %s stands in nobody’s way', async (_, answer) => {
    const { asking, log } = await rangeServer(() => answer, 200);
    expect(await asking.assess('ember lantern quietly')).toEqual({ ok: true });
    expect(log.warn).toHaveBeenCalledOnce();
    expect(JSON.stringify(log.warn.mock.calls)).not.toMatch(/ember|lantern/);
  });

  it('nobody is asked about what is refused anyway', async () => {
    const { asking, asked } = await rangeServer(() => ({}));
    await asking.assess('password');
    expect(asked).toEqual([]);
  });
});
