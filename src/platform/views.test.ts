import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Koa from 'koa';
import supertest from 'supertest';
import { describe, expect, it } from 'vitest';
import { createAssets } from './assets.ts';
import { createBranding } from './branding.ts';
import { createForm } from './form.ts';
import { createViews, type PageContext } from './views.ts';
import { createWords } from './words.ts';

const dir = join(import.meta.dirname, '../../views');
const views = createViews({ dir, branding: createBranding({ name: 'Acme' }), strict: true });
const context: PageContext = { locale: 'en', nonce: 'n0nce', csrf: 'c5rf', url: '/x?a=1&lang=de' };
const page = (more: object = {}) => ({
  title: 'signin.identifier.title',
  form: createForm('/a', [{ name: 'email' }]),
  ...more,
});

const sources = (folder: string, ending: RegExp) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => ending.test(name))
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

describe('templates', () => {
  it('use only words there are', () => {
    const words = createWords({ dir });
    const codes = sources(dir, /\.eta$/).flatMap(({ name, text }) =>
      [...text.matchAll(/\bth?\('([\w.-]+)'[,)]/g)].map(([, code]) => ({ name, code: code ?? '' })),
    );
    expect(codes.length).toBeGreaterThan(100);
    expect(codes.filter(({ code }) => !words.has(code))).toEqual([]);
  });

  it('hold no inline handler, no inline style and no script without a nonce', () => {
    for (const { name, text } of sources(dir, /\.eta$/)) {
      if (/^(mail|partials\/letter|layouts\/letter)/.test(name)) continue;
      expect({ name, found: text.match(/\s(on\w+|style)=/g) }).toEqual({ name, found: null });
      expect({ name, found: text.match(/<(script|style)(?![^>]*(nonce|src="<%= asset))/g) }).toEqual({
        name,
        found: null,
      });
    }
  });

  it('put the guard into every form of ours', () => {
    for (const { name, text } of sources(dir, /\.eta$/)) {
      const forms = text.split('<form').slice(1);
      for (const form of forms)
        expect({ name, guarded: /partials\/(csrf|engine)/.test(form) }).toEqual({ name, guarded: true });
    }
  });
});

describe('a page', () => {
  it('escapes what people and applications bring', () => {
    const evil = '"><script>alert(1)</script>';
    const form = createForm(
      '/a',
      [
        { name: 'identifier', type: 'email', label: 'label.email' },
        { name: 'remember', type: 'checkbox' },
      ],
      {
        values: { identifier: evil },
        problems: [{ field: 'identifier', code: 'client.redirect_uris_refused', params: { problem: evil } }],
      },
    );
    const html = views.render(
      'signin/identifier',
      page({ form, client: { name: evil, logo: evil }, register: evil, forgot: evil, cancel: evil }),
      {
        ...context,
        url: `/x?${evil}`,
      },
    );
    expect(html).not.toContain('<script>alert');
    expect(html).not.toContain('"><script');
  });

  it('never gives a secret back', () => {
    const typed = { values: { password: 'correct horse', code: '123456', email: 'a@b.example' } };
    const form = createForm(
      '/a',
      [
        { name: 'password', type: 'password' },
        { name: 'code', type: 'code' },
        { name: 'email', type: 'email' },
      ],
      typed,
    );
    expect(JSON.stringify(form)).not.toMatch(/correct horse|123456/);
    expect(JSON.stringify(form)).toContain('a@b.example');
  });

  it('switches the language in place, keeping the query', () => {
    const html = views.render('oidc/home', page(), context);
    expect(html).toContain('href="/x?a=1&amp;lang=en"');
    expect(html).toContain('lang="en" dir="ltr"');
    expect(views.render('oidc/home', page(), { ...context, locale: 'ar-XB' })).toContain('dir="rtl"');
  });

  it('leads elsewhere for another language where its own address cannot be fetched', () => {
    expect(views.render('oidc/home', page({ languageUrl: '/setup?token=t' }), context)).toContain(
      'href="/setup?token=t&amp;lang=de"',
    );
    expect(views.render('oidc/home', page({ languageUrl: false }), context)).not.toContain('hreflang');
  });

  it('wears the colours of the application', () => {
    const plain = views.render('oidc/home', page(), context);
    const branded = views.render('oidc/home', page(), { ...context, clientBranding: { colour: '#e4002b' } });
    expect(plain).not.toContain('#e4002b');
    expect(branded).toContain('--brand:light-dark(#e4002b');
    // One that cannot be shown is left out, the page is not.
    expect(views.render('oidc/home', page(), { ...context, clientBranding: { colour: 'nope' } })).toContain('#2b62d0');
  });

  it('says something where a problem has no words yet', () => {
    const lenient = createViews({ dir, branding: createBranding({ name: 'Acme' }), production: true });
    const form = createForm('/a', [{ name: 'identifier' }], { problems: [{ field: 'identifier', code: 'brand.new' }] });
    expect(lenient.render('signin/identifier', page({ form }), context)).toContain('That did not work.');
  });

  it('weighs little', () => {
    const size = (name: string) => gzipSync(readFileSync(join(dir, 'assets', name))).length;
    expect(size('cardea.css')).toBeLessThan(6_500);
    expect(size('forms.js') + size('pow.js')).toBeLessThan(5_000);
  });
});

describe('a form', () => {
  it('ties a problem to its field and sums up several', () => {
    const specs = [
      { name: 'email', hint: 'hint.logo' },
      { name: 'terms', type: 'checkbox' as const },
    ];
    const one = createForm('/a', specs, { problems: [{ field: 'email', code: 'field.missing' }] });
    expect(one.fields.email).toMatchObject({ describedBy: 'f-email-hint f-email-problem', autofocus: true });
    expect(one.summary).toEqual([]);
    const two = createForm('/a', specs, {
      problems: [
        { field: 'email', code: 'field.missing' },
        { field: 'terms', code: 'terms.not_accepted' },
      ],
    });
    expect(two.summary.map(({ id }) => id)).toEqual(['f-email', 'f-terms']);
    expect(two.list.some(({ autofocus }) => autofocus)).toBe(false);
    expect(createForm('/a', specs, { problems: [{ code: 'credential.wrong' }] }).summary).toEqual([
      { code: 'credential.wrong' },
    ]);
  });

  it('keeps a box unticked that was unticked', () => {
    const specs = [{ name: 'remember', type: 'checkbox' as const, value: true }];
    expect(createForm('/a', specs).fields.remember?.value).toBe(true);
    expect(createForm('/a', specs, { values: {} }).fields.remember?.value).toBe(false);
    expect(createForm('/a', specs, { values: { remember: 'yes' } }).fields.remember?.value).toBe('yes');
  });
});

describe('a letter', () => {
  it('has a subject of one line, whatever the names hold', () => {
    const evil = 'Acme\r\nBcc: all@example.com\u2028X';
    const { subject } = views.renderLetter(
      'verify-address',
      { organisation: evil, code: '1', link: 'https://a/', minutes: 1 },
      'en',
    );
    expect(subject).toBe('1 is your code for Acme Bcc: all@example.com X');
  });

  it('says the same in text and HTML, in the language of its reader', () => {
    const params = { code: '482913', link: 'https://id.example/v?a=1&b=2', minutes: 15 };
    const { text, html, subject } = views.renderLetter('verify-address', params, 'de');
    expect(subject).toBe('482913 ist Ihr Code für Acme');
    expect(text).toContain('https://id.example/v?a=1&b=2');
    expect(text).toMatch(/^482913$/m);
    expect(html).toContain('href="https://id.example/v?a=1&amp;b=2"');
    expect(html).toContain('<html lang="de" dir="ltr">');
  });
});

describe('assets', () => {
  const koa = new Koa();
  const kept = createAssets({ dir: join(dir, 'assets') });
  koa.use(kept.middleware);
  const client = supertest(koa.callback());

  it('are kept for a year under a name that follows the content', async () => {
    const right = await client.get(kept.url('cardea.css')).set('accept-encoding', 'gzip');
    expect(right.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/css; charset=utf-8',
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
    });
    expect(right.text).toContain('light-dark(');
    const stale = await client.get('/assets/cardea.css?v=older').set('accept-encoding', 'identity');
    expect(stale.headers['cache-control']).toBe('no-cache');
    expect(stale.headers['content-encoding']).toBeUndefined();
    const again = await client.get('/assets/cardea.css').set('if-none-match', stale.headers.etag!);
    expect(again.status).toBe(304);
  });

  it.each(['/assets/../messages/en.json', '/assets/%2e%2e/messages/en.json', '/assets/nope.css', '/assets/'])(
    'are nothing else: %s',
    async (path) => {
      expect((await client.get(path)).status).toBe(404);
    },
  );
});
