import { type Cookies, createCookies } from './cookies.ts';
import { type Document, type Form, readHtml } from './html.ts';

/** A page as the plain client sees it. */
export interface Page extends Document {
  url: URL;
  status: number;
  headers: Headers;
  html: string;
  /** The addresses on the way here, redirects included. */
  way: { status: number; url: string }[];
}

type Values = Record<string, string | boolean | undefined>;
export interface Submission {
  /** Which form: part of its action, or a field it must have. Without it the one form that has all the values' fields. */
  form?: string;
  /** Which button: part of its text, its name or its value. Without it the first. */
  button?: string;
  /** Send as it is told, though no such field is on the page. */
  extra?: Record<string, string>;
}

export interface ClientOptions {
  /** Sent with each request, for example `accept-language`. */
  headers?: Record<string, string>;
  cookies?: Cookies;
  /** Addresses that are not asked: a redirect there ends at a page with status 0. */
  outside?: RegExp;
}

/** A browser without JavaScript: keeps cookies, follows redirects one by one, fills and submits forms. */
export function createClient({ headers = {}, cookies = createCookies(), outside }: ClientOptions = {}) {
  async function request(url: string | URL, init: RequestInit = {}, from?: URL): Promise<Response> {
    const target = new URL(url);
    const jar = cookies.header(target);
    const response = await fetch(target, {
      ...init,
      redirect: 'manual',
      headers: {
        accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
        'accept-language': 'en',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'sec-fetch-site': siteOf(from, target),
        ...(jar && { cookie: jar }),
        ...headers,
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    cookies.take(target, response.headers);
    return response;
  }

  async function load(url: string | URL, init: RequestInit = {}, from?: URL): Promise<Page> {
    const way: Page['way'] = [];
    let target = new URL(url);
    for (let hop = 0; hop < 20; hop++) {
      if (outside?.test(target.href)) {
        return { ...readHtml(''), url: target, status: 0, headers: new Headers(), html: '', way };
      }
      const response = await request(target, init, from);
      way.push({ status: response.status, url: target.href });
      const location = response.headers.get('location');
      if (response.status < 300 || response.status > 399 || !location) {
        const html = await response.text();
        return { ...readHtml(html), url: target, status: response.status, headers: response.headers, html, way };
      }
      await response.body?.cancel();
      target = new URL(location, target);
      // 303 (and, as browsers do, 301 and 302 after a POST) ask with GET.
      if (response.status !== 307 && response.status !== 308) init = {};
    }
    throw new Error(`more than 20 redirects: ${way.map((hop) => hop.url).join(' → ')}`);
  }

  /** Fills in the form of a page and presses a button of it. A field that is not there is an error, as for a person. */
  async function submit(page: Page, values: Values = {}, { form: wanted, button: label, extra }: Submission = {}) {
    const given = Object.keys(values).filter((name) => values[name] !== undefined);
    const form = pickForm(page, given, wanted);
    const button = label
      ? form.buttons.find((b) => b.text.includes(label) || b.name === label || b.value === label)
      : form.buttons[0];
    if (label && !button) throw new Error(`no button “${label}” in ${describe(page, [form])}`);
    const body = new URLSearchParams();
    for (const field of form.fields) {
      const given = values[field.name];
      if (field.type === 'checkbox' || field.type === 'radio') {
        const ticked = given === undefined ? field.checked : given === true || given === field.value;
        if (ticked) body.append(field.name, field.value);
      } else if (typeof given === 'boolean') {
        throw new Error(`${field.name} is no checkbox in ${describe(page, [form])}`);
      } else if (field.type !== 'submit') {
        body.append(field.name, given ?? field.value);
      }
    }
    if (button?.name) body.append(button.name, button.value);
    for (const [name, value] of Object.entries(extra ?? {})) body.set(name, value);
    const action = new URL(button?.action ?? (form.action || page.url.href), page.url);
    if (form.method === 'GET') {
      action.search = body.toString();
      return load(action, {}, page.url);
    }
    return load(action, { method: 'POST', body }, page.url);
  }

  async function click(page: Page, text: string): Promise<Page> {
    const link = page.links.find((each) => each.text.includes(text) || each.href.includes(text));
    if (!link) throw new Error(`no link “${text}” on ${describe(page)}`);
    return load(new URL(link.href, page.url), {}, page.url);
  }

  return { cookies, request, open: (url: string | URL) => load(url), load, submit, click };
}

export type PlainClient = ReturnType<typeof createClient>;
export type { Cookies };

function pickForm(page: Page, names: string[], wanted?: string): Form {
  const has = (form: Form, name: string) => form.fields.some((field) => field.name === name);
  const found = page.forms.filter(
    (form) =>
      names.every((name) => has(form, name)) &&
      (wanted === undefined || form.action.includes(wanted) || has(form, wanted) || form.id === wanted),
  );
  // A page has one question; small forms beside it (language, another account) post as well, but hold no visible field.
  const asks = found.filter((form) => form.fields.some(({ type }) => type !== 'hidden'));
  const form = (wanted === undefined ? asks[0] : undefined) ?? found[0];
  if (!form) throw new Error(`no form with ${[...names, wanted].filter(Boolean).join(', ')} on ${describe(page)}`);
  return form;
}

const describe = (page: Page, forms = page.forms) =>
  `${page.status} ${page.url} “${page.title}”: ${forms
    .map(
      (form) =>
        `${form.method} ${form.action} (${form.fields.map((f) => f.name)}) [${form.buttons.map((b) => b.text)}]`,
    )
    .join('; ')}\n${page.text.slice(0, 600)}`;

function siteOf(from: URL | undefined, to: URL): string {
  if (!from) return 'none';
  if (from.origin === to.origin) return 'same-origin';
  return from.hostname === to.hostname ? 'same-site' : 'cross-site';
}
