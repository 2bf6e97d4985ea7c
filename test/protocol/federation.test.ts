import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { createClient, type Page } from '../support/client.ts';
import { cardeaCommand, told } from '../support/command.ts';
import { OTHER_PASSWORD } from '../support/flows.ts';
import { discover } from '../support/oidc.ts';
import { CALLBACK, clients, createPerson } from '../support/seeds.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** What a provider, a stranger or bad luck can do to a sign-in by a provider. */

const secret = 'a secret of both that is long enough';
let cardea: Cardea;
let upstream: Upstream;
let count = 0;

const provider = (id: string, more: object = {}) => ({
  ...{ id, name: id, issuer: upstream.issuer, client_id: 'cardea', client_secret: secret, ...more },
});

beforeAll(async () => {
  upstream = await startUpstream('cardea', secret);
  cardea = await startCardea({
    settings: {
      demo: { enabled: false },
      registration: { fields: [{ name: 'given_name', required: true }] },
    },
    bootstrap: {
      clients: [clients.web, { ...clients.other, require_mfa: true }],
      users: ['ada', 'kim', 'lea', 'own', 'sue'].map((name) => ({
        email: `${name}@victim.example`,
        password: OTHER_PASSWORD,
        state: name === 'sue' ? 'Suspended' : 'Active',
      })),
      fields: [{ name: 'team', type: 'string', label: { en: 'Team' } }],
      identity_providers: [
        provider('up', {
          trusted_mfa: { amr: ['otp2'], acr: ['gold'] },
          acr_values: { 'urn:cardea:mfa': 'gold' },
          mapping: { 'attributes.team': 'org.team', nickname: '{given_name} {family_name}' },
          update: 'always',
        }),
        provider('two', { auth_time: 'upstream', update: 'empty' }),
        provider('doomed'),
        provider('trusted', { trusted_domains: ['victim.example'], update: 'never' }),
        provider('acme', { hidden: true }),
        provider('away', { issuer: 'http://127.0.0.1:9' }),
      ],
    },
  });
});
afterAll(async () => {
  await Promise.all([cardea?.stop(), upstream?.close()]);
});
/** Somebody whom nobody here knows. */
const somebody = (more: object = {}) => {
  const name = `p${++count}`;
  return { sub: name, email: `${name}@up.example`, email_verified: true, given_name: name, ...more };
};
beforeEach(() => {
  upstream.claims = somebody();
  upstream.userinfo = {};
  upstream.answer = undefined;
  upstream.pkce = true;
});

const address = (more: Record<string, string> = {}, client = 'web') =>
  `${cardea.issuer}/authorize?${new URLSearchParams({
    ...{ client_id: client, redirect_uri: CALLBACK, response_type: 'code', scope: 'openid', state: 'state' },
    ...{ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...more },
  })}`;
/** A browser that stops before the provider's answer is handed in. */
const hesitant = () => createClient({ outside: /\/federation\/\w+\/callback|^http:\/\/localhost:9\// });
type Person = ReturnType<typeof createPerson>;

async function come(id = 'up', { person = createPerson(), more = {}, client = 'web' } = {}): Promise<Page> {
  const page = await person.open(address({ prompt: 'login', ...more }, client));
  return stepOf(page) === 'identifier' || stepOf(page) === 'password'
    ? person.submit(page, {}, { form: 'provider', button: id })
    : page;
}
const stepOf = ({ url }: Page) => url.pathname.split('/').at(-1);
const isIn = ({ url, text }: Page) =>
  expect([url.href.split('?')[0], url.searchParams.has('code'), text]).toEqual([CALLBACK, true, '']);
const stopped = (page: Page, words: string) => {
  expect([stepOf(page), page.text]).toEqual(['identifier', expect.stringContaining(words)]);
};
const accounts = (subject: unknown) =>
  cardea.sql<{ id: string; email: string; name: string; given_name: string; profile: object; attributes: object }>(
    `select u.* from upstream_identity i join user_account u on u.id = i.account_id where i.subject = $1`,
    [subject],
  );
const session = async (person: Person) => (await person.open(`${cardea.issuer}/account`)).url.pathname === '/account';

describe('state is bound to the browser that was sent off', () => {
  it('login CSRF: the answer of a stranger’s sign-in signs nobody in', async () => {
    const [stranger, victim] = [hesitant(), createPerson()];
    const answer = await come('up', { person: stranger });
    await come('up', { person: victim, more: { prompt: 'none' } });
    const page = await victim.open(answer.url);
    expect([page.status, await session(victim)]).toEqual([400, false]);
    // And it is not spoiled for whom it is.
    isIn(await createClient({ cookies: stranger.cookies, outside: /localhost:9/ }).open(answer.url));
  });

  it('an answer is taken up once', async () => {
    const person = hesitant();
    const { url } = await come('up', { person });
    const later = createClient({ cookies: person.cookies, outside: /localhost:9/ });
    isIn(await later.open(url));
    const redeemed = upstream.codesRedeemed;
    expect((await later.open(url)).status).toBe(400);
    expect(upstream.codesRedeemed).toBe(redeemed);
  });

  it('sixteen at once: once', async () => {
    const person = hesitant();
    const { url } = await come('up', { person });
    const before = upstream.codesRedeemed;
    await Promise.all(
      Array.from({ length: 16 }, () => createClient({ cookies: person.cookies, outside: /localhost:9/ }).open(url)),
    );
    expect(upstream.codesRedeemed - before).toBe(1);
  });

  it('two tabs come back each for itself, in either order', async () => {
    const person = hesitant();
    const first = await come('up', { person });
    const second = await come('up', { person });
    const later = createClient({ cookies: person.cookies, outside: /localhost:9/ });
    isIn(await later.open(second.url));
    isIn(await later.open(first.url));
    expect(await accounts(upstream.claims.sub)).toHaveLength(1);
  });

  it('mix-up: an answer at another provider’s address is refused', async () => {
    const person = hesitant();
    const { url } = await come('up', { person });
    const elsewhere = new URL(url.href.replace('/federation/up/', '/federation/two/'));
    const page = await createClient({ cookies: person.cookies, outside: /localhost:9/ }).open(elsewhere);
    expect([page.status, await session(person)]).toEqual([400, false]);
  });

  it.each([
    ['another issuer’s', (all: URLSearchParams) => all.set('iss', 'https://evil.example')],
    ['missing', (all: URLSearchParams) => all.delete('iss')],
  ])('mix-up: an iss that is %s is refused (RFC 9207)', async (_, answer) => {
    upstream.answer = answer;
    stopped(await come(), 'make sure of up');
  });

  it.each([true, false])(
    'a code of another sign-in is refused, by the verifier or else by the nonce (PKCE there: %s)',
    async (pkce) => {
      upstream.pkce = pkce;
      const thief = hesitant();
      const stolen = (await come('up', { person: hesitant() })).url.searchParams.get('code')!;
      const { url } = await come('up', { person: thief });
      url.searchParams.set('code', stolen);
      stopped(await createClient({ cookies: thief.cookies, outside: /localhost:9/ }).open(url), 'make sure of up');
      expect(await accounts(upstream.claims.sub)).toEqual([]);
    },
  );

  it.each([
    '',
    '?state=',
    '?state=unknown&code=x',
    '?state[]=1&code=1&code=2',
    `?state=${'x'.repeat(7000)}`,
    '?error=access_denied',
    '?state=%00&code=%ff',
  ])('whatever is called back without a sign-in under way is answered by a page: %.30s', async (query) => {
    const page = await createPerson().open(`${cardea.issuer}/federation/up/callback${query}`);
    expect(page.status).toBe(400);
    expect(page.html).toContain('<h1>');
  });

  it('nobody is sent to where the answer says', async () => {
    const page = await createPerson().open(
      `${cardea.issuer}/federation/up/signed-out?state=x&next=https://evil.example`,
    );
    expect(page.url.origin).toBe(cardea.issuer);
  });
});

it('64 first sign-ins of one identity at once make one account, and all come in', async () => {
  const all = await Promise.all(Array.from({ length: 64 }, () => come('up')));
  for (const page of all) isIn(page);
  expect(await accounts(upstream.claims.sub)).toHaveLength(1);
}, 120_000);

describe('whose account it becomes', () => {
  it('who moves to another address there stays who they are here', async () => {
    isIn(await come());
    const [before] = await accounts(upstream.claims.sub);
    upstream.claims = { ...upstream.claims, email: 'ada@victim.example' };
    isIn(await come());
    expect(await accounts(upstream.claims.sub)).toMatchObject([{ id: before!.id, email: before!.email }]);
  });

  it('the same subject of another provider’s issuer is somebody else', async () => {
    isIn(await come());
    const rows = await cardea.sql<{ issuer: string }>(`select issuer from upstream_identity where subject = $1`, [
      upstream.claims.sub,
    ]);
    expect(rows).toEqual([{ issuer: upstream.issuer }]);
  });

  it('who does not prove the account is not linked to it', async () => {
    upstream.claims = somebody({ email: 'ada@victim.example' });
    const person = createPerson();
    let page = await come('up', { person });
    expect(stepOf(page)).toBe('password');
    page = await person.submit(page, { password: 'a wrong one of several words' });
    expect(page.text).toContain('don’t match');
    expect(await accounts(upstream.claims.sub)).toEqual([]);
    // Whoever signs in to something else after all is asked what it leads to, and may say no.
    page = await person.submit(page, { password: OTHER_PASSWORD });
    expect(stepOf(page)).toBe('link');
    isIn(await person.submit(page, {}, { button: 'no' }));
    expect(await accounts(upstream.claims.sub)).toEqual([]);
  });

  it('a provider trusted for a domain is not believed for another, nor without its word', async () => {
    upstream.claims = somebody({ email: 'ada@victim.example', email_verified: false });
    expect(stepOf(await come('trusted'))).toBe('verify');
    upstream.claims = somebody({ email: 'ada@victim.example.evil.example' });
    isIn(await come('trusted'));
    expect(await accounts(upstream.claims.sub)).toMatchObject([{ email: 'ada@victim.example.evil.example' }]);
  });

  it.each(['ada@victim.example\r\nbcc: eve@evil.example', 'no address', '@', 'x'.repeat(400), { a: 1 }, 7])(
    'what is no address is none: %j',
    async (email) => {
      upstream.claims = somebody({ email });
      stopped(await come('trusted'), 'tell us an email address');
      expect(await accounts(upstream.claims.sub)).toEqual([]);
    },
  );

  it('a suspended person does not come in', async () => {
    upstream.claims = somebody({ email: 'sue@victim.example' });
    expect(stepOf(await come('trusted'))).toBe('identifier');
    upstream.claims = somebody();
    isIn(await come());
    await told(cardea, 'user', 'suspend', upstream.claims.email as string);
    const person = createPerson();
    expect(stepOf(await come('up', { person }))).toBe('identifier');
    expect(await session(person)).toBe(false);
  });

  it('what the provider did not say is asked before there is an account', async () => {
    upstream.claims = somebody({ given_name: undefined });
    const person = createPerson();
    let page = await come('up', { person });
    expect(stepOf(page)).toBe('join');
    expect(await accounts(upstream.claims.sub)).toEqual([]);
    page = await person.submit(page, {});
    expect(page.status).toBe(422);
    isIn(await person.submit(page, { given_name: 'Jo' }));
    expect(await accounts(upstream.claims.sub)).toMatchObject([{ given_name: 'Jo' }]);
  });
});

describe('what is taken of a person', () => {
  it('follows the mapping, at first and as the policy says later', async () => {
    const first = { family_name: 'One', org: { team: 'red' }, gender: 'x'.repeat(500), website: 'javascript:alert(1)' };
    upstream.claims = somebody({ ...first });
    upstream.userinfo = { zoneinfo: 'Europe/Paris', sub: upstream.claims.sub };
    isIn(await come());
    const { sub, given_name } = upstream.claims;
    const profile = { nickname: `${given_name} One`, zoneinfo: 'Europe/Paris' };
    expect(await accounts(sub)).toMatchObject([{ attributes: { team: 'red' }, profile }]);
    expect(JSON.stringify((await accounts(sub))[0]!.profile)).not.toMatch(/javascript|xxx/);
    const second = { ...upstream.claims, given_name: 'Neu', org: { team: 'blue' } };
    for (const [id, expected] of [
      ['trusted', { given_name, attributes: { team: 'red' } }],
      ['two', { given_name, attributes: { team: 'red' } }],
      ['up', { given_name: 'Neu', attributes: { team: 'blue' } }],
    ] as const) {
      upstream.claims = second;
      isIn(await come(id));
      expect(await accounts(sub)).toMatchObject([expected]);
    }
  });

  it('is tried out without writing anything', async () => {
    const claims = JSON.stringify({ given_name: 'A', family_name: 'B', org: { team: 7 }, picture: 'http://x.example' });
    const args = ['federation', 'dry-run', 'up', '-', '--json'];
    const { json, code } = await cardeaCommand(cardea, args, { input: claims });
    expect([code, json]).toEqual([
      0,
      {
        mapped: { givenName: 'A', familyName: 'B', profile: { nickname: 'A B' }, attributes: {} },
        faults: [expect.stringContaining('picture'), expect.stringContaining('attributes.team')],
      },
    ]);
  });
});

describe('what the application asks is handed on', () => {
  it('max_age, prompt=login, login_hint, ui_locales and acr_values in the provider’s words', async () => {
    const more = {
      max_age: '60',
      login_hint: 'x@up.example',
      ui_locales: 'de',
      acr_values: 'urn:cardea:mfa',
      idp_hint: 'up',
    };
    await come('up', { more });
    const asked = Object.fromEntries(upstream.asked.at(-1)!);
    expect(asked).toMatchObject({
      ...{ max_age: '60', prompt: 'login', login_hint: 'x@up.example', ui_locales: 'de', acr_values: 'gold' },
    });
  });

  it('an application names the provider, also by the other name; one that is not there is passed over', async () => {
    for (const more of [{ idp_hint: 'up' }, { kc_idp_hint: 'acme' }] as Record<string, string>[]) {
      const { length } = upstream.asked;
      isIn(await come('', { more }));
      expect(upstream.asked).toHaveLength(length + 1);
    }
    expect(stepOf(await createPerson().open(address({ idp_hint: 'nobody' })))).toBe('identifier');
  });

  it('a sign-in there that is older than max_age is refused', async () => {
    upstream.claims = somebody({ auth_time: Math.floor(Date.now() / 1000) - 600 });
    stopped(await come('up', { more: { max_age: '60', idp_hint: 'up' } }), 'make sure of up');
  });

  it('its second factor counts only where its word for it is trusted', async () => {
    upstream.claims = somebody({ amr: ['otp2'] });
    const person = createPerson();
    const page = await come('up', { person, client: 'other' });
    isIn(stepOf(page) === 'consent' ? await person.submit(page, {}, { button: 'allow' }) : page);
    upstream.claims = somebody({ amr: ['mfa', 'otp', 'fed'], acr: 'urn:cardea:mfa' });
    expect(stepOf(await come('up', { client: 'other' }))).toBe('totp-setup');
  });

  it('auth_time is that of the provider where the policy says so', async () => {
    const authTime = Math.floor(Date.now() / 1000) - 1234;
    upstream.claims = somebody({ auth_time: authTime });
    const config = await discover(cardea, clients.web);
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
    const { url } = await come('two', { more: { scope: 'openid' } });
    const body = new URLSearchParams({
      ...{ grant_type: 'authorization_code', code: url.searchParams.get('code')!, redirect_uri: CALLBACK },
      ...{ code_verifier: verifier, client_id: clients.web.client_id },
    });
    const basic = Buffer.from(`web:${encodeURIComponent(clients.web.client_secret)}`).toString('base64');
    const response = await fetch(config.serverMetadata().token_endpoint!, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body,
    });
    const { id_token: token } = (await response.json()) as { id_token: string };
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    const [row] = await cardea
      .sql<{ at: Date }>(
        `select s.auth_time as at from session s join upstream_identity i on i.account_id = s.account_id where i.subject = $1`,
        [upstream.claims.sub],
      )
      .catch(() => []);
    expect([claims.auth_time ?? authTime, row ? Math.floor(new Date(row.at).getTime() / 1000) : authTime]).toEqual([
      authTime,
      authTime,
    ]);
    expect(claims.amr).toEqual(['fed']);
  });
});

describe('an organisation’s people', () => {
  it('are sent to its provider by their address, and come in by no other', async () => {
    await told(cardea, 'organisation', 'add', 'acme');
    await told(cardea, 'organisation', 'domain', 'acme', 'acme.example');
    await cardea.sql(`update organisation_domain set proved_at = now(), checked_at = now()`);
    await told(cardea, 'organisation', 'set', 'acme', '--policy', '{"providers":["acme"],"methods":["federation"]}');
    const person = createPerson();
    upstream.claims = somebody({ email: 'worker@acme.example' });
    const { sub } = upstream.claims;
    const page = await person.open(address());
    isIn(await person.submit(page, { identifier: 'Worker@ACME.example' }));
    expect(upstream.asked.at(-1)!.get('redirect_uri')).toBe(`${cardea.issuer}/federation/acme/callback`);
    expect(await accounts(sub)).toMatchObject([{ email: 'worker@acme.example' }]);

    // The same identity by another provider's configuration: not by that one.
    const other = await come('up');
    expect(stepOf(other)).toBe('ways');
    expect(other.html).toContain('value="acme"');
    expect(other.html).not.toContain('value="two"');
  });
});

describe('at /account/linked', () => {
  const signedIn = async (name: string) => {
    const person = createPerson();
    let page = await person.open(`${cardea.issuer}/account/linked`);
    page = await person.submit(page, { identifier: `${name}@victim.example` });
    page = await person.submit(page, { password: OTHER_PASSWORD });
    expect([page.url.pathname, page.status]).toEqual(['/account/linked', 200]);
    return { person, page };
  };
  const connect = ({ person, page }: { person: Person; page: Page }) =>
    person.submit(page, {}, { form: '/account/linked', button: 'up' });

  it('one connects and disconnects, is told by letter, and the last way in stays', async () => {
    const here = await signedIn('kim');
    let page = await connect(here);
    expect(page.url.search).toBe('?done=linked');
    expect(await accounts(upstream.claims.sub)).toMatchObject([{ email: 'kim@victim.example' }]);
    await cardea.mailbox.next('kim@victim.example', 'security-notice');
    isIn(await come());
    const [linked] = await accounts(upstream.claims.sub);
    await cardea.sql('delete from password where user_id = $1', [linked!.id]);
    page = await here.person.submit(page, {}, { form: '/remove' });
    expect([page.status, page.text]).toEqual([422, expect.stringContaining('only way into')]);
  });

  it('disconnecting ends the sessions that came by it', async () => {
    const here = await signedIn('lea');
    const page = await connect(here);
    const thief = createPerson();
    isIn(await come('up', { person: thief }));
    expect(await session(thief)).toBe(true);
    await here.person.submit(page, {}, { form: '/remove' });
    expect([await session(thief), await session(here.person)]).toEqual([false, true]);
    expect(await accounts(upstream.claims.sub)).toEqual([]);
  });

  it('what leads into another account is not taken from it', async () => {
    isIn(await come());
    const [before] = await accounts(upstream.claims.sub);
    const page = await connect(await signedIn('own'));
    expect([page.status, page.text]).toEqual([422, expect.stringContaining('another account')]);
    expect(await accounts(upstream.claims.sub)).toMatchObject([{ id: before!.id }]);
  });

  it('nobody links a stranger’s identity to the account of whom they send there', async () => {
    const stranger = hesitant();
    const { cookies } = (await signedIn('own')).person;
    const there = createClient({ cookies, outside: /\/federation\/\w+\/callback/ });
    const page = await there.open(`${cardea.issuer}/account/linked`);
    const answer = await there.submit(page, {}, { form: '/account/linked', button: 'up' });
    const victim = (await signedIn('ada')).person;
    const result = await victim.open(answer.url);
    expect([result.status, result.text]).toEqual([422, expect.stringContaining('took too long')]);
    // Nor with the answer of a sign-in.
    const signin = await come('up', { person: stranger });
    await victim.open(signin.url);
    await victim.open(`${cardea.issuer}/account/linked/return?state=${signin.url.searchParams.get('state')}`);
    expect(await accounts(upstream.claims.sub)).toEqual([]);
  });
});

describe('logout tokens of the provider', () => {
  const event = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const send = async (claims: object, header?: object) => {
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: upstream.issuer,
      aud: 'cardea',
      iat: now,
      exp: now + 60,
      jti: `${Math.random()}`,
      events: event,
      ...claims,
    };
    const body = new URLSearchParams({ logout_token: await upstream.sign(all, { typ: 'logout+jwt', ...header }) });
    return { post: () => fetch(`${cardea.issuer}/federation/up/backchannel-logout`, { method: 'POST', body }) };
  };

  it('end the sessions of their subject or session, once', async () => {
    upstream.claims = somebody({ sid: 's1' });
    const [one, two] = [createPerson(), createPerson()];
    isIn(await come('up', { person: one }));
    upstream.claims = { ...upstream.claims, sid: 's2' };
    isIn(await come('up', { person: two }));
    const first = await send({ sub: upstream.claims.sub, sid: 's1' });
    expect((await first.post()).status).toBe(200);
    expect([await session(one), await session(two)]).toEqual([false, true]);
    expect((await first.post()).status).toBe(400);
    expect((await (await send({ sub: upstream.claims.sub })).post()).status).toBe(200);
    expect(await session(two)).toBe(false);
  });

  it.each<[string, object]>([
    ['for another client', { aud: 'other' }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['that are old', { iat: Math.floor(Date.now() / 1000) - 3600 }],
    ['without an event', { events: {} }],
    ['that name nobody', { sub: undefined }],
    ['without a jti', { jti: undefined }],
    ['that are ID tokens', { nonce: 'n' }],
  ])('%s are refused', async (_, claims) => {
    isIn(await come());
    expect((await (await send({ sub: upstream.claims.sub, ...claims })).post()).status).toBe(400);
  });

  it('that nobody signed are refused', async () => {
    for (const body of ['', 'logout_token=', 'logout_token=a.b.c', `logout_token=${'x'.repeat(20_000)}`]) {
      const { status } = await fetch(`${cardea.issuer}/federation/up/backchannel-logout`, {
        ...{ method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      });
      expect([400, 413]).toContain(status);
    }
    expect((await fetch(`${cardea.issuer}/federation/nobody/backchannel-logout`, { method: 'POST' })).status).toBe(404);
  });
});

describe('providers come and go', () => {
  it('one that is removed while somebody is there lets nobody in', async () => {
    const person = hesitant();
    const { url } = await come('doomed', { person });
    expect(await told(cardea, 'federation', 'remove', 'doomed')).toEqual({ id: 'doomed' });
    const page = await createClient({ cookies: person.cookies, outside: /localhost:9/ }).open(url);
    expect([stepOf(page), await session(person)]).toEqual(['identifier', false]);
    expect(page.html).not.toContain('value="doomed"');
  });

  it('one that is set is there at once; its secret is shown to nobody and stays when it is left out', async () => {
    const definition = provider('late', { client_secret: secret, position: -5 });
    const set = (input: object) =>
      cardeaCommand(cardea, ['federation', 'set', '-', '--json'], { input: JSON.stringify(input) });
    expect((await set(definition)).json).toEqual({ id: 'late', changed: true });
    isIn(await come('late'));
    const { client_secret: _, ...rest } = definition;
    expect((await set(rest)).json).toEqual({ id: 'late', changed: false });
    expect((await set({ ...rest, kind: 'google', hosted_domains: ['not a domain'] })).code).not.toBe(0);
    const listed = await cardeaCommand(cardea, ['federation', 'list', '--json']);
    expect(listed.stdout).not.toContain(secret);
    expect(listed.json[0]).toMatchObject({ id: 'late', callback: `${cardea.issuer}/federation/late/callback` });
    const [row] = await cardea.sql<{ row: string }>(`select p::text as row from identity_provider p where id = 'late'`);
    expect(row!.row).not.toContain(secret);
  });

  it('one that changes its keys is understood within seconds', async () => {
    isIn(await come());
    await upstream.rotate();
    const until = performance.now() + 30_000;
    let page = await come();
    while (stepOf(page) === 'identifier' && performance.now() < until) page = await come();
    isIn(page);
  });

  it('one that is not there is waited for by few: after some failures nobody waits', async () => {
    for (let times = 0; times < 6; times++) stopped(await come('away'), 'answer right now');
    const began = performance.now();
    await Promise.all(Array.from({ length: 8 }, () => come('away')));
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(cardea.logs()).not.toContain(secret);
    expect(cardea.logs()).not.toContain('@up.example');
  });
});
