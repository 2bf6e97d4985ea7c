import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround, eventually } from '../../test/support/ground.ts';
import { createEvents, createRelay, type Events, type Relay } from '../events/index.ts';
import {
  createDevelopmentMailbox,
  createMail,
  createSmtpTransport,
  type LetterViews,
  type Mail,
  type Transport,
} from './index.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
let events: Events;
let relay: Relay | undefined;
let closing: (() => Promise<unknown>)[];
let lines: string[];

beforeEach(async () => {
  ground = await createGround();
  events = createEvents(ground);
  closing = [];
  lines = [];
});
afterEach(async () => {
  await relay?.stop();
  relay = undefined;
  for (const close of closing.reverse()) await close();
  await ground.close();
});

const views: LetterViews = {
  renderLetter: (letter, params, locale) => ({
    subject: `${letter} in ${locale} with ${params.code ?? 'nothing'}`,
    text: `Open ${params.link} until ${params.when instanceof Date ? params.when.toISOString() : 'soon'}`,
    html: `<p>Open <a href="${params.link}">this</a></p>`,
  }),
};

const build = (transport: Transport): Mail => {
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) });
  const mail = createMail({
    ...ground,
    events,
    views,
    transport,
    settings: { from: 'The House <no-reply@house.example>', letters: { points: 5, window: 3_600 } },
  });
  relay = createRelay({ ...ground, log, consumers: { mail: mail.consumer }, pollSeconds: 0.05 });
  relay.start();
  return mail;
};

interface Received {
  from: string;
  to: string[];
  raw: string;
}

/** A real mail server. `answer` may refuse a recipient or a letter. */
const serve = async (
  options: {
    port?: number;
    secure?: boolean;
    starttls?: boolean;
    recipient?: () => Error | undefined;
    data?: () => Error | undefined;
    delay?: number;
  } = {},
) => {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    secure: options.secure ?? false,
    disabledCommands: options.starttls ? [] : ['STARTTLS', 'AUTH'],
    logger: false,
    onRcptTo: (_address, _session, done) => done(options.recipient?.()),
    onData(stream, session, done) {
      let raw = '';
      stream.on('data', (chunk: Buffer) => {
        raw += chunk.toString('utf8');
      });
      stream.on('end', async () => {
        await wait(options.delay ?? 0);
        const refusal = options.data?.();
        if (!refusal) {
          const { mailFrom, rcptTo } = session.envelope;
          received.push({ from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address), raw });
        }
        done(refusal);
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  closing.push(close);
  return { received, port, close };
};

const smtp = (port: number, patienceSeconds = 2) => {
  const transport = createSmtpTransport({ url: `smtp://127.0.0.1:${port}`, patienceSeconds });
  closing.push(transport.close);
  return transport;
};

const refusal = (responseCode: number) => Object.assign(new Error('<jane@example.com> is refused'), { responseCode });
const proof = { code: 'ABCD', link: 'https://house.example/verify?token=secret', minutes: 30 };
const toJane = { to: 'jane@example.com', locale: 'de', params: proof };
const parked = () => events.parked({ topic: 'mail' });
const moving = async (check: () => void | Promise<void>) =>
  eventually(
    async () => {
      ground.clock.move(10);
      await check();
    },
    { timeout: 10_000, interval: 100 },
  );

describe('a letter', () => {
  it('leaves with its transaction, composed in its language, marked as sent by a machine', async () => {
    const { received, port } = await serve();
    const mail = build(smtp(port));
    await ground.db
      .transact(async () => {
        await mail.send('verify-address', toJane);
        throw new Error('rolled back');
      })
      .catch(() => {});
    await mail.send('verify-address', toJane);
    await eventually(() => expect(received).toHaveLength(1));
    expect(received[0]).toMatchObject({ from: 'no-reply@house.example', to: ['jane@example.com'] });
    const { raw } = received[0]!;
    expect(raw).toContain('Subject: verify-address in de with ABCD');
    expect(raw).toContain('From: The House <no-reply@house.example>');
    expect(raw).toMatch(/Message-ID: <[0-9a-f-]{36}@house\.example>/);
    expect(raw).toContain('Auto-Submitted: auto-generated');
    expect(raw).toContain('multipart/alternative');
    await eventually(async () => expect(await events.backlog()).toEqual([]));
  });

  it('hands dates through the outbox as dates', async () => {
    const { received, port } = await serve();
    const at = new Date('2026-03-04T05:06:07Z');
    await build(smtp(port)).send('password-changed', {
      ...toJane,
      params: { when: at, link: 'https://house.example' },
    });
    await eventually(() => expect(received).toHaveLength(1));
    expect(received[0]!.raw).toContain('2026-03-04T05:06:07.000Z');
  });

  it('lies sealed in the outbox: neither address nor link can be read there', async () => {
    const mail = createMail({
      ...ground,
      events,
      views,
      transport: smtp(1),
      settings: { from: 'a@b.example', letters: { points: 5, window: 3_600 } },
    });
    await mail.send('verify-address', toJane);
    const rows = JSON.stringify(await ground.db.query('select * from outbox, letter_budget'));
    expect(rows).not.toContain('jane');
    expect(rows).not.toContain('token=secret');
  });
});

describe('the mail server', () => {
  it('is dead, then back: nothing is lost, and a repetition bears the same Message-ID', async () => {
    const first = await serve();
    await first.close();
    const mail = build(smtp(first.port));
    for (let i = 0; i < 5; i++) await mail.send('verify-address', { ...toJane, to: `jane${i}@example.com` });
    await eventually(() => expect(lines.join('')).toContain('a message was not delivered'));
    let lost = true;
    const ids: string[] = [];
    const second = await serve({
      port: first.port,
      // Taken, but the answer never says so: the letter must come again, recognisably.
      data: () => (lost ? refusal(451) : undefined),
    });
    await moving(() => expect(lines.join('')).toContain('451'));
    lost = false;
    await moving(() => expect(new Set(second.received.flatMap(({ to }) => to)).size).toBe(5));
    for (const { raw } of second.received) ids.push(/Message-ID: <([^@]+)/.exec(raw)![1]!);
    expect(new Set(ids).size).toBe(5);
    await eventually(async () => expect(await events.backlog()).toEqual([]));
    expect(await parked()).toEqual([]);
  });

  it('the same letter bears the same Message-ID and Date at every try', async () => {
    const headers: string[] = [];
    const transport = createSmtpTransport({ url: `smtp://127.0.0.1:${(await serve()).port}` });
    closing.push(transport.close);
    let fail = true;
    void build({
      async send(letter, signal) {
        headers.push(`${letter.id} ${letter.date.toISOString()}`);
        await transport.send(letter, signal);
        if (fail) {
          fail = false;
          throw new Error('killed before it was noted');
        }
      },
      close: async () => {},
    }).send('verify-address', toJane);
    await moving(() => expect(headers).toHaveLength(2));
    expect(headers[0]).toBe(headers[1]);
  });

  it.each([
    ['a recipient', 'recipient', 550],
    ['a letter', 'data', 554],
  ])('refuses %s for good: parked at once, told in the journal, tried no more', async (_, at, code) => {
    const { port } = await serve({ [at]: () => refusal(code) });
    await build(smtp(port)).send('verify-address', toJane);
    await eventually(async () => expect(await parked()).toMatchObject([{ attempts: 1 }]));
    expect((await parked())[0]!.failure).toMatch(new RegExp(`${code} .*\\[address\\]`));
    expect(await events.history({ type: 'letter.undeliverable' })).toMatchObject([
      { data: { letter: 'verify-address' } },
    ]);
  });

  it('refuses a recipient for now: tried again', async () => {
    let times = 0;
    const { received, port } = await serve({ recipient: () => (++times < 3 ? refusal(450) : undefined) });
    await build(smtp(port)).send('verify-address', toJane);
    await moving(() => expect(received).toHaveLength(1));
    expect(await parked()).toEqual([]);
  });

  it('does not let us in: letters wait until the configuration is mended', async () => {
    const server = new SMTPServer({
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      onAuth: (_auth, _session, done) => done(new Error('wrong password')),
    });
    server.on('error', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const { port } = server.server.address() as AddressInfo;
    const transport = createSmtpTransport({ url: `smtp://user:hunter2@127.0.0.1:${port}?requireTLS=false` });
    closing.push(transport.close);
    await build(transport).send('verify-address', toJane);
    await eventually(() => expect(lines.join('')).toContain('EAUTH'));
    expect(await parked()).toEqual([]);
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('gets no password in the clear unless told to', async () => {
    const { port } = await serve();
    const transport = createSmtpTransport({ url: `smtp://user:hunter2@127.0.0.1:${port}`, patienceSeconds: 2 });
    closing.push(transport.close);
    await build(transport).send('verify-address', toJane);
    await eventually(() => expect(lines.join('')).toContain('a message was not delivered'));
    expect(lines.join('')).toContain('ETLS');
  });

  it.each([
    ['from the first byte', { secure: true }, 'smtps'],
    ['after STARTTLS', { starttls: true }, 'smtp'],
  ])('speaks TLS %s: its certificate is checked, unless the operator says otherwise', async (_, how, scheme) => {
    const { received, port } = await serve(how);
    const [strict, lax] = ['', '?tls.rejectUnauthorized=false'].map((query) =>
      createSmtpTransport({ url: `${scheme}://127.0.0.1:${port}${query}`, patienceSeconds: 2 }),
    );
    closing.push(strict!.close, lax!.close);
    const mail = build(strict!);
    await mail.send('verify-address', toJane);
    await eventually(() => expect(lines.join('')).toMatch(/self[- ]signed|certificate/));
    expect([received, await parked()]).toEqual([[], []]);
    await relay!.stop();
    build(lax!);
    await moving(() => expect(received).toHaveLength(1));
  });

  it('is slow, or says nothing at all: the letter is tried again later and others are not held up for ever', async () => {
    const { received, port } = await serve({ delay: 300 });
    const mail = build(smtp(port));
    for (let i = 0; i < 10; i++) await mail.send('verify-address', { ...toJane, to: `jane${i}@example.com` });
    await eventually(() => expect(received).toHaveLength(10));

    const { createServer } = await import('node:net');
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => mute.close(resolve)));
    const transport = smtp((mute.address() as AddressInfo).port, 0.3);
    await expect(
      transport.send(
        {
          id: 'x',
          letter: 'verify-address',
          locale: 'en',
          from: 'a@b.example',
          to: 'c@d.example',
          subject: '',
          text: '',
          html: '',
          date: new Date(),
        },
        new AbortController().signal,
      ),
    ).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('no log line ever holds an address or a link', async () => {
    const { port } = await serve({ recipient: () => refusal(450) });
    await build(smtp(port)).send('verify-address', toJane);
    await moving(() => expect(lines.length).toBeGreaterThan(2));
    expect(lines.join('')).not.toMatch(/jane|token=secret/);
  });
});

describe('a recipient', () => {
  it.each([
    'jane@example.com\r\nBcc: all@example.com',
    'jane@example.com, john@example.com',
    'Jane <jane@example.com>',
    'jane@exa mple.com',
    'jane@',
    '@example.com',
    'jane',
    '"jane john"@example.com',
    'jane@[127.0.0.1]',
    'jane\u200b@example.com',
    `${'j'.repeat(65)}@example.com`,
    'jane..doe@example.com',
  ])('%j is refused', async (to) => {
    const mail = build(createDevelopmentMailbox(ground));
    await expect(mail.send('verify-address', { ...toJane, to })).rejects.toMatchObject({
      code: 'mail.address_malformed',
      kind: 'invalid',
    });
  });

  it('may be written in any script', async () => {
    const { received, port } = await serve();
    const mail = build(smtp(port));
    await mail.send('verify-address', { ...toJane, to: 'jürgen@bücher.example' });
    await mail.send('verify-address', { ...toJane, to: 'juergen@bücher.example' });
    await mail.send('verify-address', { ...toJane, to: '用户@例子.example' });
    await eventually(() => expect(received).toHaveLength(3));
    // Any server takes an ASCII local part at an A-label; this one shows U-labels in its envelope.
    expect(received.map(({ raw }) => raw).join()).toContain('juergen@xn--bcher-kva.example');
  });

  it('what fills a subject cannot start another header', async () => {
    const { received, port } = await serve();
    const params = { ...proof, code: 'Jane\r\nBcc: all@example.com\u2028X: y' };
    await build(smtp(port)).send('verify-address', { ...toJane, params });
    await eventually(() => expect(received).toHaveLength(1));
    expect(received[0]!.to).toEqual(['jane@example.com']);
    const head = received[0]!.raw.split('\r\n\r\n')[0]!;
    expect(head).not.toMatch(/^(bcc|x):/im);
  });

  it('gets so many letters an hour, however the address is spelled; notices come through', async () => {
    const mail = build(createDevelopmentMailbox(ground));
    for (const to of [
      'jane@example.com',
      'JANE@example.com',
      'jane+1@example.com',
      'jane@EXAMPLE.com',
      'ｊane@example.com',
    ]) {
      await mail.send('reset-password', { ...toJane, to });
    }
    const refused = await mail.send('verify-address', toJane).catch((error) => error);
    expect(refused).toMatchObject({ code: 'mail.too_many', kind: 'limited', retryAfter: 720 });
    await mail.send('password-changed', { ...toJane, params: { when: new Date(), link: 'https://house.example' } });
    await mail.send('verify-address', { ...toJane, to: 'john@example.com' });
    ground.clock.move(720);
    await mail.send('verify-address', toJane);
    await expect(mail.send('verify-address', toJane)).rejects.toMatchObject({ code: 'mail.too_many' });
  });

  it('of 64 letters asked for at once gets no more than the budget; a rollback gives it back', async () => {
    const mail = build(createDevelopmentMailbox(ground));
    await ground.db
      .transact(async () => {
        await mail.send('reset-password', toJane);
        throw new Error('rolled back');
      })
      .catch(() => {});
    const sent = await Promise.allSettled(Array.from({ length: 64 }, () => mail.send('reset-password', toJane)));
    expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  });

  it('a refusal leaves the transaction usable', async () => {
    const mail = build(createDevelopmentMailbox(ground));
    for (let i = 0; i < 5; i++) await mail.send('reset-password', toJane);
    await ground.db.transact(async () => {
      await mail.send('reset-password', toJane).catch(() => {});
      await mail.send('reset-password', { ...toJane, to: 'john@example.com' });
    });
  });
});

describe("development's mailbox", () => {
  it('keeps each letter once, newest first, found by any spelling of the recipient', async () => {
    const mailbox = createDevelopmentMailbox(ground);
    const mail = build(mailbox);
    await mail.send('verify-address', toJane);
    await eventually(async () => expect(await mailbox.list()).toHaveLength(1));
    ground.clock.move(1);
    await mail.send('reset-password', { ...toJane, to: 'john@example.com' });
    await eventually(async () => expect(await mailbox.list()).toHaveLength(2));
    expect((await mailbox.list()).map(({ letter }) => letter)).toEqual(['reset-password', 'verify-address']);
    const [letter] = await mailbox.list({ to: 'JANE@Example.com' });
    expect(letter).toMatchObject({
      to: 'jane@example.com',
      locale: 'de',
      html: expect.stringContaining('token=secret'),
    });
    expect(await mailbox.find(letter!.id)).toEqual(letter);
    expect(await mailbox.find('no id')).toBeUndefined();
    await mailbox.send({ ...letter!, letter: 'verify-address', date: new Date() }, new AbortController().signal);
    expect(await mailbox.list()).toHaveLength(2);
  });
});
