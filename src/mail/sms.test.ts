import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createMovableClock } from '../../test/support/ground.ts';
import { Undeliverable } from '../events/index.ts';
import { createMailboxSms, createSms } from './sms.ts';
import { createHttpSms, type HttpSmsSettings } from './sms-http.ts';

let server: Server;
let url: string;
let asked: { headers: Record<string, unknown>; form: Record<string, string> }[] = [];
let answer: { status: number; body: string; delay?: number } = { status: 201, body: '{"sid":"SM1","status":"queued"}' };

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const form = Object.fromEntries(new URLSearchParams(await textOf(request)));
    asked.push({ headers: request.headers, form });
    const { status, body, delay = 0 } = answer;
    setTimeout(() => response.writeHead(status, { 'content-type': 'application/json' }).end(body), delay);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/2010-04-01/Accounts/AC1/Messages.json`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  answer = { status: 201, body: '{"sid":"SM1","status":"queued"}' };
});

const message = {
  id: 'm-1',
  to: '+442079460018',
  text: '123456 is your code\n\n@id.example #123456',
  date: new Date(),
};
const settings = (more: Partial<HttpSmsSettings> = {}): HttpSmsSettings => ({
  ...{ url, user: 'AC1', token: 's3cret:with&signs', from: '+15005550006', timeoutSeconds: 2 },
  ...more,
});
const send = (more: Partial<HttpSmsSettings> = {}) =>
  createHttpSms(settings(more)).send(message, new AbortController().signal);

describe('text messages over HTTP', () => {
  it('are posted as Twilio takes them, by number or by service', async () => {
    await send();
    await send({ messagingService: 'MG1' });
    const basic = `Basic ${Buffer.from('AC1:s3cret:with&signs').toString('base64')}`;
    expect(asked.map(({ form }) => form)).toEqual([
      { To: message.to, Body: message.text, From: '+15005550006' },
      { To: message.to, Body: message.text, MessagingServiceSid: 'MG1' },
    ]);
    expect(asked[0]!.headers).toMatchObject({
      authorization: basic,
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'idempotency-key': 'm-1',
    });
  });

  it.each([
    [400, '{"code":21211,"message":"The To number +442079460018 is not valid","status":400}'],
    [400, '{"code":21610}'],
    [201, '{"status":"failed","error_code":30007}'],
    [201, '{"status":"undelivered"}'],
  ])('are given up where no later try helps (%i %s), without the number in the words', async (status, body) => {
    answer = { status, body };
    const error = await send().catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(Undeliverable);
    expect((error as Error).message).not.toContain('4420');
  });

  it.each([
    [401, '{"code":20003}'],
    [429, '{"code":20429}'],
    [500, '<html>'],
    [503, ''],
    [302, ''],
  ])('are tried again after %i', async (status, body) => {
    answer = { status, body };
    const error = await send().catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(Undeliverable);
  });

  it('wait for a silent provider no longer than the setting says', async () => {
    answer = { status: 201, body: '{}', delay: 3_000 };
    const started = performance.now();
    await expect(send({ timeoutSeconds: 0.2 })).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('the outbox of text messages', () => {
  const deliver = async (until: Date, fail?: Error) => {
    const clock = createMovableClock();
    const recorded: object[] = [];
    const sent: string[] = [];
    const { consumer } = createSms({
      clock,
      events: { enqueue: async () => 'id', record: async (event: object) => String(recorded.push(event)) } as never,
      transport: {
        async send({ text }) {
          if (fail) throw fail;
          sent.push(text);
        },
      },
    });
    const delivery = { id: 'm', attempt: 1, createdAt: clock.now(), signal: new AbortController().signal };
    const payload = { to: message.to, text: message.text, until: until.toISOString() };
    const outcome = await (consumer.consume as never as (p: object, d: object) => Promise<void>)(
      payload,
      delivery,
    ).then(
      () => 'sent',
      (error: Error) => error.name,
    );
    return { outcome, sent, recorded };
  };

  it('sends none whose code has expired, and writes down what cannot be delivered', async () => {
    expect(await deliver(new Date('2026-01-01T00:05:00Z'))).toMatchObject({ outcome: 'sent', recorded: [] });
    const late = await deliver(new Date('2025-12-31T23:59:00Z'));
    expect(late).toMatchObject({ outcome: 'Undeliverable', sent: [] });
    expect(late.recorded).toEqual([{ type: 'sms.undeliverable', actor: { kind: 'system' }, data: { why: 'expired' } }]);
    const lost = await deliver(new Date('2026-02-01'), new Undeliverable('no such number'));
    expect(lost.recorded).toHaveLength(1);
    expect(await deliver(new Date('2026-02-01'), new Error('busy'))).toMatchObject({ outcome: 'Error', recorded: [] });
  });

  it('in development lies in the mailbox, escaped', async () => {
    const letters: { html: string; to: string; subject: string }[] = [];
    const transport = createMailboxSms({ send: async (letter) => void letters.push(letter) });
    await transport.send({ ...message, text: '<b>1</b>\nx' }, new AbortController().signal);
    expect(letters).toMatchObject([{ to: message.to, subject: 'SMS: <b>1</b>' }]);
    expect(letters[0]!.html).not.toContain('<b>');
  });
});
