import Koa from 'koa';
import supertest from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround } from '../../test/support/ground.ts';
import { createDevelopmentMailbox, type DevelopmentMailbox } from '../mail/index.ts';
import type { Presenter } from '../platform/http/index.ts';
import { newId, Refusal, statusOfKind } from '../platform/index.ts';
import { createMailbox } from './index.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
let mailbox: DevelopmentMailbox;
let shown: Record<string, unknown>;
let http: ReturnType<typeof supertest>;

const present: Pick<Presenter, 'page'> = {
  page(ctx, model) {
    shown = model as unknown as Record<string, unknown>;
    ctx.body = 'a page';
  },
};

beforeEach(async () => {
  ground = await createGround();
  mailbox = createDevelopmentMailbox(ground);
  const koa = new Koa();
  koa.use((ctx, next) =>
    next().catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      ctx.status = statusOfKind[error.kind];
    }),
  );
  koa.use(createMailbox({ mailbox, present, settings: { mode: 'development' } }).routes());
  http = supertest(koa.callback());
});
afterEach(() => ground.close());

const put = async (to: string, html = '<p>Hello</p>') => {
  ground.clock.move(1);
  const id = newId();
  const text = 'Open https://house.example/a?b=1 now';
  await mailbox.send(
    { id, letter: 'welcome', locale: 'en', from: 'a@b.example', to, subject: 'Hello', text, html, date: new Date() },
    new AbortController().signal,
  );
  return id;
};

describe('the mailbox page', () => {
  it('cannot be built in production', () => {
    expect(() => createMailbox({ mailbox, present, settings: { mode: 'production' } })).toThrow('development');
  });

  it('lists letters, newest first, and finds those to one address', async () => {
    const [first, second] = [await put('jane@example.com'), await put('john@example.com')];
    await http.get('/dev/mailbox').expect(200);
    expect((shown.letters as { id: string }[]).map(({ id }) => id)).toEqual([second, first]);
    const { body } = await http.get('/dev/mailbox.json?to=JANE@example.com').expect(200);
    expect(body.letters).toMatchObject([{ id: first, to: 'jane@example.com', letter: 'welcome', subject: 'Hello' }]);
  });

  it('shows a letter with its links', async () => {
    const id = await put('jane@example.com');
    await http.get(`/dev/mailbox/${id}`).expect(200);
    expect(shown).toMatchObject({ frame: `/dev/mailbox/${id}/html`, links: ['https://house.example/a?b=1'] });
  });

  it("a letter's markup can run nothing and send nothing", async () => {
    const id = await put('jane@example.com', '<script>alert(1)</script>');
    const { headers } = await http
      .get(`/dev/mailbox/${id}/html`)
      .expect(200)
      .expect('content-type', /text\/html/);
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/; sandbox$/);
    expect(policy).not.toContain('script-src');
    expect(headers['x-frame-options']).toBe('SAMEORIGIN');
  });

  it.each(['/dev/mailbox/nothing', '/dev/mailbox/%00', `/dev/mailbox/${newId()}/html`])(
    '%s is missing',
    async (path) => {
      await http.get(path).expect(404);
    },
  );

  it('takes odd questions for what they are', async () => {
    await put('jane@example.com');
    for (const query of ['to=%00', 'to=a&to=b', 'to=%F0%9F', 'to[]=x', 'to=%27%20or%201=1']) {
      await http.get(`/dev/mailbox.json?${query}`).expect(200);
    }
  });
});
