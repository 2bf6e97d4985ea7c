import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, vi } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Cardea, type CardeaOptions, freePorts, startCardea } from '../support/cardea.ts';
import type { Page } from '../support/client.ts';
import { PASSWORD } from '../support/flows.ts';
import { relyingPartyClient, startRelyingParty } from '../support/relying-party.ts';
import { bootstrap, createPerson } from '../support/seeds.ts';
import { createWalker, type Mode, type Walker, type WalkerOptions } from '../support/walker.ts';

/** What a file of journeys plays on: Cardea with people in it, its demo, a second application that asks for consent, a browser. */
export interface Stage {
  cardea: Cardea;
  browser: Browser;
  /** A third party's application: the person is asked before it learns anything. */
  library: { url: string };
  /** Opens a browser of somebody new. `PICTURES=dir` leaves a picture of each page there. */
  walk(mode: Mode, options?: Omit<WalkerOptions, 'browser'>): Promise<Walker>;
}

export function setStage(options: CardeaOptions = {}): Stage {
  // A person takes many steps, each with a browser; on a busy machine that is long.
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
  const stage = {} as Stage;
  const stops: (() => Promise<unknown> | undefined)[] = [];

  beforeAll(async () => {
    const [port] = await freePorts(1);
    const seeds = { ...bootstrap, clients: [...bootstrap.clients, relyingPartyClient(port!)] };
    const [cardea, browser] = await Promise.all([startCardea({ bootstrap: seeds, ...options }), launchBrowser()]);
    stops.push(
      () => cardea.stop(),
      () => browser.close(),
    );
    const library = await startRelyingParty(cardea.issuer, port!);
    stops.push(() => library.stop());
    Object.assign(stage, { cardea, browser, library });
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });
  stage.walk = (mode, more) => createWalker(mode, { browser: stage.browser, pictures: process.env.PICTURES, ...more });
  return stage;
}

/** Accounts called so, at example.com. */
export const accountsOf = (names: readonly string[]) =>
  names.map((name) => ({ email: `${name}@example.com`, name, password: PASSWORD, state: 'Active' }));

export type Person = ReturnType<typeof createPerson>;

/** Through the pages of the sign-in until none is left, or one asks for more than a password. */
export async function signInAs(browser: Person, page: Page, name: string, password = PASSWORD): Promise<Page> {
  const answers: Record<string, (page: Page) => Promise<Page>> = {
    identifier: (page) => browser.submit(page, { identifier: `${name}@example.com` }),
    password: (page) => browser.submit(page, { password }),
    'passkey-offer': (page) => browser.submit(page, {}, { button: 'later' }),
    consent: (page) => browser.submit(page, {}, { button: 'allow' }),
  };
  for (let steps = 0; page.url.pathname.startsWith('/signin/') && page.status < 400 && steps < 8; steps++) {
    const answer = answers[page.url.pathname.split('/').at(-1)!];
    if (!answer) break;
    page = await answer(page);
  }
  return page;
}

/** Opens a page of one's own, signing in on the way. */
export const arriveAs = async (stage: Stage, name: string, path = '/account', browser = createPerson()) => ({
  browser,
  page: await signInAs(browser, await browser.open(`${stage.cardea.issuer}${path}`), name),
});
