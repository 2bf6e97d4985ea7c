import axe from 'axe-core';
import type { Browser, BrowserContext, Page as Tab } from 'playwright-core';
import { createClient, type Page, type Submission } from './client.ts';

type Values = Record<string, string | boolean | undefined>;

export interface View {
  url: URL;
  status: number;
  title: string;
  text: string;
  lang: string;
  dir: string;
  html: string;
}

/**
 * Walks through pages as a person does. Behind it stand a browser, a browser with JavaScript switched off, and a plain
 * HTTP client: a journey is written once and walked three times.
 */
export interface Walker {
  open(url: string): Promise<View>;
  /** Fills in the form that has these fields and presses a button. */
  submit(values?: Values, options?: Omit<Submission, 'extra'>): Promise<View>;
  /** Follows the link with this text. */
  click(text: string): Promise<View>;
  reload(): Promise<View>;
  back(): Promise<View>;
  /** What is on the page now. */
  see(): Promise<View>;
  /** Another tab of the same browser. */
  tab(): Promise<Walker>;
  /** What axe found on any page of this browser so far; undefined where it cannot run. */
  faults: string[];
  /** What the browser keeps; `expires` is not positive for what goes with it. */
  cookies(): Promise<{ name: string; value: string; path: string; expires: number }[]>;
  close(): Promise<void>;
}

export const MODES = ['browser', 'browser without JavaScript', 'plain client'] as const;
export type Mode = (typeof MODES)[number];

export interface WalkerOptions {
  browser: Browser | undefined;
  /** BCP 47; the browser's language. */
  language?: string;
  colorScheme?: 'light' | 'dark';
  viewport?: { width: number; height: number };
  /** A folder to leave a picture of each page in. */
  pictures?: string | undefined;
}

export async function createWalker(mode: Mode, options: WalkerOptions): Promise<Walker> {
  const { browser, language = 'en', colorScheme = 'light', viewport = { width: 1280, height: 800 } } = options;
  if (mode === 'plain client') return plainWalker(createClient({ headers: { 'accept-language': language } }));
  const context = await browser!.newContext({
    javaScriptEnabled: mode === 'browser',
    locale: language,
    colorScheme,
    viewport,
  });
  context.setDefaultTimeout(15_000);
  return browserWalker(context, await context.newPage(), { axe: mode === 'browser', pictures: options.pictures });
}

function plainWalker(client: ReturnType<typeof createClient>): Walker {
  const trail: Page[] = [];
  const at = (): Page => {
    const page = trail.at(-1);
    if (!page) throw new Error('no page is open');
    return page;
  };
  const go = (page: Page): Page => {
    trail.push(page);
    return page;
  };
  return {
    faults: [],
    open: async (url) => go(await client.open(url)),
    submit: async (values, options) => go(await client.submit(at(), values, options)),
    click: async (text) => go(await client.click(at(), text)),
    async reload() {
      const page = await client.load(at().url);
      trail.pop();
      return go(page);
    },
    async back() {
      trail.pop();
      return at();
    },
    see: async () => at(),
    tab: async () => plainWalker(client),
    cookies: async () =>
      client.cookies.all().map((kept) => ({ ...kept, expires: kept.expires === Infinity ? -1 : kept.expires })),
    close: async () => {},
  };
}

let pictureNumber = 0;

function browserWalker(
  context: BrowserContext,
  tab: Tab,
  options: { axe: boolean; pictures: string | undefined },
  faults: string[] = [],
): Walker {
  let status = 0;
  tab.on('response', (response) => {
    const request = response.request();
    if (request.isNavigationRequest() && request.frame() === tab.mainFrame()) status = response.status();
  });

  async function see(): Promise<View> {
    await tab.waitForLoadState('load');
    const main = tab.locator('main').first();
    const read = (await main.count()) > 0 ? main : tab.locator('body');
    // biome-ignore lint/performance/useDomNodeTextContent: what a person sees is meant, not what is hidden
    const text = await read.innerText();
    const root = tab.locator('html');
    return {
      url: new URL(tab.url()),
      status,
      title: await tab.title(),
      text: text.replace(/\s+/g, ' ').trim(),
      lang: (await root.getAttribute('lang')) ?? '',
      dir: (await root.getAttribute('dir')) ?? '',
      html: await tab.content(),
    };
  }

  async function arrived(): Promise<View> {
    const view = await see();
    if (options.axe) {
      await tab.evaluate(axe.source);
      const { violations } = (await tab.evaluate('axe.run()')) as axe.AxeResults;
      for (const { id, nodes } of violations)
        faults.push(`${view.title} (${view.url.pathname}): ${id}: ${nodes[0]?.html}`);
    }
    if (options.pictures) {
      const name = `${String(++pictureNumber).padStart(3, '0')}-${view.title.replace(/[^\w]+/g, '-').slice(0, 50)}.png`;
      await tab.screenshot({ path: `${options.pictures}/${name}`, fullPage: true });
    }
    return view;
  }

  async function moving(act: () => Promise<unknown>): Promise<View> {
    const moved = tab.waitForNavigation({ waitUntil: 'load' });
    moved.catch(() => {});
    await act();
    await moved;
    // A page that posts itself on (form_post, or the last step of a sign-in) moves once more.
    await tab.waitForLoadState('load');
    return arrived();
  }

  function formWith(names: string[], wanted: string | undefined) {
    let forms = tab.locator('form');
    for (const name of names) forms = forms.filter({ has: tab.locator(`[name="${name}"]`) });
    if (wanted === undefined) return forms.first();
    return forms
      .and(tab.locator(`form[action*="${wanted}"], form[id="${wanted}"], form:has([name="${wanted}"])`))
      .first();
  }

  return {
    faults,
    see,
    async open(url) {
      await tab.goto(url, { waitUntil: 'load' });
      return arrived();
    },
    async submit(values = {}, { form: wanted, button } = {}) {
      const names = Object.keys(values).filter((name) => values[name] !== undefined);
      // Without a name to go by: the page's question, not the small forms beside it (as the plain client does).
      const asking = tab.locator('form:has(input:not([type=hidden]), textarea, select)');
      const anyForm = names.length === 0 && wanted === undefined;
      const form = anyForm && !button && (await asking.count()) > 0 ? asking.first() : formWith(names, wanted);
      for (const [name, value] of Object.entries(values)) {
        if (value === undefined) continue;
        const field = form.locator(`[name="${name}"]:not([type=hidden])`);
        const type = await field.first().getAttribute('type');
        if (type === 'radio') await field.and(tab.locator(`[value="${value}"]`)).check();
        else if (typeof value === 'boolean') await field.setChecked(value);
        else if ((await field.first().evaluate((node) => node.tagName)) === 'SELECT') await field.selectOption(value);
        else await field.fill(value);
      }
      // Disabled for a moment while a proof of work is under way: clicking waits for it.
      const where = anyForm && button ? tab.locator('form') : form;
      const buttons = where.locator('button:not([type=button]):not([type=reset])');
      const chosen = button
        ? buttons.filter({ hasText: button }).or(where.locator(`button[name="${button}"], button[value="${button}"]`))
        : buttons;
      return moving(() => chosen.first().click());
    },
    click: (text) => moving(() => tab.locator(`a:has-text("${text}"), a[href*="${text}"]`).first().click()),
    reload: async () => {
      await tab.reload({ waitUntil: 'load' });
      return arrived();
    },
    back: async () => {
      await tab.goBack({ waitUntil: 'load' });
      return arrived();
    },
    tab: async () => browserWalker(context, await context.newPage(), options, faults),
    cookies: () => context.cookies(),
    close: () => context.close(),
  };
}
