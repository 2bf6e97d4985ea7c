import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from './support/cardea.ts';
import { cardeaCommand, told } from './support/command.ts';
import { PASSWORD } from './support/flows.ts';
import { CALLBACK } from './support/seeds.ts';
import { tokenClient } from './support/token-client.ts';

// `cardea …` beside a Cardea that serves: what it prints for programs, what for people, and how it ends.

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ settings: { demo: { enabled: false } } });
});
afterAll(() => cardea?.stop());

describe('cardea', () => {
  it('group, permission and role: a group gives its people what its role allows', async () => {
    await told(cardea, 'user', 'add', 'desk@example.com');
    await told(cardea, 'permission', 'put', 'orders:refund');
    await told(cardea, 'role', 'put', 'desk', '--permission', 'orders:refund');
    const { id } = await told(cardea, 'group', 'add', 'Support');
    const outer = await told(cardea, 'group', 'add', 'Everybody');
    expect(await told(cardea, 'group', 'join', id, 'desk@example.com')).toEqual({ added: 1 });
    expect(await told(cardea, 'group', 'join', outer.id, id)).toEqual({ added: 1 });
    expect(await told(cardea, 'role', 'assign', 'desk', outer.id)).toEqual({ changed: true });
    const circle = await cardeaCommand(cardea, ['group', 'join', id, outer.id, '--json']);
    expect(circle.code).toBe(1);
    expect(await told(cardea, 'group', 'leave', id, 'desk@example.com')).toEqual({ removed: 1 });
    await told(cardea, 'role', 'remove', 'desk');
    await told(cardea, 'permission', 'remove', 'orders:refund');
    await told(cardea, 'group', 'remove', id);
    expect((await told(cardea, 'group', 'list')).map((group: { id: string }) => group.id)).toEqual([outer.id]);
  });

  it('client add, list, secret, remove', async () => {
    const made = await told(cardea, 'client', 'add', 'Web', '--redirect-uri', CALLBACK, '--first-party');
    expect(made).toEqual({ client_id: expect.any(String), client_secret: expect.stringMatching(/^[\w-]{43}$/) });
    const open = await told(
      cardea,
      'client',
      'add',
      'Spa',
      '--id',
      'spa',
      '--redirect-uri',
      CALLBACK,
      '--auth',
      'none',
    );
    expect(open).toEqual({ client_id: 'spa' });
    const listed = (await told(cardea, 'client', 'list')) as { client_id: string; secrets: object[] }[];
    expect(listed).toContainEqual(
      expect.objectContaining({ client_id: made.client_id, client_name: 'Web', first_party: true }),
    );
    expect(JSON.stringify(listed)).not.toContain(made.client_secret);
    const more = await told(cardea, 'client', 'secret', made.client_id);
    expect(more.client_secret).not.toBe(made.client_secret);
    for (const one of [made, more])
      expect((await tokenClient(cardea.issuer, one).post('/introspect', { token: 'x' })).status).toBe(200);
    expect(await told(cardea, 'client', 'remove', 'spa')).toEqual({ client_id: 'spa' });
  });

  it('user add with a password from standard input, show, suspend, reactivate', async () => {
    const args = ['user', 'add', 'new@example.com', '--name', 'New', '--password-stdin', '--administrator', '--json'];
    const { code, json } = await cardeaCommand(cardea, args, { input: `${PASSWORD}\n` });
    expect(code).toBe(0);
    const shown = { id: expect.any(String), email: 'new@example.com', state: 'Active', administrator: true };
    expect(json).toEqual(shown);
    expect(await told(cardea, 'user', 'suspend', 'New@Example.com')).toMatchObject({ state: 'Suspended' });
    expect(await told(cardea, 'user', 'reactivate', json.id)).toEqual(shown);
    const web = tokenClient(
      cardea.issuer,
      await told(cardea, 'client', 'add', 'App', '--redirect-uri', CALLBACK, '--first-party'),
    );
    expect((await web.signIn({ email: 'new@example.com', password: PASSWORD })).id_token).toBeTruthy();
  });

  it('user add without a password sends a letter with a link to choose one', async () => {
    expect(await told(cardea, 'user', 'add', 'invited@example.com')).toMatchObject({ state: 'Created' });
    expect((await cardea.mailbox.next('invited@example.com')).link).toContain(cardea.issuer);
  });

  it('keys list and rotate, migrate, audit verify', async () => {
    const keys = (await told(cardea, 'keys', 'list')) as { stage: string }[];
    expect(keys.map(({ stage }) => stage)).toEqual(['signing', 'signing']);
    expect(JSON.stringify(keys)).not.toMatch(/"d":|sealed/i);
    expect(await told(cardea, 'keys', 'rotate', '--alg', 'ES256')).toHaveLength(1);
    expect(await told(cardea, 'keys', 'list')).toHaveLength(3);
    expect(await told(cardea, 'migrate')).toEqual({ migrated: true });
    expect(await told(cardea, 'audit', 'verify')).toMatchObject({ intact: true });
  });

  it('audit verify ends with 1 when the journal was altered', async () => {
    await cardea.sql(
      `insert into audit_event (id, type, at, actor_kind, position, digest)
       values (gen_random_uuid(), 'user.created', now(), 'system', 1000000, 'forged')`,
    );
    const people = await cardeaCommand(cardea, ['audit', 'verify']);
    expect(people.code).toBe(1);
    expect(people.stdout).toMatch(/^ALTERED at entry \d+\n$/);
    expect(await cardeaCommand(cardea, ['audit', 'verify', '--json'])).toMatchObject({
      code: 1,
      json: { intact: false },
    });
  });

  it('config shows what holds, and no secret', async () => {
    const { stdout, json, code } = await cardeaCommand(cardea, ['config', '--json']);
    expect(code).toBe(0);
    expect(json).toMatchObject({ issuer: cardea.issuer });
    const { password } = new URL(cardea.databaseUrl.replace(/@[^/]*\//, '@localhost/'));
    for (const secret of [cardea.env.CARDEA_SECRET!, decodeURIComponent(password)].filter(Boolean))
      expect(stdout).not.toContain(secret);
  });

  it('tells a refusal by its code and ends with 1, wrong use with 2, and shows no stack', async () => {
    for (const [args, code, error] of [
      [['user', 'suspend', 'nobody@example.com'], 1, 'user.unknown'],
      [['user', 'recover', 'new@example.com'], 1, 'user.transition_not_permitted'],
      [['user', 'add', 'new@example.com'], 1, 'user.email_taken'],
      [['client', 'add', 'Bad', '--redirect-uri', 'https://x.example/#y'], 1, 'client.metadata_invalid'],
      [['client', 'secret', 'nobody'], 1, 'client.unknown'],
      [['keys', 'rotate', '--alg', 'ROT13'], 1, undefined],
      [['client', 'add'], 2, undefined],
      [['client', 'list', '--nonsense'], 2, undefined],
      [['user', 'add', 'x@example.com', '--state', 'Asleep'], 2, undefined],
    ] as const) {
      const answer = await cardeaCommand(cardea, [...args, '--json']);
      expect({ args, code: answer.code }).toEqual({ args, code });
      expect(answer.json.error).toEqual(error ?? expect.any(String));
      expect(answer.stdout + answer.stderr).not.toMatch(/\bat .*\.ts:\d+/);
    }
  });

  it('without a command shows what there is; an unknown one ends with 2', async () => {
    const help = await cardeaCommand(cardea, []);
    expect(help.code).toBe(0);
    const source = readFileSync(new URL('../src/commands/house.ts', import.meta.url), 'utf8');
    for (const [, name] of source.matchAll(/^ {4}name: '([^']+)'/gm)) expect(help.stdout).toContain(name);
    const unknown = await cardeaCommand(cardea, ['keys', 'dance']);
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toMatch(/no command `keys dance`[\s\S]*keys rotate/);
    expect(unknown.stderr).not.toContain('client add');
  });
});
