import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Challenge, solveChallenge } from 'altcha-lib';
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { createVault } from '../../platform/index.ts';
import { type CaptchaSettings, createCaptcha } from './captcha.ts';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
});
afterAll(() => room.stop());
afterEach(() => void vi.useRealTimers());

const make = (settings: CaptchaSettings = {}, vault = room.vault) =>
  createCaptcha({ settings: { cost: 1, ...settings }, limits: room.limits, vault, clock: room.clock });
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const refused = { code: 'captcha.refused', kind: 'invalid' };

describe('altcha', () => {
  const ask = async (captcha = make()) => {
    const shown = await captcha.challenge();
    if (shown.provider !== 'altcha') throw new Error('another provider');
    return shown.challenge as Challenge;
  };
  const solve = async (challenge: Challenge) => ({
    challenge,
    solution: await solveChallenge({ challenge, deriveKey }),
  });

  it('a solved challenge is accepted, once', async () => {
    const captcha = make();
    const altcha = encoded(await solve(await ask()));
    await captcha.verify({ altcha });
    await expect(captcha.verify({ altcha })).rejects.toMatchObject(refused);
  });

  it('64 replays at once: one wins', async () => {
    const captcha = make();
    const altcha = encoded(await solve(await ask()));
    const all = await Promise.allSettled(Array.from({ length: 64 }, () => captcha.verify({ altcha })));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('a replay spelled otherwise is refused as well', async () => {
    const captcha = make();
    const { challenge, solution } = await solve(await ask());
    await captcha.verify({ altcha: encoded({ challenge, solution }) });
    const signature = challenge.signature!.toUpperCase();
    for (const again of [
      { solution, challenge },
      { challenge: { ...challenge, extra: 1 }, solution: { ...solution, time: 5 } },
      { challenge: { ...challenge, signature }, solution },
    ]) {
      await expect(captcha.verify({ altcha: encoded(again) })).rejects.toMatchObject(refused);
    }
  });

  it('expires', async () => {
    const altcha = encoded(await solve(await ask()));
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 21 * 60_000);
    await expect(make().verify({ altcha })).rejects.toMatchObject(refused);
  });

  it('nothing that was not solved or is not ours is accepted', async () => {
    const captcha = make();
    const challenge = await ask();
    const theirs = await ask(make({}, createVault('somebody else')));
    const { solution } = await solve(challenge);
    const { expiresAt: _, ...everlasting } = challenge.parameters;
    const { signature: __, ...unsigned } = challenge;
    for (const altcha of [
      'x',
      '{}',
      'null',
      encoded({}),
      encoded(null),
      encoded([]),
      encoded({ challenge, solution: null }),
      encoded({ challenge: null, solution }),
      encoded({ challenge, solution: { counter: 0, derivedKey: '00' } }),
      encoded({ challenge, solution: { ...solution, counter: solution!.counter + 1 } }),
      encoded({ challenge: { ...challenge, parameters: { ...challenge.parameters, keyPrefix: 'f' } }, solution }),
      encoded({ challenge: { ...challenge, parameters: everlasting }, solution }),
      encoded({ challenge: unsigned, solution }),
      encoded(await solve(theirs)),
      'A'.repeat(1_000_000),
    ]) {
      await expect(captcha.verify({ altcha })).rejects.toMatchObject(refused);
    }
    await expect(captcha.verify({})).rejects.toMatchObject({ code: 'captcha.missing' });
    await expect(captcha.verify({ altcha: [altchaOf(challenge)] })).rejects.toMatchObject(refused);
    await captcha.verify({ altcha: encoded({ challenge, solution }) });
  });
  const altchaOf = (challenge: Challenge) => encoded({ challenge });
});

describe('asked for', () => {
  const ip = () => `198.51.100.${Math.floor(Math.random() * 255)}`;

  it('always or never, when the operator says so', async () => {
    const asker = { kind: 'registration', ip: ip() } as const;
    expect(await make({ when: 'always' }).required(asker)).toBe(true);
    const never = make({ when: 'never' });
    for (let i = 0; i < 20; i++) await never.seen(asker);
    expect(await never.required(asker)).toBe(false);
  });

  it('when one address does it often, by that address', async () => {
    const captcha = make();
    const asker = { kind: 'registration', ip: '2001:db8:7:7::1' } as const;
    for (let i = 0; i < 3; i++) {
      expect(await captcha.required(asker)).toBe(false);
      await captcha.seen(asker);
    }
    expect(await captcha.required(asker)).toBe(true);
    expect(await captcha.required({ ...asker, ip: '2001:db8:7:7::2' })).toBe(true);
    expect(await captcha.required({ ...asker, ip: '2001:db8:7:8::1' })).toBe(false);
    expect(await captcha.required({ ...asker, kind: 'forgot' })).toBe(false);
  });

  it('when it is done often from everywhere, by everybody', async () => {
    const captcha = make({ fromEverywhere: { forgot: 5 } });
    for (let i = 0; i < 5; i++) await captcha.seen({ kind: 'forgot', ip: `203.0.113.${i}` });
    expect(await captcha.required({ kind: 'forgot', ip: '203.0.113.99' })).toBe(true);
  });
});

describe.each(['turnstile', 'hcaptcha'] as const)('%s', (provider) => {
  const field = { turnstile: 'cf-turnstile-response', hcaptcha: 'h-captcha-response' }[provider];
  let stop: (() => void) | undefined;
  afterEach(() => stop?.());

  const server = async (answer: { status?: number; body?: string; wait?: number }) => {
    const asked: Record<string, string>[] = [];
    const http = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      asked.push(Object.fromEntries(new URLSearchParams(body)));
      setTimeout(() => response.writeHead(answer.status ?? 200).end(answer.body), answer.wait ?? 0);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    stop = () => {
      http.closeAllConnections();
      http.close();
    };
    // Short only where it has to end: a busy machine is no fault.
    const timeout = answer.wait ? answer.wait / 10 : 10_000;
    const verifyUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}/siteverify`;
    return { asked, captcha: make({ provider, siteKey: 'site', secret: 'hidden', verifyUrl, timeout }) };
  };

  it('shows the provider’s element and believes its server', async () => {
    const { captcha, asked } = await server({ body: '{"success":true}' });
    expect(await captcha.challenge()).toMatchObject({ provider, field, siteKey: 'site' });
    expect(JSON.stringify(await captcha.challenge())).not.toContain('hidden');
    await captcha.verify({ [field]: 'answer' }, '192.0.2.1');
    expect(asked).toEqual([{ secret: 'hidden', response: 'answer', sitekey: 'site', remoteip: '192.0.2.1' }]);
  });

  it('refuses what its server refuses, and what is no answer without asking', async () => {
    const { captcha, asked } = await server({ body: '{"success":false}' });
    await expect(captcha.verify({ [field]: 'answer' })).rejects.toMatchObject(refused);
    await expect(captcha.verify({})).rejects.toMatchObject({ code: 'captcha.missing' });
    await expect(captcha.verify({ [field]: 'x'.repeat(20_000) })).rejects.toMatchObject(refused);
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['fails', { status: 500 }],
    ['does not answer in time', { wait: 2_000 }],
    ['answers nonsense', { body: '<html>' }],
  ])('is unavailable when its server %s', async (_, answer) => {
    const { captcha } = await server(answer);
    await expect(captcha.verify({ [field]: 'answer' })).rejects.toMatchObject({
      code: 'captcha.unavailable',
      kind: 'unavailable',
    });
  });

  it('needs its keys', () => {
    expect(() => make({ provider })).toThrow('captcha.not_configured');
  });
});
