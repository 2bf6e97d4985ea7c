import { describe, expect, it } from 'vitest';
import { agree, OTHER_PASSWORD, signIn } from '../support/flows.ts';
import { ADA, GRACE } from '../support/seeds.ts';
import { MODES, type Mode, type View } from '../support/walker.ts';
import { setStage } from './stage.ts';

/** What an application may ask for, and what a person then meets. */
const stage = setStage();
const stepOf = ({ url }: View) => url.pathname.split('/').at(-1);

const signedIn = async (mode: Mode, person = ADA) => {
  const walker = await stage.walk(mode);
  await walker.open(`${stage.cardea.demo}/sign-in`);
  await signIn(walker, person);
  await walker.submit({}, { form: 'forget' });
  const ask = (query: string) => walker.open(`${stage.cardea.demo}/sign-in?${query}`);
  return { walker, ask };
};

describe.each(MODES)('with a %s', (mode) => {
  it('prompt=none joins a session quietly, and says so when there is none', async () => {
    const { walker, ask } = await signedIn(mode);
    expect((await ask('prompt=none')).text).toContain(ADA.name);
    await walker.close();
    const stranger = await stage.walk(mode);
    const view = await stranger.open(`${stage.cardea.demo}/sign-in?prompt=none`);
    expect(view.text).toContain('You are not signed in');
    await stranger.close();
  });

  it('prompt=login and max_age=0 ask for the password again, and for nobody else’s', async () => {
    const { walker, ask } = await signedIn(mode);
    for (const query of ['prompt=login', 'max_age=0']) {
      let view = await ask(query);
      expect(view.url.origin).toBe(stage.cardea.issuer);
      if (stepOf(view) === 'identifier') await walker.submit({ identifier: ADA.email });
      view = await agree(walker, await walker.submit({ password: ADA.password }));
      expect(view.text).toContain(ADA.name);
      expect(view.text).toContain('auth_time');
    }
    expect((await ask('max_age=3600')).text).toContain(ADA.name);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('prompt=create leads to registration', async () => {
    const walker = await stage.walk(mode);
    const view = await walker.open(`${stage.cardea.demo}/sign-in?prompt=create`);
    expect(stepOf(view)).toBe('register');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('prompt=select_account offers who is signed in, or somebody else', async () => {
    const { walker, ask } = await signedIn(mode);
    let view = await ask('prompt=select_account');
    expect(stepOf(view)).toBe('accounts');
    expect(view.text).toContain(ADA.email);
    view = await agree(walker, await walker.submit({}, { button: 'continue' }));
    expect(view.text).toContain(ADA.name);

    await ask('prompt=select_account');
    view = await walker.submit({}, { button: 'other' });
    expect(stepOf(view)).toBe('identifier');
    view = await signIn(walker, GRACE);
    expect(view.url.href).toBe(`${stage.cardea.demo}/`);
    expect(view.text).toContain(GRACE.name);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('consent is asked once, remembered, can be refused, and asked again with prompt=consent', async () => {
    const walker = await stage.walk(mode);
    const person = mode === 'plain client' ? GRACE : ADA;
    await stage.cardea.sql('delete from consent');
    await walker.open(`${stage.library.url}/sign-in`);
    await walker.submit({ identifier: person.email });
    let view = await walker.submit({ password: person.password });
    expect(stepOf(view)).toBe('consent');
    expect(view.text).toContain('Fernhill Library');
    expect(view.text).toContain(person.email);
    view = await walker.submit({}, { button: 'deny' });
    expect(view.url.origin).toBe(stage.library.url);
    expect(view.text).toContain('You did not continue');

    view = await walker.open(`${stage.library.url}/sign-in`);
    expect(stepOf(view)).toBe('consent');
    view = await walker.submit({}, { button: 'allow' });
    expect(view.text).toContain(person.name);

    await walker.submit({}, { form: 'forget' });
    expect((await walker.open(`${stage.library.url}/sign-in`)).url.href).toBe(`${stage.library.url}/`);
    // Another browser, another session: still remembered.
    const other = await stage.walk(mode);
    await other.open(`${stage.library.url}/sign-in`);
    await other.submit({ identifier: person.email });
    expect((await other.submit({ password: person.password })).url.href).toBe(`${stage.library.url}/`);
    await other.close();

    view = await walker.open(`${stage.library.url}/sign-in?prompt=consent`);
    expect(stepOf(view)).toBe('consent');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('login_hint fills in the address', async () => {
    const walker = await stage.walk(mode);
    const view = await walker.open(`${stage.cardea.demo}/sign-in?login_hint=${encodeURIComponent(ADA.email)}`);
    expect(view.html).toContain(ADA.email);
    await walker.close();
  });

  it('cancelling leads back to the application, which says it in words', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    const view = await walker.submit({}, { form: 'cancel' });
    expect(view.url.origin).toBe(stage.cardea.demo);
    expect(view.text).toContain('You did not continue');
    await walker.close();
  });

  it('acr_values that cannot be met are refused kindly to prompt=none', async () => {
    const { walker, ask } = await signedIn(mode);
    const view = await ask('acr_values=urn:cardea:acr:password');
    expect(view.text).toContain(ADA.name);
    await walker.close();
  });
});

describe('languages', () => {
  it('ui_locales=de and the browser’s own language speak German', async () => {
    const walker = await stage.walk('browser');
    let view = await walker.open(`${stage.cardea.demo}/sign-in?ui_locales=de`);
    expect(view.lang).toBe('de');
    expect(view.text).toContain('Anmelden');
    view = await walker.submit({ identifier: ADA.email });
    expect(view.lang).toBe('de');
    view = await walker.submit({ password: OTHER_PASSWORD });
    expect(view.lang).toBe('de');
    expect(walker.faults).toEqual([]);
    await walker.close();

    const german = await stage.walk('browser', { language: 'de-AT' });
    expect((await german.open(`${stage.cardea.demo}/sign-in`)).lang).toMatch(/^de/);
    expect(german.faults).toEqual([]);
    await german.close();
  });

  it('a right-to-left language turns the pages around', async () => {
    const walker = await stage.walk('browser', { viewport: { width: 375, height: 740 } });
    const view = await walker.open(`${stage.cardea.demo}/sign-in?ui_locales=ar-XB`);
    expect(view.dir).toBe('rtl');
    await walker.submit({ identifier: ADA.email });
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('a language nobody speaks is none', async () => {
    const walker = await stage.walk('plain client');
    const view = await walker.open(`${stage.cardea.demo}/sign-in?ui_locales=tlh%20x"><script>`);
    expect(view.lang).toBe('en');
    await walker.close();
  });
});

it('the pages are sound in the dark and on a small screen', async () => {
  const walker = await stage.walk('browser', { colorScheme: 'dark', viewport: { width: 320, height: 640 } });
  await walker.open(`${stage.library.url}/sign-in?prompt=consent`);
  await walker.submit({ identifier: ADA.email });
  await walker.submit({ password: 'not it' });
  await walker.click('forgot');
  await walker.open(`${stage.library.url}/sign-in?prompt=create`);
  await walker.submit({ email: 'nope', password: 'x' });
  expect(walker.faults).toEqual([]);
  await walker.close();
});
