import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import type { Page } from '../support/client.ts';
import { freshAddress, OTHER_PASSWORD, PASSWORD } from '../support/flows.ts';
import { ADA, bootstrap, CALLBACK, createPerson } from '../support/seeds.ts';

// What was tried against the running server and once worked. Each has the name of the attack.

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ bootstrap });
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

const authorizeUrl = (more: Record<string, string> = {}) =>
  `${cardea.issuer}/authorize?${new URLSearchParams({
    client_id: 'web',
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    state: 's',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
    ...more,
  })}`;

const step = ({ url }: Page) => url.pathname.split('/').at(-1);

/** Half a sign-in: the identifier and a password. */
async function tryPassword(email: string, password: string) {
  const person = createPerson();
  const page = await person.submit(await person.open(authorizeUrl()), { identifier: email });
  return { person, page: await person.submit(page, { password }) };
}

async function register(email: string, password: string) {
  const person = createPerson();
  const page = await person.submit(await person.open(authorizeUrl({ prompt: 'create' })), { email, password });
  expect(step(page)).toBe('verify');
  return { person, page };
}

/** The owner of the address chooses a password by letter. */
async function resetPassword(email: string, password: string): Promise<void> {
  const owner = createPerson();
  await owner.submit(await owner.open(`${cardea.issuer}/account/forgot`), { email });
  const { link } = await cardea.mailbox.next(email, 'reset-password');
  expect((await owner.submit(await owner.open(link), { password })).status).toBe(200);
}

describe('a sign-in under way', () => {
  it('is worth nothing once the password it proved is another', async () => {
    const email = 'change.0@example.com';
    const { person, page } = await tryPassword(email, PASSWORD);
    expect(step(page)).toBe('new-password');
    await resetPassword(email, OTHER_PASSWORD);
    for (const path of ['', '/new-password', '/consent'])
      expect(step(await person.load(new URL(page.url.pathname.replace(/\/[^/]*$/, path), page.url)))).toBe('password');
    expect((await person.submit(page, { password: 'what the thief would like it to be' })).status).not.toBe(0);
    expect(step((await tryPassword(email, OTHER_PASSWORD)).page)).not.toBe('password');
  });

  it('of somebody who registered an address before its owner ends nowhere once the owner has come', async () => {
    const email = freshAddress();
    const thief = await register(email, PASSWORD);
    const { link } = await cardea.mailbox.next(email, 'verify-address');
    await resetPassword(email, OTHER_PASSWORD);
    // The owner opens the older letter as well.
    const owner = createPerson();
    const asked = await owner.open(link);
    if (asked.status === 200) await owner.submit(asked, {}, { form: '/account/verify' });
    const page = await thief.person.load(thief.page.url);
    expect([page.status, step(page)]).toEqual([200, 'verify']);
  });
});
