import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { startCardea } from '../support/cardea.ts';
import { agree, freshAddress, PASSWORD } from '../support/flows.ts';
import { createWalker, MODES } from '../support/walker.ts';

// Many steps in a browser, on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.each(MODES)('with a %s', (mode) => {
  it('the one-time link leads to an organisation, an administrator and an application, once', async () => {
    const cardea = await startCardea();
    const walker = await createWalker(mode, { browser, pictures: process.env.PICTURES });
    const link = await cardea.setupLink();
    let view = await walker.open(link);
    expect(view.status).toBe(200);
    // Opening it is not using it.
    await walker.open(link);
    view = await walker.submit({ name: 'Fernhill', colour: '#0a7a4a' });
    expect(view.html).toContain('name="password"');
    // The page that answers bears the name already.
    expect(view.text).toContain('Fernhill');

    view = await walker.submit({ name: 'Ada', email: 'not an address', password: 'short' });
    expect(view.status).toBe(422);
    const email = freshAddress('admin');
    view = await walker.submit({ name: 'Ada Lovelace', email, password: PASSWORD });
    expect(view.html).toContain('name="redirect_uris"');
    view = await walker.submit({
      name: 'Bookshop',
      kind: 'web',
      redirect_uris: 'https://shop.example.com/callback\nhttps://shop.example.com/other',
    });
    expect(view.text).toContain('Bookshop');
    expect(view.text).toMatch(/[\w-]{43}/);

    // The secret is shown once.
    const secret = view.text.match(/[\w-]{43}/)![0];
    view = await walker.open(link);
    expect(view.html).not.toContain(secret);
    expect(view.status).toBeGreaterThanOrEqual(400);

    view = await walker.open(`${cardea.demo}/sign-in`);
    expect(view.html).toContain('Fernhill');
    await walker.submit({ identifier: email });
    view = await agree(walker, await walker.submit({ password: PASSWORD }));
    expect(view.text).toContain('Ada Lovelace');

    expect(cardea.logs().split(link).length).toBe(2);
    expect(cardea.logs()).not.toContain(secret);
    expect(walker.faults).toEqual([]);
    await walker.close();
    expect(await cardea.stop()).toBe(0);
  });
});

it('a forged link opens nothing', async () => {
  const cardea = await startCardea();
  const walker = await createWalker('plain client', { browser: undefined });
  const link = await cardea.setupLink();
  for (const address of [link.slice(0, -4), link.replace(/=.*/, '=x'), link.replace(/\?.*/, '')]) {
    const view = await walker.open(address);
    expect(view.status).toBeGreaterThanOrEqual(400);
    expect(view.status).toBeLessThan(500);
    expect(view.html).not.toContain('name="password"');
  }
  await cardea.stop();
});
