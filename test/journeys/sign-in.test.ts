import { describe, expect, it } from 'vitest';
import { agree, freshAddress, PASSWORD, signIn, signOut } from '../support/flows.ts';
import { ADA, GRACE } from '../support/seeds.ts';
import { MODES } from '../support/walker.ts';
import { setStage } from './stage.ts';

const stage = setStage();
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);

describe.each(MODES)('with a %s', (mode) => {
  it('a wrong password is told in words, under the field, and the right one still works', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await walker.submit({ identifier: ADA.email });
    let view = await walker.submit({ password: 'not the password at all' });
    expect(stepOf(view)).toBe('password');
    expect(view.status).toBe(422);
    expect(view.html).toContain('aria-describedby');
    expect(view.html).not.toContain('not the password at all');
    view = await agree(walker, await walker.submit({ password: ADA.password }));
    expect(view.text).toContain(ADA.name);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('a known and an unknown address look the same at sign-in and at a forgotten password', async () => {
    const seen: unknown[][] = [[], []];
    for (const [at, email] of [ADA.email, freshAddress()].entries()) {
      const walker = await stage.walk(mode);
      const note = (view: Awaited<ReturnType<typeof walker.see>>) =>
        seen[at]!.push([view.status, view.title, stepOf(view), view.text.replaceAll(/\s/g, '').replaceAll(email, '…')]);
      await walker.open(`${stage.cardea.demo}/sign-in`);
      note(await walker.submit({ identifier: email }));
      note(await walker.submit({ password: 'not the password at all' }));
      note(await walker.click('forgot'));
      note(await walker.submit({ email }));
      note(await walker.submit({ code: '000000' }));
      await walker.close();
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it('a suspended person is told no more than a wrong password would', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    const view = await signIn(walker, { email: 'suspended@example.com', password: PASSWORD });
    expect(view.url.origin).toBe(stage.cardea.issuer);
    expect(view.status).toBeLessThan(500);
    expect(view.html).not.toContain('You are signed in');
    await walker.close();
  });

  it('a password that must change is changed on the way', async () => {
    const walker = await stage.walk(mode);
    const email = `change.${MODES.indexOf(mode)}@example.com`;
    await walker.open(`${stage.cardea.demo}/sign-in`);
    let view = await signIn(walker, { email, password: PASSWORD });
    expect(stepOf(view)).toBe('new-password');
    view = await walker.submit({ password: PASSWORD });
    expect(stepOf(view)).toBe('new-password');
    view = await agree(walker, await walker.submit({ password: 'an entirely new one, 42 words long' }));
    expect(view.url.href).toBe(`${stage.cardea.demo}/`);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('two tabs of one browser sign in side by side', async () => {
    const one = await stage.walk(mode);
    await one.open(`${stage.cardea.demo}/sign-in`);
    const two = await one.tab();
    await two.open(`${stage.library.url}/sign-in`);
    await one.submit({ identifier: ADA.email });
    await two.submit({ identifier: ADA.email });
    const first = await agree(one, await one.submit({ password: ADA.password }));
    const second = await agree(two, await two.submit({ password: ADA.password }));
    expect(first.url.href).toBe(`${stage.cardea.demo}/`);
    expect(second.url.href).toBe(`${stage.library.url}/`);
    await one.close();
  });

  it('going back and reloading sends nothing twice and breaks nothing', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await walker.submit({ identifier: ADA.email });
    let view = await walker.reload();
    expect(stepOf(view)).toBe('password');
    await walker.submit({ password: 'wrong the first time' });
    view = await walker.reload();
    expect(view.status).toBeLessThan(500);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await walker.submit({ identifier: GRACE.email });
    view = await walker.back();
    expect(stepOf(view)).toBe('identifier');
    await walker.submit({ identifier: ADA.email });
    view = await agree(walker, await walker.submit({ password: ADA.password }));
    expect(view.text).toContain(ADA.name);
    view = await walker.back();
    expect(view.status).toBeLessThan(500);
    await walker.close();
  });

  it('a sign-in that took too long says so, with a way on', async () => {
    const walker = await stage.walk(mode);
    const started = await walker.open(`${stage.cardea.demo}/sign-in`);
    await stage.cardea.sql('delete from fleeting');
    const view = await walker.submit({ identifier: ADA.email });
    expect(view.status).toBeLessThan(500);
    expect(view.text).not.toBe(started.text);
    expect(view.text.length).toBeGreaterThan(20);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('signs out, with the application that asked', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await signIn(walker, ADA);
    expect((await signOut(stage.cardea, walker)).url.href).toBe(`${stage.cardea.demo}/signed-out`);
    const view = await walker.open(`${stage.cardea.demo}/sign-in`);
    expect(stepOf(view)).toBe('identifier');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('signs out without any application', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await signIn(walker, ADA);
    const asked = await walker.open(`${stage.cardea.issuer}/logout`);
    expect(asked.text).toContain(ADA.email);
    const out = await walker.submit({}, { button: 'yes' });
    expect(out.status).toBe(200);
    const view = await walker.open(`${stage.cardea.demo}/sign-in?prompt=none`);
    expect(view.text).toContain('not signed in');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('sign-out at one application ends the session at the other (back-channel)', async () => {
    const walker = await stage.walk(mode);
    await walker.open(`${stage.library.url}/sign-in`);
    await signIn(walker, ADA);
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await signOut(stage.cardea, walker);
    for (let tries = 0; tries < 50; tries++) {
      const view = await walker.open(stage.library.url);
      if (view.text.includes('Welcome to')) return walker.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the other application never heard of it');
  });
});

it('staying signed in outlives the browser, and not ticking it does not', async () => {
  for (const remember of [true, false]) {
    const walker = await stage.walk('browser');
    await walker.open(`${stage.cardea.demo}/sign-in`);
    await signIn(walker, { ...ADA, remember });
    const kept = (await walker.cookies()).filter(({ name }) => /^session/.test(name));
    expect(kept.length).toBeGreaterThan(0);
    for (const { expires } of kept) expect(expires > 0).toBe(remember);
    await walker.close();
  }
});
