import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { told } from '../support/command.ts';
import { freshAddress, PASSWORD } from '../support/flows.ts';
import { ADA, bootstrap, createPerson, GRACE } from '../support/seeds.ts';

// Fields, organisations and invitations as people meet them.

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({
    settings: { registration: { mode: 'invited' }, demo: { enabled: false } },
    bootstrap: {
      ...bootstrap,
      fields: [
        {
          name: 'shirt',
          label: { en: 'Shirt size', de: 'Hemdgröße' },
          type: 'enum',
          options: [
            { value: 's', label: { en: 'Small' } },
            { value: 'l', label: { en: 'Large' } },
          ],
          write: ['user'],
          ask: ['registration', 'profile'],
        },
      ],
      roles: [{ name: 'guide', scope: 'organisation' }],
      organisations: [
        { name: 'acme', display_name: 'Acme', members: [{ email: ADA.email, roles: ['guide'] }] },
        { name: 'globex', display_name: 'Globex' },
      ],
    },
  });
});
afterAll(() => cardea?.stop());

async function signedIn(email: string, password = PASSWORD) {
  const person = createPerson();
  let page = await person.open(`${cardea.issuer}/account/organisations`);
  page = await person.submit(page, { identifier: email });
  page = await person.submit(page, { password });
  return { person, page };
}
const invite = async (email: string, organisation = 'acme') => {
  await told(cardea, 'organisation', 'invite', organisation, email, '--role', 'guide');
  return (await cardea.mailbox.next(email, 'organisation-invitation')).link;
};
const members = (organisation: string) =>
  cardea.sql<{ account_id: string }>(
    `select account_id from organisation_member m join organisation o on o.id = m.organisation_id where o.name = $1`,
    [organisation],
  );

describe('invitations', () => {
  it('whoever has an account signs in and accepts; the link alone does nothing', async () => {
    const link = await invite(GRACE.email, 'globex');
    for (let again = 0; again < 3; again++) await createPerson().open(link);
    expect(await members('globex')).toEqual([]);

    const person = createPerson();
    let page = await person.open(link);
    expect(page.text).toContain('Globex invites you');
    page = await person.submit(page, {}, { form: 'invitation/sign-in' });
    page = await person.submit(page, {});
    page = await person.submit(page, { password: PASSWORD });
    expect(page.url.pathname).toBe('/account/organisations');
    page = await person.submit(page, {}, { form: 'organisations/accept' });
    expect(page.text).toContain('You are a member now');
    expect(await members('globex')).toHaveLength(1);
    expect((await person.open(link)).text).toContain('no longer good');

    page = await person.submit(
      await person.open(`${cardea.issuer}/account/organisations`),
      {},
      { form: 'organisations/leave' },
    );
    expect(page.text).toContain('You have left');
    expect(await members('globex')).toEqual([]);
  });

  it('somebody else who is signed in cannot accept, with the link or with its number', async () => {
    const link = await invite(GRACE.email, 'globex');
    const { person, page } = await signedIn(ADA.email);
    expect(page.text).not.toContain('Globex');
    expect((await person.open(link)).text).toContain('you are signed in as');
    const [row] = await cardea.sql<{ id: string }>('select id from organisation_invitation where accepted_at is null');
    for (const invitation of [row!.id, 'x', '']) {
      const refused = await person.submit(page, {}, { form: 'organisations/leave', extra: { organisation: 'none' } });
      expect(refused.status).toBe(200);
      const forged = new URLSearchParams({
        invitation,
        csrf: page.forms[0]!.fields.find(({ name }) => name === 'csrf')!.value,
      });
      const answer = await person.load(
        `${cardea.issuer}/account/organisations/accept`,
        { method: 'POST', body: forged },
        page.url,
      );
      expect(answer.status).toBe(400);
    }
    expect(await members('globex')).toEqual([]);
  });

  it('whoever has no account gets one by the invitation, though registration is closed to others', async () => {
    const email = freshAddress('newcomer');
    const link = await invite(email);
    const person = createPerson();
    let page = await person.open(link);
    page = await person.submit(page, {}, { form: 'invitation/join' });
    expect(page.text).toContain('Almost there');
    const letter = await cardea.mailbox.next(email, 'choose-password');
    page = await person.open(letter.link);
    await person.submit(page, { password: PASSWORD });
    const { page: home } = await signedIn(email);
    expect(home.text).toContain('Acme');
    expect(home.text).toContain('guide');
    const before = await cardea.sql('select 1 from user_account where email = $1', [email]);
    expect(before).toHaveLength(1);
  });

  it('of 16 who join at once by one link one account is made', async () => {
    const email = freshAddress('many');
    const link = await invite(email);
    const arrived = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const person = createPerson();
        return { person, page: await person.open(link) };
      }),
    );
    // All have the form before the first sends it, or a late one would not be shown it.
    const pages = await Promise.all(
      arrived.map(({ person, page }) => person.submit(page, {}, { form: 'invitation/join' })),
    );
    expect(pages.filter(({ text }) => text.includes('Almost there'))).toHaveLength(1);
    expect(await cardea.sql('select 1 from user_account where email = $1', [email])).toHaveLength(1);
  });
});

describe('custom fields', () => {
  it('are asked on the profile page, checked, and taken back', async () => {
    const { person } = await signedIn(ADA.email);
    const open = () => person.open(`${cardea.issuer}/account/profile`);
    let page = await open();
    expect(page.text).toContain('Shirt size');
    const wrong = await person.submit(page, {}, { form: 'account/profile', extra: { 'attributes-shirt': 'xxl' } });
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain('choose one of what is offered');
    await person.submit(page, { 'attributes-shirt': 'l' });
    const kept = async () =>
      (
        await cardea.sql<{ attributes: object }>('select attributes from user_account where email = $1', [ADA.email])
      )[0]!.attributes;
    expect(await kept()).toEqual({ shirt: 'l' });
    page = await open();
    await person.submit(page, { 'attributes-shirt': '' }, { extra: { 'attributes-unknown': 'x' } });
    expect(await kept()).toEqual({});
  });

  it('that registration asks of everybody are asked of who came another way, once, when all is proved', async () => {
    const field = { name: 'badge', label: { en: 'Badge' }, type: 'string', required: true, pattern: '[A-Z]\\d+' };
    await told(cardea, 'field', 'put', JSON.stringify({ ...field, write: ['user'], ask: ['registration'] }));
    const { person, page } = await signedIn(ADA.email);
    expect([page.url.pathname.split('/').at(-1), page.text]).toEqual(['details', expect.stringContaining('Badge')]);
    // There is no way round it: nobody is signed in yet.
    expect((await person.open(`${cardea.issuer}/account`)).url.pathname).toMatch(/^\/signin\//);
    for (const wrong of ['', 'nothing like it']) {
      const again = await person.submit(page, { 'attributes-badge': wrong }, { extra: { 'attributes-shirt': 's' } });
      expect(again.status).toBe(422);
    }
    const done = await person.submit(page, { 'attributes-badge': 'A12' });
    expect(done.url.pathname).toBe('/account/organisations');
    const [row] = await cardea.sql<{ attributes: object }>('select attributes from user_account where email = $1', [
      ADA.email,
    ]);
    expect(row!.attributes).toEqual({ badge: 'A12' });
    expect((await signedIn(ADA.email)).page.url.pathname).toBe('/account/organisations');
    await told(cardea, 'field', 'remove', 'badge');
  });

  it('declared while it runs, they are asked at once', async () => {
    const field = { name: 'motto', label: { en: 'Motto' }, type: 'string', write: ['user'], ask: ['profile'], max: 10 };
    await told(cardea, 'field', 'put', JSON.stringify(field));
    const { person } = await signedIn(GRACE.email);
    const page = await person.open(`${cardea.issuer}/account/profile`);
    expect(page.text).toContain('Motto');
    const long = await person.submit(page, { 'attributes-motto': 'far too long a motto' });
    expect(long.text).toContain('10 characters');
    await told(cardea, 'field', 'remove', 'motto');
    expect((await person.open(`${cardea.issuer}/account/profile`)).text).not.toContain('Motto');
  });
});
