import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Page } from '../support/client.ts';
import { bootstrap, createPerson } from '../support/seeds.ts';
import { accountsOf, arriveAs, type Person, setStage } from './stage.ts';

/** What people keep of themselves: settings, profile, picture, address. */

const people = ['settings', 'profile', 'picture', 'upload', 'mover', 'taken'];
const stage = setStage({
  bootstrap: {
    ...bootstrap,
    users: [...bootstrap.users, ...accountsOf(people)],
  },
});
const _stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);
const at = (path: string) => `${stage.cardea.issuer}${path}`;

const arrive = (...who: [name: string, path?: string]) => arriveAs(stage, ...who);

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

describe('the profile', () => {
  it('takes names, contact data and a few words, and gives them back', async () => {
    const { browser, page } = await arrive('profile', '/account/profile');
    const told = {
      given_name: 'Ada',
      middle_name: 'Augusta',
      family_name: 'King',
      phone_number: '0044 20 7946 0018',
      street_address: '12 St James’s Square\nFlat 3',
      postal_code: 'SW1Y 4JH',
      locality: 'London',
      country: 'United Kingdom',
      birthdate: '1915-12-10',
      website: 'https://ada.example/',
      bio: 'Numbers & <looms>.',
    };
    const saved = await browser.submit(page, told);
    expect(saved.text).toContain('Your profile is saved.');
    expect(saved.html).not.toContain('<looms>');
    const [{ profile } = { profile: {} }] = await stage.cardea.sql<{ profile: object }>(
      `select profile from user_account where email = 'profile@example.com'`,
    );
    expect(profile).toMatchObject({
      phone_number: '+442079460018',
      phone_number_verified: false,
      birthdate: '1915-12-10',
      address: {
        locality: 'London',
        formatted: '12 St James’s Square\nFlat 3\nSW1Y 4JH London\nUnited Kingdom',
      },
    });
    const emptied = await browser.submit(saved, Object.fromEntries(Object.keys(told).map((name) => [name, ''])));
    expect(emptied.status).toBe(200);
    const [after] = await stage.cardea.sql(`select profile from user_account where email = 'profile@example.com'`);
    expect(after).toEqual({ profile: {} });
  });

  it('says everything that does not fit at once, and changes nothing', async () => {
    const { browser, page } = await arrive('profile', '/account/profile');
    const refused = await browser.submit(page, {
      phone_number: '+49 12',
      birthdate: '2999-01-01',
      website: 'javascript:alert(1)',
      bio: 'x'.repeat(1_001),
      given_name: 'Nobody',
    });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('Please look at 4 things');
    expect((await browser.open(at('/account/profile'))).html).not.toContain('Nobody');
  });
});

describe('the picture', () => {
  /** Posts a form with a file, as a browser does. */
  async function upload(browser: Person, page: Page, bytes: Uint8Array | undefined, more: Record<string, string> = {}) {
    const csrf = page.forms.flatMap(({ fields }) => fields).find(({ name }) => name === 'csrf')!.value;
    const body = new FormData();
    for (const [name, value] of Object.entries({ csrf, ...more })) body.append(name, value);
    const file = new Blob(bytes ? [new Uint8Array(bytes)] : [], { type: 'image/svg+xml' });
    body.append('picture', file, '../../etc/passwd.svg');
    return browser.load(at('/account/picture'), { method: 'POST', body }, page.url);
  }
  const red = () =>
    sharp({ create: { width: 900, height: 600, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
  const pictureOn = (page: Page) => /<img src="(http[^"]+\/pictures\/[^"]+)"/.exec(page.html)?.[1];

  it('is drawn anew, shown to whoever has its address, and gone when it is removed', async () => {
    const { browser, page } = await arrive('picture', '/account/profile');
    expect(pictureOn(page)).toBeUndefined();
    const saved = await upload(browser, page, await red());
    expect(saved.text).toContain('Your picture is saved.');
    const url = pictureOn(saved)!;
    expect(url).toMatch(/\/pictures\/[\w-]{43}\.webp$/);
    const shown = await fetch(url);
    expect(Object.fromEntries(shown.headers)).toMatchObject({
      'content-type': 'image/webp',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'public, max-age=86400, immutable',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    expect(await sharp(await shown.arrayBuffer()).metadata()).toMatchObject({ format: 'webp', width: 512 });
    const etag = shown.headers.get('etag')!;
    expect((await fetch(url, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status).toBe(304);

    // Another picture is at another address, and the first is nowhere any more.
    const again = await upload(browser, saved, await red());
    expect(pictureOn(again)).not.toBe(url);
    expect((await fetch(url)).status).toBe(404);
    const removed = await browser.submit(again, {}, { form: 'picture/remove' });
    expect(removed.text).toContain('Your picture is removed.');
    expect((await fetch(pictureOn(again)!)).status).toBe(404);
    expect(pictureOn(removed)).toBeUndefined();
  });

  it('that is none, too large or from a page that is not ours is refused in words, and nothing is kept', async () => {
    const { browser, page } = await arrive('upload', '/account/profile');
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    expect((await upload(browser, page, svg)).text).toContain('That is not a picture we can use.');
    expect((await upload(browser, page, undefined)).text).toContain('Please choose a picture first.');
    const large = await upload(browser, page, Buffer.alloc(9_000_000));
    expect([large.status, large.text]).toEqual([413, expect.stringContaining('8 MB at most')]);
    expect((await upload(browser, page, await red(), { csrf: 'forged' })).status).toBe(403);
    const stranger = createPerson();
    const elsewhere = await upload(stranger, page, await red());
    expect(elsewhere.url.pathname).toMatch(/^\/signin\//);
    const broken = await browser.load(at('/account/picture'), {
      method: 'POST',
      body: '--x\r\nnothing',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    });
    expect(broken.status).toBe(400);
    expect(await stage.cardea.sql(`select 1 from picture`)).toEqual([]);
    for (const name of ['../../main.ts', 'x.webp', `${'a'.repeat(43)}.webp`, '%2e%2e%2fpackage.json'])
      expect((await fetch(at(`/pictures/${name}`))).status).toBe(404);
  });
});

describe('another address', () => {
  it('is asked for after a fresh sign-in, proved by the letter and taken back from the old mailbox', async () => {
    const { browser, page } = await arrive('mover', '/account/email');
    const to = 'moved@example.com';
    const taken = await browser.submit(page, { email: 'taken@example.com' });
    const sent = await browser.submit(page, { email: to });
    // The same page, but for the address that was typed.
    const plain = (view: Page, address: string) => view.text.replaceAll(address, 'X');
    expect(plain(sent, to)).toBe(plain(taken, 'taken@example.com'));
    const { code, link } = await stage.cardea.mailbox.next(to, 'change-address');

    // Opened by anybody else, the link changes nothing.
    const elsewhere = await createPerson().open(link);
    expect([elsewhere.status, elsewhere.text]).toEqual([400, expect.stringContaining('where you asked for it')]);
    expect((await browser.open(link)).text).toContain(to);
    const wrong = await browser.submit(sent, { code: '000000' });
    expect(wrong.status).toBe(422);
    const changed = await browser.submit(wrong, { code });
    expect(changed.text).toContain('Your address is changed.');
    expect((await browser.open(at('/account'))).text).toContain(to);

    const undo = await stage.cardea.mailbox.next('mover@example.com', 'address-changed');
    const reader = createPerson();
    const asked = await reader.open(undo.link);
    expect(asked.text).toContain('mover@example.com');
    expect((await browser.open(at('/account'))).text).toContain(to);
    const done = await reader.submit(asked);
    expect(done.text).toContain('The account is yours again');
    expect((await browser.open(at('/account'))).url.pathname).toMatch(/^\/signin\//);
    await stage.cardea.mailbox.next('mover@example.com', 'reset-password');
    expect((await reader.open(undo.link)).status).toBe(400);
  });
});
