import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/platform/index.ts';
import { createOldSystem, createTrickle } from '../../src/transfer/index.ts';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { signIn } from '../support/flows.ts';
import { createMovableClock } from '../support/ground.ts';
import { transferRoom } from '../support/transfer.ts';
import { createWalker } from '../support/walker.ts';

// A stand-in for the system people come from: it answers over real HTTP, or not, or something else.

const secret = 'the secret of the old system';
const old = new Map([['ada@old.example', 'difference engine no 2']]);
let how: 'well' | 'slowly' | 'failing' | 'redirecting' | 'endless' | 'garbage' = 'well';
let profile: Record<string, unknown> = {};
let atOnce = 0;
let mostAtOnce = 0;
const asked: { username: string; signature: string; body: string }[] = [];
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    response.once('close', () => atOnce--);
    const body = await text(request);
    const { username, password } = JSON.parse(body);
    asked.push({ username, signature: String(request.headers['cardea-signature']), body });
    if (how === 'slowly') return;
    if (how === 'failing') return response.writeHead(500).end();
    if (how === 'redirecting') return response.writeHead(307, { location: `${url}/elsewhere` }).end();
    if (how === 'garbage') return response.writeHead(200).end('<html>');
    if (how === 'endless') return response.writeHead(200).end('x'.repeat(1_000_000));
    const ok = old.get(username) === password;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok, ...(ok && { profile }) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  how = 'well';
  profile = {};
  asked.splice(0);
});

describe('the connector', () => {
  let room: Awaited<ReturnType<typeof transferRoom>>;
  const clock = createMovableClock();
  beforeAll(async () => {
    room = await transferRoom();
  });
  afterAll(() => room.stop());

  const connect = (options: { timeout?: number; trustEmail?: boolean; least?: number } = {}) => {
    const { timeout = 1, trustEmail = false, least = 20 } = options;
    const oldSystem = createOldSystem({ settings: { url, auth: 'hmac', secret, timeout }, clock, log: silentLog });
    const fields = { check: async (values: Record<string, unknown>) => values, list: async () => [] };
    const trickle = createTrickle({ ...room, fields, oldSystem, settings: { trustEmail, timeout, least } });
    return async (identifier: string, password: string) => {
      const user = await room.users.byEmail(identifier);
      return trickle.ask({ identifier, password, user, ip: '192.0.2.1', since: performance.now() });
    };
  };

  it('brings a person over when the old system knows the password, and never asks for them again', async () => {
    profile = { sub: 'old-1', name: 'Ada', email: 'Ada@Old.example', email_verified: true, locale: 'en', colour: 'x' };
    const ask = connect();
    expect(await ask('ada@old.example', 'wrong')).toBeUndefined();
    const ada = (await ask('ada@old.example', 'difference engine no 2'))!;
    expect(ada).toMatchObject({ state: 'Active', name: 'Ada', externalId: 'old-1' });
    expect(await room.passwords.check(ada.id, 'difference engine no 2')).toBe(true);
    const events = (await room.events.history({ subject: ada.id })).map(({ type, reason }) => [type, reason]);
    expect(events.toSorted()).toEqual([
      ['credential.added', 'old system'],
      ['user.created', 'old system'],
    ]);
    const times = asked.length;
    expect(await ask('ada@old.example', 'another')).toBeUndefined();
    expect(asked.length, 'whoever has a password here is not asked for there').toBe(times);
  });

  it('signs what it sends, with the time in it', async () => {
    await connect()('sig@old.example', 'x');
    const { signature, body } = asked[0]!;
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature)!;
    expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'));
    expect(Number(t)).toBe(Math.floor(clock.now().getTime() / 1000));
  });

  it('gives a password to an account that was imported without one, and fills in what it lacks', async () => {
    old.set('held@old.example', 'a long enough one');
    await room.bring([{ email: 'held@old.example', name: 'Kept' }]);
    profile = { name: 'Other', given_name: 'New', email_verified: true };
    const user = (await connect()('held@old.example', 'a long enough one'))!;
    expect(user).toMatchObject({ name: 'Kept', givenName: 'New', state: 'Active' });
    expect(await room.passwords.check(user.id, 'a long enough one')).toBe(true);
  });

  it('does not bring back who was deleted or suspended here, nor whom somebody has registered without proof', async () => {
    for (const state of ['Deleted', 'Suspended', 'Unverified'] as const) {
      const email = `${state.toLowerCase()}@old.example`;
      old.set(email, 'a long enough one');
      await room.bring([{ email, state }]);
      expect(await connect()(email, 'a long enough one'), state).toBeUndefined();
    }
    expect(asked).toEqual([]);
  });

  it('an address that nobody has proved is to be proved here; another one than was typed is not taken', async () => {
    old.set('unproved@old.example', 'a long enough one');
    expect(await connect()('unproved@old.example', 'a long enough one')).toMatchObject({ state: 'Created' });
    old.set('alias@old.example', 'a long enough one');
    profile = { email: 'chief@old.example', email_verified: true };
    expect(await connect()('alias@old.example', 'a long enough one')).toBeUndefined();
    expect(await room.users.byEmail('chief@old.example')).toBeUndefined();
  });

  it('64 sign-ins of one person at once make one account', async () => {
    old.set('many@old.example', 'a long enough one');
    profile = { email_verified: true };
    const ask = connect({ timeout: 5 });
    const all = await Promise.all(Array.from({ length: 64 }, () => ask('many@old.example', 'a long enough one')));
    const ids = new Set(all.filter(Boolean).map((user) => user!.id));
    expect(ids.size).toBe(1);
    const rows = await room.db.query(`select 1 from user_account where email_key = 'many@old.example'`);
    expect(rows).toHaveLength(1);
    expect(mostAtOnce, 'a rush here is none there').toBeLessThanOrEqual(20);
  });

  it.each(['slowly', 'failing', 'redirecting', 'garbage', 'endless'] as const)(
    'answering %s, it is taken for a no, and left alone after five times',
    async (ill) => {
      how = ill;
      old.set('ill@old.example', 'a long enough one');
      const ask = connect({ timeout: ill === 'slowly' ? 0.05 : 1 });
      for (let time = 0; time < 7; time++) expect(await ask('ill@old.example', 'a long enough one')).toBeUndefined();
      expect(asked).toHaveLength(5);
      clock.move(31);
      await Promise.all([1, 2, 3].map(() => ask('ill@old.example', 'wrong')));
      expect(asked, 'after half a minute one call tries it').toHaveLength(6);
      how = 'well';
      await ask('ill@old.example', 'wrong');
      expect(asked).toHaveLength(6);
      clock.move(31);
      await ask('ill@old.example', 'wrong');
      await ask('ill@old.example', 'wrong');
      expect(asked, 'it is well again').toHaveLength(8);
      old.delete('ill@old.example');
    },
  );

  it('a wrong password takes as long for who is here as for who is there and who is nowhere', async () => {
    await room.bring([{ email: 'native@old.example', password: 'seven quiet otters' }]);
    const ask = connect({ least: 400 });
    const time = async (email: string) => {
      const since = performance.now();
      expect(await ask(email, 'wrong')).toBeUndefined();
      return performance.now() - since;
    };
    const times: number[] = [];
    for (const email of ['native@old.example', 'ada@old.example', 'nobody@old.example', 'no-address']) {
      times.push(await time(email));
    }
    expect(Math.min(...times)).toBeGreaterThan(490);
    expect(Math.max(...times) / Math.min(...times)).toBeLessThan(1.8);
  });
});

describe('at the sign-in page', () => {
  let cardea: Cardea;
  beforeAll(async () => {
    cardea = await startCardea({
      settings: { trickle: { url, secret, auth: 'hmac', trust_email: true } },
    });
  });
  afterAll(() => cardea.stop());

  it('somebody of the old system signs in with the password from there, and later without it', async () => {
    old.set('page@old.example', 'difference engine no 3');
    profile = { name: 'Page Turner' };
    const walker = await createWalker('plain client', { browser: undefined });
    await walker.open(`${cardea.demo}/sign-in`);
    await walker.submit({ identifier: 'page@old.example' });
    const wrong = await walker.submit({ password: 'not it' });
    expect(wrong.status).toBe(422);
    await walker.submit({ password: 'difference engine no 3' });
    const [row] = await cardea.sql<{ state: string; hash: string }>(
      `select u.state, p.hash from user_account u join password p on p.user_id = u.id where u.email = 'page@old.example'`,
    );
    expect(row).toMatchObject({ state: 'Active', hash: expect.stringContaining('$argon2id$') });
    await walker.close();

    how = 'failing';
    const again = await createWalker('plain client', { browser: undefined });
    await again.open(`${cardea.demo}/sign-in`);
    const view = await signIn(again, { email: 'page@old.example', password: 'difference engine no 3' });
    expect(view.url.pathname).not.toContain('password');
    await again.close();
    expect(cardea.logs()).not.toContain('difference engine');
  });

  it('while the old system is down, everybody with a wrong password is told so, nobody’s account is made, and later it works', async () => {
    old.set('later@old.example', 'difference engine no 4');
    profile = { name: 'Later' };
    const attempt = async (email: string, password: string) => {
      const walker = await createWalker('plain client', { browser: undefined });
      await walker.open(`${cardea.demo}/sign-in`);
      await walker.submit({ identifier: email });
      const view = await walker.submit({ password });
      await walker.close();
      return view;
    };
    how = 'failing';
    const down = await attempt('later@old.example', 'difference engine no 4');
    expect(down.status).toBe(422);
    expect(down.text).toContain('cannot be reached just now');
    const known = await attempt('page@old.example', 'not it');
    expect(known.text, 'told to who is here as well, so that it tells nothing').toContain('cannot be reached just now');
    expect(await cardea.sql(`select 1 from user_account where email = 'later@old.example'`)).toEqual([]);
    how = 'well';
    const wrong = await attempt('later@old.example', 'not it');
    expect(wrong.text).not.toContain('cannot be reached');
    const right = await attempt('later@old.example', 'difference engine no 4');
    expect(right.url.pathname).not.toContain('password');
    expect(await cardea.sql(`select 1 from user_account where email = 'later@old.example'`)).toHaveLength(1);
  });
});
