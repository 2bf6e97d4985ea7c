import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createChallenge, verifySolution } from 'altcha-lib';
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerPage } from '../src/signin/pages/register.ts';
import { browserOrSkip } from './support/browser.ts';
import { exhibits, type Gallery, letters, serveGallery } from './support/gallery.ts';

/** Every page in every state, in a real browser, with the real headers. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser: Browser | undefined = await browserOrSkip('the look of the pages');
let gallery: Gallery;

beforeAll(async () => {
  gallery = await serveGallery({
    name: 'Bauer Maschinenbau',
    colour: '#ffd500',
    terms: 'https://bauer.example/terms',
    privacy: 'https://bauer.example/privacy',
  });
});
afterAll(async () => {
  await browser?.close();
  await gallery?.close();
});

interface Looked {
  /** What the browser complained about: blocked by the policy, not found, thrown. */
  complaints: string[];
  page: Page;
}

async function look(context: BrowserContext, path: string): Promise<Looked> {
  const looked = await openTab(context);
  await looked.page.goto(`${gallery.url}/${path}`);
  return looked;
}

async function openTab(context: BrowserContext): Promise<Looked> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on(
    'response',
    (response) => response.status() >= 400 && complaints.push(`${response.status()} ${response.url()}`),
  );
  return { complaints, page };
}

const widest = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

async function faultsByAxe(page: Page, rules?: string[]): Promise<string[]> {
  // Through the protocol, not as a script element: the page's policy would rightly refuse it.
  await page.evaluate(axe);
  return page.evaluate(async (only) => {
    const { axe } = window as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run({
      iframes: false,
      resultTypes: ['violations'],
      ...(only && { runOnly: only }),
    });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  }, rules);
}

describe.skipIf(!browser)('every page', { timeout: 400_000 }, () => {
  // The page that sends itself is gone before anybody can look at it.
  const all = [...exhibits.map(({ name }) => name), ...Object.keys(letters).map((name) => `letter/${name}`)];
  const names = all.filter((name) => name !== 'form-post');
  /** One for each template: for what depends on the page and not on its state. */
  const templates = [...new Map(exhibits.map(({ name, model }) => [model.page, name])).values()];
  const distinct = names.filter((name) => templates.includes(name) || name === 'letter/verify-address');

  const faultsOf = async (
    chosen: string[],
    options: BrowserContextOptions,
    find: (page: Page) => Promise<string[]>,
    query = '',
  ) => {
    const context = await browser!.newContext({ reducedMotion: 'reduce', ...options });
    const found: Record<string, string[]> = {};
    const queue = [...chosen];
    const walk = async () => {
      const { page, complaints } = await openTab(context);
      for (let name = queue.shift(); name; name = queue.shift()) {
        await page.goto(`${gallery.url}/${name}${query}`);
        const faults = [...complaints.splice(0), ...(await find(page))];
        if (faults.length) found[name] = faults;
      }
    };
    await Promise.all([walk(), walk()]);
    await context.close();
    return found;
  };
  const tooWide = async (page: Page) => ((await widest(page)) > 0 ? ['wider than the window'] : []);
  const narrow = { viewport: { width: 320, height: 700 } };

  it('has no fault that axe finds', async () => {
    expect(await faultsOf(names, { colorScheme: 'light' }, (page) => faultsByAxe(page))).toEqual({});
  });

  it('can be read in dark colours', async () => {
    expect(await faultsOf(names, { colorScheme: 'dark' }, (page) => faultsByAxe(page, ['color-contrast']))).toEqual({});
  });

  it('fits 320 pixels with German words', async () => {
    expect(await faultsOf(names, narrow, tooWide, '?locale=de')).toEqual({});
  });

  it('runs from right to left', async () => {
    expect(await faultsOf(distinct, narrow, tooWide, '?locale=ar-XB')).toEqual({});
  });
});

describe.skipIf(!browser)('a page in use', () => {
  let context: BrowserContext;
  beforeAll(async () => {
    context = await browser!.newContext({ viewport: { width: 1280, height: 800 } });
  });
  afterAll(async () => {
    await context?.close();
  });

  it('gives the focus to what needs it first', async () => {
    const focused = async (name: string) => {
      const { page } = await look(context, name);
      const found = await page.evaluate(
        () => document.activeElement?.getAttribute('name') ?? document.activeElement?.getAttribute('role'),
      );
      await page.close();
      return found;
    };
    expect(await focused('identifier')).toBe('identifier');
    expect(await focused('identifier-refused')).toBe('identifier');
    expect(await focused('register-refused')).toBe('alert');
  });

  it('ties every problem to its field', async () => {
    const { page } = await look(context, 'register-refused');
    const email = page.getByLabel('Email');
    expect(await email.getAttribute('aria-invalid')).toBe('true');
    const problem = page.locator(`#${await email.getAttribute('aria-describedby')}`);
    expect(await problem.textContent()).toContain('does not look like a whole address');
    await page.getByRole('alert').getByRole('link').first().click();
    expect(await email.evaluate((input) => input === document.activeElement)).toBe(true);
    expect(await page.getByLabel('Password', { exact: true }).inputValue()).toBe('');
    await page.close();
  });

  it('shows and hides a password, and hides it again before it is sent', async () => {
    const { page } = await look(context, 'password');
    const field = page.getByLabel('Password', { exact: true });
    await field.fill('correct horse');
    const toggle = page.getByRole('button', { name: 'Show password' });
    await toggle.click();
    expect([await field.getAttribute('type'), await toggle.getAttribute('aria-pressed')]).toEqual(['text', 'true']);
    await page.evaluate(() => {
      document.forms[0]?.addEventListener('submit', (event) => event.preventDefault());
    });
    await page.keyboard.press('Enter');
    expect(await field.getAttribute('type')).toBe('password');
    await page.close();
  });

  it('sends a form once', async () => {
    const { page } = await look(context, 'forgot-plain');
    let sent = 0;
    await page.route('**/signin/**', async (route) => {
      sent++;
      await new Promise((resolve) => setTimeout(resolve, 300));
      await route.fulfill({ body: 'sent' });
    });
    await page.getByRole('button', { name: 'Send me a link' }).dblclick({ noWaitAfter: true });
    await page.getByText('sent', { exact: true }).waitFor();
    expect(sent).toBe(1);
    await page.close();
  });

  it('takes a code out of what was copied', async () => {
    const { page } = await look(context, 'verify');
    await page.getByLabel('Code').evaluate((input) => {
      const data = new DataTransfer();
      data.setData('text', ' Your code: 482 913 ');
      input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    });
    expect(await page.getByLabel('Code').inputValue()).toBe('482913');
    await page.close();
  });

  it('works without JavaScript', async () => {
    const plain = await browser!.newContext({ javaScriptEnabled: false });
    const { page } = await look(plain, 'register-full');
    expect(await page.getByRole('button', { name: /Show/ }).count()).toBe(0);
    expect(await page.locator('noscript').textContent()).toContain('switch on JavaScript');
    const { page: post } = await look(plain, 'form-post');
    expect(await post.locator('noscript button').count()).toBe(1);
    await plain.close();
  });

  it('sends the automatic form by itself, under the policy', async () => {
    const page = await context.newPage();
    const answer = page.waitForRequest((request) => request.method() === 'POST');
    await page.goto(`${gallery.url}/form-post`, { waitUntil: 'commit' });
    expect((await answer).postData()).toBe('code=c%22%3C&state=s');
    await page.waitForURL('**/signed-out');
    await page.close();
  });
});

describe.skipIf(!browser)('the proof of work', () => {
  it('is solved by the browser and accepted by the server, and the form waits for it', async () => {
    const secret = 'a secret for this test';
    const challenge = await createChallenge({
      algorithm: 'PBKDF2/SHA-256',
      cost: 500,
      keyPrefix: '00',
      deriveKey,
      expiresAt: new Date(Date.now() + 600_000),
      hmacSignatureSecret: secret,
    });
    const model = registerPage({ uid: 'u', minLength: 8, captcha: { provider: 'altcha', field: 'altcha', challenge } });
    const own = await serveGallery({ name: 'Acme' }, { work: model });
    const page = await browser!.newPage();
    let posted: URLSearchParams | undefined;
    await page.route('**/signin/u/register', async (route) => {
      posted = new URLSearchParams(route.request().postData() ?? '');
      await route.fulfill({ body: 'sent' });
    });
    await page.goto(`${own.url}/work`);
    expect(await page.getByRole('status').textContent()).toMatch(/Check/);
    // At once: most likely before the sum is done.
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('sent', { exact: true }).waitFor();
    const payload = JSON.parse(Buffer.from(posted?.get('altcha') ?? '', 'base64').toString());
    const { verified } = await verifySolution({ ...payload, deriveKey, hmacSignatureSecret: secret });
    expect(verified).toBe(true);
    expect(posted?.get('csrf')).toBe('token');
    await page.close();
    await own.close();
  });
});
