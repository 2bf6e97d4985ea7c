import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import type { Page } from '../support/client.ts';
import { OTHER_PASSWORD } from '../support/flows.ts';
import { APPLE, CLIENT, type Stage, type Standins, startProviders } from '../support/providers.ts';
import { CALLBACK, clients, createPerson } from '../support/seeds.ts';

/** Each social provider, against a stand-in that speaks its protocol with its oddities. */

const trusted = ['victim.example'];
const tenant = '11111111-2222-4333-8444-555555555555';
const foreign = '99999999-2222-4333-8444-555555555555';
const consumers = '9188040d-6c67-4c5b-b112-36a304b66dad';

let cardea: Cardea;
let providers: Standins;

beforeAll(async () => {
  providers = await startProviders();
  const secret = { client_id: CLIENT.id, client_secret: CLIENT.secret, trusted_domains: trusted };
  cardea = await startCardea({
    settings: { demo: { enabled: false }, federation: { endpoints: providers.endpoints }, outbound: { timeout: '1s' } },
    bootstrap: {
      clients: [clients.web, { ...clients.other, identity_providers: ['linkedin', 'github'] }],
      users: ['ada', 'eve', 'nora'].map((name) => ({ email: `${name}@victim.example`, password: OTHER_PASSWORD })),
      identity_providers: [
        { id: 'google', kind: 'google', ...secret },
        { id: 'hosted', kind: 'google', name: 'Work', hosted_domains: ['work.example'], position: 1, ...secret },
        { id: 'microsoft', kind: 'microsoft', ...secret, tenants: [tenant] },
        {
          ...{ id: 'apple', kind: 'apple', client_id: CLIENT.id, team_id: APPLE.team, key_id: APPLE.key },
          private_key: providers.applePrivateKey,
        },
        { id: 'github', kind: 'github', keep_tokens: true, ...secret },
        { id: 'gitlab', kind: 'gitlab', ...secret },
        { id: 'discord', kind: 'discord', ...secret },
        { id: 'facebook', kind: 'facebook', ...secret },
        { id: 'linkedin', kind: 'linkedin', hidden: true, ...secret },
      ],
    },
  });
});
afterAll(async () => {
  await Promise.all([cardea?.stop(), providers?.close()]);
});
const good: Record<string, Stage> = {
  google: { idToken: { sub: 'g-1', email: 'goo@gmail.example', email_verified: true, name: 'Goo Gle' }, profile: {} },
  microsoft: {
    idToken: {
      ...{ iss: `https://login.microsoftonline.com/${tenant}/v2.0`, tid: tenant, sub: 'm-1', ver: '2.0' },
      ...{ email: 'mic@soft.example', name: 'Mic Soft', xms_edov: true },
    },
    profile: {},
  },
  apple: {
    idToken: { sub: 'a.1', email: 'x7@privaterelay.appleid.com', email_verified: 'true', is_private_email: 'true' },
    profile: {},
    user: JSON.stringify({ name: { firstName: 'Ap', lastName: 'Ple' }, email: 'somebody@else.example' }),
  },
  github: {
    idToken: {},
    profile: {
      '/user': {
        id: 4711,
        login: 'hub',
        name: 'Git Hub',
        email: null,
        avatar_url: 'https://a.example/1.png',
        blog: '',
      },
      '/user/emails': [
        { email: '4711+hub@users.noreply.github.com', primary: false, verified: true, visibility: null },
        { email: 'old@hub.example', primary: false, verified: false, visibility: null },
        { email: 'hub@hub.example', primary: true, verified: true, visibility: 'private' },
      ],
    },
  },
  gitlab: {
    idToken: { sub: '77', email: 'lab@lab.example', email_verified: true },
    profile: { '/oauth/userinfo': { sub: '77', name: 'Git Lab', nickname: 'lab', picture: null } },
  },
  discord: {
    idToken: {},
    profile: {
      '/api/users/@me': {
        ...{ id: '80351110224678912', username: 'nelly', global_name: 'Nelly', discriminator: '0', avatar: null },
        ...{ email: 'nelly@cord.example', verified: true, locale: 'en-GB' },
      },
    },
  },
  linkedin: {
    idToken: {},
    profile: {
      '/v2/userinfo': {
        ...{ sub: 'l-1', name: 'Link Ed', given_name: 'Link', family_name: 'Ed', email: 'link@ed.example' },
        ...{ email_verified: true, locale: { country: 'US', language: 'en' } },
      },
    },
  },
  facebook: {
    idToken: {},
    profile: {
      '/v16.0/me': { id: '1001', name: 'Face Book', first_name: 'Face', last_name: 'Book', email: 'face@book.example' },
    },
  },
};

const stand = (kind: string, change: Partial<Stage> = {}) => {
  providers.stage[kind] = structuredClone(good[kind]!);
  Object.assign(providers.stage[kind]!, change);
};
const claims = (kind: string, more: object) => stand(kind, { idToken: { ...good[kind]!.idToken, ...more } });
const profile = (kind: string, more: object) => stand(kind, { profile: { ...good[kind]!.profile, ...more } });
afterEach(() => {
  for (const kind of Object.keys(providers.stage)) stand(kind);
});

const address = (more: Record<string, string> = {}, client = 'web') =>
  `${cardea.issuer}/authorize?${new URLSearchParams({
    ...{ client_id: client, redirect_uri: CALLBACK, response_type: 'code', scope: 'openid', state: 'state' },
    ...{ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...more },
  })}`;

/** To the provider and back, by its button. */
async function come(id: string, { person = createPerson(), more = {} } = {}): Promise<Page> {
  let page = await person.open(address({ prompt: 'login', ...more }));
  if (page.url.pathname.endsWith('/identifier')) page = await person.submit(page, {}, { form: 'provider', button: id });
  // Apple's own page, which posts the answer to us.
  if (page.url.href.startsWith(providers.endpoints['https://appleid.apple.com']!)) page = await person.submit(page);
  return page;
}
const stepOf = ({ url }: Page) => url.pathname.split('/').at(-1);
const isIn = ({ url }: Page) =>
  expect(`${url.origin}${url.pathname}?${url.searchParams.has('code')}`).toBe(`${CALLBACK}?true`);
const linksOf = (subject: string) =>
  cardea.sql<{ issuer: string; email: string; name: string; given_name: string; verified: boolean; id: string }>(
    `select i.issuer, u.email, u.name, u.given_name, u.email_verified_at is not null as verified, u.id
     from upstream_identity i join user_account u on u.id = i.account_id where i.subject = $1`,
    [subject],
  );
const stopped = (page: Page, words: string) => {
  expect(stepOf(page)).toBe('identifier');
  expect(page.text).toContain(words);
};
const nobodyWith = async (subject: string) => expect(await linksOf(subject)).toEqual([]);

describe('who comes for the first time gets an account, and the same one afterwards', () => {
  it.each([
    ['google', 'g-1', { issuer: 'https://accounts.google.com', email: 'goo@gmail.example', name: 'Goo Gle' }],
    ['microsoft', 'm-1', { issuer: `https://login.microsoftonline.com/${tenant}/v2.0`, email: 'mic@soft.example' }],
    ['apple', 'a.1', { issuer: 'https://appleid.apple.com', email: 'x7@privaterelay.appleid.com', given_name: 'Ap' }],
    ['github', '4711', { issuer: 'https://github.com', email: 'hub@hub.example', name: 'Git Hub' }],
    ['gitlab', '77', { issuer: 'https://gitlab.com', email: 'lab@lab.example', name: 'Git Lab' }],
    ['discord', '80351110224678912', { issuer: 'https://discord.com', email: 'nelly@cord.example', name: 'Nelly' }],
    ['linkedin', 'l-1', { issuer: 'https://www.linkedin.com/oauth', email: 'link@ed.example', given_name: 'Link' }],
  ])('%s', async (id, subject, expected) => {
    stand(id);
    // One that is hidden is still reached by name.
    const more = id === 'linkedin' ? { idp_hint: id } : {};
    isIn(await come(id, { more }));
    const [first] = await linksOf(subject);
    expect(first).toMatchObject({ ...expected, verified: true });
    // What a provider says but once is not forgotten when it says it no more.
    stand(id, { user: undefined });
    isIn(await come(id, { more }));
    expect(await linksOf(subject)).toEqual([first]);
    const seen = await cardea.sql<{ provider: string }>(
      `select data->>'provider' as provider from audit_event where type = 'signin.succeeded' and subject = $1`,
      [first!.id],
    );
    expect(seen).toEqual([{ provider: id }, { provider: id }]);
  });
});

it('facebook does not say whether an address is verified, so a letter asks', async () => {
  stand('facebook');
  const person = createPerson();
  let page = await come('facebook', { person });
  expect(stepOf(page)).toBe('verify');
  await nobodyWith('1001');
  const { code } = await cardea.mailbox.next('face@book.example', 'verify-address');
  page = await person.submit(page, { code });
  expect(stepOf(page)).toBe('link');
  isIn(await person.submit(page, {}, { button: 'yes' }));
  expect(await linksOf('1001')).toMatchObject([{ email: 'face@book.example', verified: true }]);
  isIn(await come('facebook'));
});

describe('an address that a provider only repeats opens no account (pre-hijacking, take-over)', () => {
  it.each([
    ['facebook', () => profile('facebook', { '/v16.0/me': { id: 'f-9', email: 'ada@victim.example' } }), 'f-9'],
    [
      'discord',
      () => profile('discord', { '/api/users/@me': { id: 'd-9', email: 'ada@victim.example', verified: false } }),
      'd-9',
    ],
    // Anybody writes any address into a directory of their own (nOAuth).
    ['microsoft', () => claims('microsoft', { sub: 'm-9', email: 'ada@victim.example', xms_edov: undefined }), 'm-9'],
    [
      'github',
      () =>
        profile('github', {
          '/user': { id: 9, login: 'nine', email: 'ada@victim.example' },
          '/user/emails': [{ email: 'ada@victim.example', primary: true, verified: false }],
        }),
      '9',
    ],
    ['google', () => claims('google', { sub: 'g-9', email: 'ada@victim.example', email_verified: false }), 'g-9'],
  ])('%s', async (id, set, subject) => {
    set();
    const page = await come(id);
    // The same page as for an address that nobody has; the owner gets word.
    expect(stepOf(page)).toBe('verify');
    await cardea.mailbox.next('ada@victim.example', 'account-exists');
    await nobodyWith(subject);
  });

  it('an account that has not proved its address is not handed over with whoever made it', async () => {
    await cardea.sql(`update user_account set email_verified_at = null where email = 'eve@victim.example'`);
    claims('google', { sub: 'g-eve', email: 'eve@victim.example' });
    expect(stepOf(await come('google'))).toBe('verify');
    await nobodyWith('g-eve');
  });
});

it('a verified address of a trusted domain leads into its account, and the owner is told', async () => {
  claims('google', { sub: 'g-nora', email: 'Nora@Victim.example' });
  isIn(await come('google'));
  expect(await linksOf('g-nora')).toMatchObject([{ email: 'nora@victim.example' }]);
  await cardea.mailbox.next('nora@victim.example', 'security-notice');
});

describe('google', () => {
  it('says its name as issuer in two ways', async () => {
    claims('google', { iss: 'accounts.google.com' });
    isIn(await come('google'));
    expect(await linksOf('g-1')).toMatchObject([{ issuer: 'https://accounts.google.com' }]);
  });

  it('lets in only whom the hosted domains name, by the claim and not by the wish', async () => {
    for (const hd of [undefined, 'other.example']) {
      claims('google', { sub: 'g-2', hd });
      stopped(await come('hosted'), 'make sure of Work');
      expect(providers.asked.at(-1)!.get('hd')).toBe('work.example');
    }
    await nobodyWith('g-2');
    claims('google', { sub: 'g-3', email: 'three@work.example', hd: 'work.example' });
    isIn(await come('hosted'));
  });

  const hmac = new TextEncoder().encode(CLIENT.secret);
  const unsigned = (all: object) =>
    [{ alg: 'none' }, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  it.each<[string, Partial<Stage> | { idToken: object }]>([
    ['another client', { idToken: { aud: 'somebody-else' } }],
    ['several, and made for another', { idToken: { aud: [CLIENT.id, 'other'], azp: 'other' } }],
    ['another issuer', { idToken: { iss: 'https://evil.example' } }],
    ['another sign-in', { idToken: { nonce: 'stolen' } }],
    ['a time gone by', { idToken: { exp: Math.floor(Date.now() / 1000) - 3600 } }],
    ['nobody (alg none)', { forge: async (all) => `${unsigned(all)}.` }],
    [
      'whoever knows the client secret (HS256)',
      { forge: (all) => new SignJWT(all as never).setProtectedHeader({ alg: 'HS256' }).sign(hmac) },
    ],
  ])('refuses an ID token for %s', async (_, change) => {
    const { idToken, ...more } = change as Partial<Stage>;
    stand('google', { ...more, idToken: { ...good.google!.idToken, sub: 'g-4', ...idToken } });
    stopped(await come('google'), 'make sure of Google');
    await nobodyWith('g-4');
  });
});

describe('microsoft', () => {
  it.each([
    ['a tenant that may not come', { tid: foreign, iss: `https://login.microsoftonline.com/${foreign}/v2.0` }],
    ['a personal account', { tid: consumers, iss: `https://login.microsoftonline.com/${consumers}/v2.0` }],
    ['a tenant that another issuer names', { tid: tenant, iss: `https://login.microsoftonline.com/${foreign}/v2.0` }],
    [
      'an issuer that no tenant stands behind',
      { tid: '../common', iss: 'https://login.microsoftonline.com/../common/v2.0' },
    ],
  ])('refuses %s', async (_, more) => {
    claims('microsoft', { sub: 'm-5', ...more });
    stopped(await come('microsoft'), 'make sure of Microsoft');
    await nobodyWith('m-5');
  });
});

describe('apple', () => {
  it('takes nothing but a name from what is posted beside the code', async () => {
    stand('apple', {
      idToken: { ...good.apple!.idToken, sub: 'a.2', email: 'a2@icloud.example' },
      user: JSON.stringify({ name: { firstName: { evil: 1 } }, email: 'ada@victim.example' }),
    });
    isIn(await come('apple'));
    expect(await linksOf('a.2')).toMatchObject([{ email: 'a2@icloud.example', given_name: null }]);
  });

  it.each([
    ['no JSON', 'not json'],
    ['half of it', '{"name":'],
    ['null', 'null'],
    ['far too long', 'x'.repeat(5000)],
  ])('lives with a broken name: %s', async (_, user) => {
    stand('apple', { user });
    isIn(await come('apple'));
  });

  it('says that the person turned back in words of its own', async () => {
    stand('apple', { error: 'user_cancelled_authorize' });
    stopped(await come('apple'), 'You turned back at Apple');
  });
});

describe('github', () => {
  it('keeps addresses private: without any that takes letters nobody comes in', async () => {
    profile('github', {
      '/user': { id: 12, login: 'private', email: '12+private@users.noreply.github.com' },
      '/user/emails': [{ email: '12+private@users.noreply.github.com', primary: true, verified: true }],
    });
    stopped(await come('github'), 'tell us an email address');
    await nobodyWith('12');
  });

  it('says no with status 200', async () => {
    stand('github', { tokenAnswer: { status: 200, body: { error: 'bad_verification_code' } } });
    stopped(await come('github'), 'make sure of GitHub');
  });

  it('is an id, not a name: who takes over a login takes over no account', async () => {
    profile('github', { '/user': { id: 13, login: 'hub' }, '/user/emails': [] });
    stopped(await come('github'), 'tell us an email address');
  });

  it('its tokens are kept sealed, as the policy asks', async () => {
    isIn(await come('github'));
    const [row] = await cardea.sql<{ sealed_tokens: string }>(
      `select sealed_tokens from upstream_identity where subject = '4711'`,
    );
    expect(row!.sealed_tokens.length).toBeGreaterThan(40);
    expect(row!.sealed_tokens).not.toContain('read:user');
    expect(
      await cardea.sql(`select 1 from upstream_identity where sealed_tokens is not null and provider_id <> 'github'`),
    ).toEqual([]);
  });
});

it('gitlab: a profile of somebody else is refused', async () => {
  profile('gitlab', { '/oauth/userinfo': { sub: '78', name: 'Another' } });
  stopped(await come('gitlab'), 'make sure of GitLab');
});

describe('a provider that fails', () => {
  it.each<[string, Partial<Stage>, string]>([
    ['answers 500', { tokenAnswer: { status: 500, body: {} } }, 'answer right now'],
    ['does not answer', { silent: true }, 'answer right now'],
    ['refuses the code', { tokenAnswer: { status: 400, body: { error: 'invalid_grant' } } }, 'make sure of Discord'],
    ['answers nonsense', { tokenAnswer: { status: 200, body: [1] } }, 'make sure of Discord'],
    ['says no', { error: 'server_error' }, 'did not sign you in'],
    ['is turned back at', { error: 'access_denied' }, 'You turned back at Discord'],
  ])('%s', async (_, change, words) => {
    stand('discord', change);
    const began = performance.now();
    stopped(await come('discord'), words);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('an answer that fails is in the journal with the provider’s name', async () => {
    const rows = await cardea.sql<{ why: string }>(
      `select distinct data->>'why' as why from audit_event where type = 'signin.failed' and data->>'provider' = 'discord'`,
    );
    expect(rows.map(({ why }) => why).sort()).toEqual([
      'federation.answer_refused',
      'federation.denied',
      'federation.said_no',
      'federation.unreachable',
    ]);
  });
});

it('an application says which buttons it shows, and in which order', async () => {
  const page = await createPerson().open(address({}, 'other'));
  const shown = [...page.html.matchAll(/name="provider" value="([\w-]+)"/g)].map(([, id]) => id);
  expect(shown).toEqual(['linkedin', 'github']);
});
