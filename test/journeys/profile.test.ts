import { describe, expect, it } from 'vitest';
import type { Page } from '../support/client.ts';
import { PASSWORD } from '../support/flows.ts';
import { bootstrap, createPerson } from '../support/seeds.ts';
import { setStage } from './stage.ts';

/** What people keep of themselves: settings, profile, picture, address. */

const people = ['settings'];
const stage = setStage({
  bootstrap: {
    ...bootstrap,
    users: [
      ...bootstrap.users,
      ...people.map((name) => ({ email: `${name}@example.com`, name, password: PASSWORD, state: 'Active' })),
    ],
  },
});
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);
const at = (path: string) => `${stage.cardea.issuer}${path}`;
type Person = ReturnType<typeof createPerson>;

/** Through the pages of the sign-in until none is left. */
async function signIn(browser: Person, page: Page, email: string, password = PASSWORD) {
  for (let steps = 0; page.url.pathname.startsWith('/signin/') && page.status < 400 && steps < 8; steps++) {
    const step = stepOf(page);
    if (step === 'identifier') page = await browser.submit(page, { identifier: email });
    else if (step === 'password') page = await browser.submit(page, { password });
    else break;
  }
  return page;
}

const arrive = async (name: string, path: string, browser = createPerson()) => ({
  browser,
  page: await signIn(browser, await browser.open(at(path)), `${name}@example.com`),
});

describe('settings', () => {
  it('change language, colours and time zone, here and at the next sign-in', async () => {
    const { browser, page } = await arrive('settings', '/account/settings');
    expect(page.html).toMatch(/<html lang="en" dir="ltr">/);
    const chosen = {
      language: 'de',
      theme: 'dark',
      zoneinfo: 'Asia/Tokyo',
      news_email: true,
      withhold_birthdate: true,
    };
    const saved = await browser.submit(page, chosen);
    expect(saved.text).toContain('Ihre Einstellungen sind gespeichert.');
    expect(saved.html).toMatch(/<html lang="de" dir="ltr" data-theme="dark">/);
    const fields = Object.fromEntries(saved.forms.flatMap((form) => form.fields.map((field) => [field.name, field])));
    expect(fields.withhold_birthdate).toMatchObject({ checked: true });
    expect(fields.withhold_gender).toMatchObject({ checked: false });
    expect((await browser.open(at('/account/activity'))).text).toMatch(/\d{2}:\d{2} GMT\+9/);

    const other = await arrive('settings', '/account');
    expect(other.page.html).toMatch(/<html lang="de" dir="ltr" data-theme="dark">/);
    const [user] = await stage.cardea.sql<Record<string, object>>(
      `select locale, profile, settings from user_account where email = 'settings@example.com'`,
    );
    expect(user).toMatchObject({ locale: 'de', profile: { zoneinfo: 'Asia/Tokyo' }, settings: { theme: 'dark' } });
  });

  it('take nothing that is not on the page', async () => {
    const { browser, page } = await arrive('settings', '/account/settings');
    const strange: Record<string, string>[] = [
      { theme: 'pink' },
      { language: '<b>' },
      { zoneinfo: '../../etc/passwd' },
    ];
    for (const extra of strange) expect((await browser.submit(page, {}, { form: 'settings', extra })).status).toBe(422);
    browser.cookies.take(new URL(at('/')), new Headers({ 'set-cookie': 'zone=Mars/Olympus; Path=/' }));
    expect((await browser.open(at('/account/activity'))).status).toBe(200);
  });
});
