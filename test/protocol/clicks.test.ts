import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import type { Page } from '../support/client.ts';
import { freshAddress, OTHER_PASSWORD, PASSWORD } from '../support/flows.ts';
import { bootstrap, clients, createPerson } from '../support/seeds.ts';
import { claimsOf, tokenClient } from '../support/token-client.ts';
import { codeNow, codesOn, nextStep, secretOn } from '../support/totp.ts';

// A button that is pressed twice, without the script that holds the second click back: the browser sends both, and goes only
// where the second one leads.

let cardea: Cardea;
const names = ['otp', 'otp.added', 'paper', 'paper.added', 'turns', 'stopped', 'one', 'two'];
beforeAll(async () => {
  const users = names.map((name) => ({ email: `${name}@example.com`, name, password: PASSWORD, state: 'Active' }));
  cardea = await startCardea({
    bootstrap: { ...bootstrap, users: [...bootstrap.users, ...users] },
    settings: { demo: { enabled: false } },
  });
}, 60_000);
afterAll(() => cardea?.stop());

type Person = ReturnType<typeof createPerson>;
type Values = Record<string, string>;
const stepOf = ({ url }: Page) => url.pathname.split('/').at(-1);
const asked = (person: Person, parameters: Values = {}, client: keyof typeof clients = 'web') =>
  person.open(tokenClient(cardea.issuer, clients[client]).authorizeUrl(parameters));
const answerOf = ({ url: { searchParams } }: Page) => (searchParams.get('code') ? 'code' : searchParams.get('error'));

/** Through address and password, to what comes then. */
async function enter(person: Person, page: Page, name: string, until?: string): Promise<Page> {
  for (let steps = 0; steps < 2 && stepOf(page) !== until; steps++) {
    if (stepOf(page) === 'identifier') page = await person.submit(page, { identifier: `${name}@example.com` });
    else if (stepOf(page) === 'password') page = await person.submit(page, { password: PASSWORD });
  }
  return page;
}

/** Presses a button of a page. @param pressed by its value, or the end of its form's action @returns where it leads */
async function click(person: Person, page: Page, values: Values, pressed = stepOf(page)!): Promise<string> {
  const form =
    page.forms.find(({ buttons }) => buttons.some(({ value }) => value === pressed)) ??
    page.forms.find(({ action }) => action.endsWith(pressed))!;
  const body = new URLSearchParams(form.fields.map(({ name, value }) => [name, values[name] ?? value]));
  const button = form.buttons.find(({ value }) => value === pressed);
  if (button?.name) body.set(button.name, button.value);
  const response = await person.request(new URL(form.action, page.url), { method: 'POST', body }, page.url);
  await response.body?.cancel();
  return response.headers.get('location') ?? `nowhere: ${response.status}`;
}

const follow = (person: Person, location: string) => person.open(new URL(location, cardea.issuer));

async function enrol(name: string) {
  const person = createPerson();
  let page = await enter(person, await person.open(`${cardea.issuer}/account/security/totp`), name);
  if (stepOf(page) === 'passkey-offer') page = await person.submit(page, {}, { button: 'later' });
  const secret = secretOn(page.html);
  page = await person.submit(page, { code: codeNow(secret) });
  await nextStep(cardea);
  return { secret, codes: codesOn(page.html) };
}

it.each([
  ['a second factor', 'otp', 'totp', {}],
  ['a second factor that is added to a session', 'otp.added', 'totp', { acr_values: 'urn:cardea:acr:mfa' }],
  ['a recovery code', 'paper', 'recovery', {}],
  ['a recovery code that is added to a session', 'paper.added', 'recovery', { acr_values: 'urn:cardea:acr:mfa' }],
] as const)('a second click on %s leads where the first one led', async (_, name, step, parameters) => {
  const person = createPerson();
  if (name.endsWith('added')) await enter(person, await asked(person), name);
  const { secret, codes } = await enrol(name);
  const due = await enter(person, await asked(person, parameters), name);
  expect(stepOf(due)).toBe('totp');
  const page = await person.open(new URL(`./${step}`, due.url));
  const values = { code: step === 'totp' ? codeNow(secret) : codes[0]! };
  const first = await click(person, page, values);
  expect(new URL(first).pathname).toMatch(/^\/authorize\//);
  expect(await click(person, page, values)).toBe(first);
  expect(answerOf(await follow(person, first))).toBe('code');
});

it('a second click on a new password leads where the first one led', async () => {
  const person = createPerson();
  const page = await enter(person, await asked(person), 'change.0');
  const first = await click(person, page, { password: OTHER_PASSWORD });
  expect(await click(person, page, { password: OTHER_PASSWORD })).toBe(first);
  expect(answerOf(await follow(person, first))).toBe('code');
});

it.each(['one after the other', 'at the same time'])(
  'two clicks on the button that registers, %s, make one account, and the code of its one letter is good',
  async (how) => {
    const person = createPerson();
    const email = freshAddress();
    const page = await asked(person, { prompt: 'create' });
    const press = () => click(person, page, { email, password: PASSWORD });
    const first = how.startsWith('one') ? await press() : undefined;
    const [second] = await Promise.all(first ? [press()] : [press(), press()]);
    const { code } = await cardea.mailbox.next(email, 'verify-address');
    expect((await cardea.mailbox.list(email)).map(({ letter }) => letter)).toEqual(['verify-address']);
    const verify = await follow(person, second!);
    let back = await person.submit(verify, { code });
    if (stepOf(back) === 'passkey-offer') back = await person.submit(back, {}, { button: 'later' });
    expect(answerOf(back)).toBe('code');
  },
);

it('who goes back to register with another password has that one', async () => {
  const person = createPerson();
  const email = freshAddress();
  const page = await asked(person, { prompt: 'create' });
  await click(person, page, { email, password: PASSWORD });
  const verify = await person.open(new URL(await click(person, page, { email, password: OTHER_PASSWORD }), page.url));
  await person.submit(verify, { code: (await cardea.mailbox.next(email, 'verify-address')).code });
  const elsewhere = createPerson();
  const asks = await elsewhere.submit(await asked(elsewhere), { identifier: email });
  expect((await elsewhere.submit(asks, { password: PASSWORD })).status).toBe(422);
  expect(answerOf(await elsewhere.submit(asks, { password: OTHER_PASSWORD }))).toBe('code');
});

it('another browser that registers the same address gets no code to work, and the first one’s password stays', async () => {
  const email = freshAddress();
  const [first, second] = [createPerson(), createPerson()];
  const page = await asked(first, { prompt: 'create' });
  const verify = await first.submit(page, { email, password: PASSWORD });
  const other = await second.submit(await asked(second, { prompt: 'create' }), { email, password: OTHER_PASSWORD });
  const { code } = await cardea.mailbox.next(email, 'verify-address');
  expect((await second.submit(other, { code })).status).toBe(422);
  await first.submit(verify, { code });
  const elsewhere = createPerson();
  const asks = await elsewhere.submit(await asked(elsewhere), { identifier: email });
  expect((await elsewhere.submit(asks, { password: OTHER_PASSWORD })).status).toBe(422);
});

it('another answer after the first one counts, as long as the browser has not gone on', async () => {
  const turns = createPerson();
  const consent = await enter(turns, await asked(turns, {}, 'other'), 'turns');
  await click(turns, consent, {}, 'allow');
  expect(answerOf(await follow(turns, await click(turns, consent, {}, 'deny')))).toBe('access_denied');

  const leaves = createPerson();
  const password = await enter(leaves, await asked(leaves), 'one', 'password');
  await click(leaves, password, { password: PASSWORD });
  const away = await click(leaves, password, {}, 'cancel');
  expect(await click(leaves, password, { password: PASSWORD })).toBe(away);
  expect(answerOf(await follow(leaves, away))).toBe('access_denied');
});

it('who begins anew as somebody else after the first click is that one', async () => {
  const person = createPerson();
  const page = await enter(person, await asked(person), 'one', 'password');
  await click(person, page, { password: PASSWORD });
  const there = await enter(person, await person.open(new URL('./identifier', page.url)), 'two');
  const tokens = await tokenClient(cardea.issuer, clients.web).redeem(there.url.searchParams.get('code')!);
  const [two] = await cardea.sql<{ id: string }>(`select id from user_account where email = 'two@example.com'`);
  expect(claimsOf(String(tokens.body.id_token)).sub).toBe(two!.id);
});

it('a second click lets nobody in who was suspended after the first', async () => {
  const person = createPerson();
  const page = await enter(person, await asked(person), 'stopped', 'password');
  await click(person, page, { password: PASSWORD });
  await cardea.sql(`update user_account set state = 'Suspended' where email = 'stopped@example.com'`);
  const back = await follow(person, await click(person, page, { password: PASSWORD }));
  expect([answerOf(back), back.status >= 500]).toEqual([null, false]);
  expect((await person.open(`${cardea.issuer}/account`)).url.pathname).toMatch(/^\/signin\//);
});
