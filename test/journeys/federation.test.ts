import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { agree, OTHER_PASSWORD, PASSWORD, signOut } from '../support/flows.ts';
import { createWalker, MODES, type Mode, type View, type Walker } from '../support/walker.ts';

/** A second Cardea is the provider: real HTTP, a real browser, both ends of the protocol. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let browser: Browser;
/** Where the accounts are that people come with. */
let there: Cardea;
/** Where they sign in. */
let here: Cardea;

const secret = 'a secret of both that is long enough';
const people = (names: string[]) =>
  names.map((name) => ({
    email: `${name}@there.example`,
    name: `${name} There`,
    given_name: name,
    password: PASSWORD,
  }));
const stepOf = ({ url }: View) => url.pathname.split('/').at(-1);

beforeAll(async () => {
  browser = await launchBrowser();
  const [port, otherPort] = await freePorts(2);
  const issuer = `http://localhost:${port}`;
  const callbacks = (id: string) => ({
    redirect_uris: [`${issuer}/federation/${id}/callback`],
    post_logout_redirect_uris: [`${issuer}/federation/${id}/signed-out`],
    backchannel_logout_uri: `${issuer}/federation/${id}/backchannel-logout`,
    backchannel_logout_session_required: true,
    first_party: true,
  });
  there = await startCardea({
    // Cookies know no ports: on one host the two would overwrite each other's.
    env: { PORT: String(otherPort), CARDEA_ISSUER: `http://127.0.0.1:${otherPort}` },
    settings: { demo: { enabled: false }, branding: { name: 'There' } },
    bootstrap: {
      users: people(MODES.flatMap((_, n) => [`new${n}`, `linked${n}`, `known${n}`, `hint${n}`, `own${n}`])),
      clients: [
        { client_id: 'here', client_secret: secret, client_name: 'Here', ...callbacks('there') },
        {
          client_id: 'here-by-key',
          client_name: 'Here',
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
          jwks_uri: `${issuer}/jwks`,
          ...callbacks('key'),
        },
      ],
    },
  });
  const provider = { issuer: there.issuer, client_secret: secret };
  here = await startCardea({
    env: { PORT: String(port), CARDEA_ISSUER: issuer },
    bootstrap: {
      users: MODES.flatMap((_, n) => [
        { email: `linked${n}@there.example`, password: OTHER_PASSWORD },
        { email: `known${n}@there.example`, password: OTHER_PASSWORD },
        { email: `own${n}@here.example`, password: OTHER_PASSWORD },
      ]),
      identity_providers: [
        {
          ...provider,
          id: 'there',
          name: 'There',
          client_id: 'here',
          domains: ['there.example'],
          sign_out: 'upstream',
        },
        {
          id: 'key',
          name: 'By key',
          issuer: there.issuer,
          client_id: 'here-by-key',
          client_auth: 'private_key_jwt',
          trusted_domains: ['there.example'],
          position: 1,
        },
      ],
    },
  });
});
afterAll(async () => {
  await Promise.all([here?.stop(), there?.stop(), browser?.close()]);
});

const walk = (mode: Mode) => createWalker(mode, { browser, pictures: process.env.PICTURES });

/** At the provider's own pages. */
async function signInThere(walker: Walker, name: string): Promise<View> {
  const view = await walker.see();
  expect(view.url.origin).toBe(there.issuer);
  if (stepOf(view) === 'identifier') await walker.submit({ identifier: `${name}@there.example` });
  return walker.submit({ password: PASSWORD });
}

const start = async (walker: Walker) => {
  await walker.open(`${here.demo}/sign-in`);
};

describe.each(MODES)('with a %s', (mode) => {
  const n = MODES.indexOf(mode);

  it('who comes for the first time gets an account, and comes into the same one afterwards', async () => {
    for (const times of [1, 2]) {
      const walker = await walk(mode);
      await start(walker);
      await walker.submit({}, { form: 'provider', button: 'Continue with There' });
      const view = await agree(walker, await signInThere(walker, `new${n}`));
      expect(view.url.href).toBe(`${here.demo}/`);
      expect(view.text).toContain(`new${n}`);
      expect(walker.faults).toEqual([]);
      const rows = await here.sql<{ state: string; verified: boolean; links: number }>(
        `select state, email_verified_at is not null as verified,
           (select count(*)::int from upstream_identity where account_id = u.id) as links
         from user_account u where email = $1`,
        [`new${n}@there.example`],
      );
      expect({ times, rows }).toEqual({ times, rows: [{ state: 'Active', verified: true, links: 1 }] });
      await walker.close();
    }
  });

  it('who turns back there is told so here, and signs in otherwise', async () => {
    const walker = await walk(mode);
    await start(walker);
    await walker.submit({}, { form: 'provider', button: 'Continue with There' });
    let view = await walker.submit({}, { form: 'cancel' });
    expect(view.url.origin).toBe(here.issuer);
    expect(stepOf(view)).toBe('identifier');
    expect(view.text).toContain('You turned back at There');
    await walker.submit({ identifier: `known${n}@there.example` });
    view = await agree(walker, await walker.submit({ password: OTHER_PASSWORD }));
    expect(view.url.href).toBe(`${here.demo}/`);
    await walker.close();
  });
});

// Without JavaScript the pages are those of the plain client, in a real browser: the two journeys above show that they work there.
describe.each(MODES.filter((mode) => mode !== 'browser without JavaScript'))('with a %s', (mode) => {
  const n = MODES.indexOf(mode);

  it('another provider’s people prove the account first, and are asked', async () => {
    const walker = await walk(mode);
    await start(walker);
    await walker.submit({}, { form: 'provider', button: 'Continue with There' });
    let view = await signInThere(walker, `known${n}`);
    expect(view.url.origin).toBe(here.issuer);
    expect(stepOf(view)).toBe('password');
    expect(view.text).toContain('connect it with There');
    view = await walker.submit({ password: OTHER_PASSWORD });
    expect(stepOf(view)).toBe('link');
    view = await agree(walker, await walker.submit({}, { button: 'yes' }));
    expect(view.url.href).toBe(`${here.demo}/`);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('one connects an account at /account/linked, and comes in by it', async () => {
    const walker = await walk(mode);
    await walker.open(`${here.issuer}/account/linked`);
    await walker.submit({ identifier: `own${n}@here.example` });
    let view = await walker.submit({ password: OTHER_PASSWORD });
    expect(view.url.pathname).toBe('/account/linked');
    await walker.submit({}, { form: '/account/linked', button: 'Connect There' });
    view = await signInThere(walker, `own${n}`);
    expect([view.url.origin, view.url.pathname]).toEqual([here.issuer, '/account/linked']);
    expect(view.text).toContain(`own${n}@there.example`);
    expect(walker.faults).toEqual([]);
    await walker.close();

    const later = await walk(mode);
    await start(later);
    await later.submit({}, { form: 'provider', button: 'Continue with There' });
    view = await agree(later, await signInThere(later, `own${n}`));
    expect([view.url.href, view.text]).toEqual([`${here.demo}/`, expect.stringContaining(`own${n}@here.example`)]);
    await later.close();
  });

  it('signing out here signs out there', async () => {
    const walker = await walk(mode);
    await start(walker);
    await walker.submit({}, { form: 'provider', button: 'Continue with There' });
    await agree(walker, await signInThere(walker, `new${n}`));
    let view = await signOut(here, walker);
    // The provider asks, as anybody may lead somebody there.
    if (view.url.origin === there.issuer) view = await walker.submit({}, { button: 'yes' });
    expect(view.url.href).toBe(`${here.demo}/signed-out`);
    await start(walker);
    view = await walker.submit({}, { form: 'provider', button: 'Continue with There' });
    expect(view.url.origin).toBe(there.issuer);
    expect(stepOf(view)).toBe('identifier');
    await walker.close();
  });

  it('signing out there ends the session here, and the application hears of it', async () => {
    const walker = await walk(mode);
    await start(walker);
    await walker.submit({}, { form: 'provider', button: 'Continue with There' });
    await agree(walker, await signInThere(walker, `new${n}`));
    await walker.open(`${there.issuer}/logout`);
    await walker.submit({}, { button: 'yes' });
    for (let tries = 0; tries < 100; tries++) {
      const view = await walker.open(here.demo);
      if (!view.text.includes(`new${n}`)) return walker.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the application never heard of it');
  });
});

// No page of their own: what matters is between the two servers.
describe('between the two servers', () => {
  const mode = 'plain client';
  const n = MODES.indexOf(mode);

  it('a provider trusted for the domain leads into the account with that address (private_key_jwt)', async () => {
    const walker = await walk(mode);
    await start(walker);
    await walker.submit({}, { form: 'provider', button: 'Continue with By key' });
    const view = await agree(walker, await signInThere(walker, `linked${n}`));
    expect(view.url.href).toBe(`${here.demo}/`);
    await here.mailbox.next(`linked${n}@there.example`, 'security-notice');
    await walker.close();
  });

  it('an application leads straight to the provider, and the domain of an address does', async () => {
    for (const hint of ['idp_hint', 'kc_idp_hint']) {
      const walker = await walk(mode);
      await walker.open(`${here.demo}/sign-in?${hint}=there`);
      // The demo hands on no such parameter: by the address as the application would build it.
      const { url } = await walker.see();
      if (url.origin === here.issuer) {
        await walker.submit({ identifier: `hint${n}@there.example` });
      }
      const view = await agree(walker, await signInThere(walker, `hint${n}`));
      expect(view.url.href).toBe(`${here.demo}/`);
      await walker.close();
    }
  });
});
