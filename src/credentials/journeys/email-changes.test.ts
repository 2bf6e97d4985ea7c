import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
});
afterAll(() => room.stop());

let addresses = 0;
/** Somewhere new each time: what is counted by address has tests of its own. */
const somewhere = () => ({ ip: `2001:db8:0:${(++addresses).toString(16)}::1`, locale: 'en' });
const from = somewhere();
const address = (name: string) => `${name}.${randomBytes(4).toString('hex')}@example.com`;
const code = (error: unknown) => (error as { code?: string }).code ?? String(error);

async function person(name = 'ada') {
  const email = address(name);
  const user = await room.users.create({ email, emailVerified: true, state: 'Active' }, { actor: { kind: 'system' } });
  const from = somewhere();
  const scope = `account ${randomBytes(8).toString('hex')}`;
  const ask = (to: string) => room.emailChanges.request({ user, email: to, scope, ...from });
  const confirm = (by: { code: string } | { link: string }, as = scope) =>
    room.emailChanges.confirm({ user, scope: as, by, ...from });
  const now = async () => (await room.users.byId(user.id))!;
  return { user, email, scope, ask, confirm, now };
}

const sent = (to: string, letter: string) => {
  const found = room.letters.filter((each) => each.to === to && each.letter === letter).at(-1);
  if (!found) throw new Error(`no ${letter} to ${to}`);
  return found;
};
const codeTo = (to: string) => sent(to, 'change-address').params.code!;

describe('another address', () => {
  it('is the account’s once its reader has typed the code, and the old one is told', async () => {
    const ada = await person();
    const fresh = address('new');
    await ada.ask(fresh);
    expect((await ada.now()).email).toBe(ada.email);
    await ada.confirm({ code: codeTo(fresh) });
    const changed = await ada.now();
    expect([changed.email, changed.isEmailVerified()]).toEqual([fresh, true]);
    expect(sent(ada.email, 'address-changed').params.link).toContain('/account/email/undo?token=');
    // Neither signs anybody out: the person has just proved who they are.
    expect(room.ended.filter(({ accountId }) => accountId === ada.user.id)).toEqual([]);
    await expect(ada.confirm({ code: codeTo(fresh) })).rejects.toMatchObject({ code: 'proof.code_refused' });
  });

  it('a taken one and a free one look the same, but for the letter', async () => {
    const [ada, grace] = [await person(), await person('grace')];
    const fresh = address('free');
    expect(await ada.ask(grace.email)).toEqual(await (await person()).ask(fresh));
    expect(room.letters.filter(({ to }) => to === grace.email).map(({ letter }) => letter)).toEqual(['address-taken']);
    const refused = await ada.confirm({ code: '123456' }).catch(code);
    expect(refused).toBe('proof.code_refused');
  });

  it('what an earlier letter carries ends when another is asked for, taken or not', async () => {
    const [ada, grace] = [await person(), await person('grace')];
    const fresh = address('first');
    await ada.ask(fresh);
    await ada.ask(grace.email);
    await expect(ada.confirm({ code: codeTo(fresh) })).rejects.toMatchObject({ code: 'proof.code_refused' });
  });

  it('code and link count in the session that asked, and for nobody else', async () => {
    const [ada, thief] = [await person(), await person('thief')];
    const fresh = address('new');
    await ada.ask(fresh);
    const { token } = sent(fresh, 'change-address');
    await expect(ada.confirm({ code: codeTo(fresh) }, 'account another')).rejects.toMatchObject({
      code: 'proof.code_refused',
    });
    for (const scope of [thief.scope, ada.scope])
      await expect(room.emailChanges.peek({ user: thief.user, scope, link: token })).rejects.toMatchObject({
        code: 'email.link_elsewhere',
      });
    await expect(room.emailChanges.peek({ link: token })).rejects.toMatchObject({ code: 'email.link_elsewhere' });
    await expect(thief.confirm({ link: token })).rejects.toMatchObject({ code: 'email.link_elsewhere' });
    expect(await room.emailChanges.peek({ user: ada.user, scope: ada.scope, link: token })).toEqual({ email: fresh });
    await ada.confirm({ link: token });
    expect((await ada.now()).email).toBe(fresh);
  });

  it('of two who prove the same address at once one gets it, and the other learns nothing', async () => {
    const rivals = [await person('one'), await person('two')];
    const fresh = address('wanted');
    await rivals[0]!.ask(fresh);
    const first = codeTo(fresh);
    await rivals[1]!.ask(fresh);
    const second = codeTo(fresh);
    const outcomes = await Promise.all([
      rivals[0]!.confirm({ code: first }).then(() => 'taken', code),
      rivals[1]!.confirm({ code: second }).then(() => 'taken', code),
    ]);
    expect(outcomes.toSorted()).toEqual(['proof.spent', 'taken']);
  });

  it('64 submissions of one code at once change it once', async () => {
    const ada = await person();
    const fresh = address('many');
    await ada.ask(fresh);
    const guess = codeTo(fresh);
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, () => ada.confirm({ code: guess }).then(() => 'changed', code)),
    );
    expect(outcomes.filter((outcome) => outcome === 'changed')).toHaveLength(1);
    const told = room.letters.filter(({ to, letter }) => to === ada.email && letter === 'address-changed');
    expect(told).toHaveLength(1);
  });

  it('that is none, or the same, is refused', async () => {
    const ada = await person();
    await expect(ada.ask('nobody')).rejects.toMatchObject({ code: 'user.email_malformed' });
    await expect(ada.ask(ada.email.toUpperCase())).rejects.toMatchObject({ code: 'email.same' });
  });
});

describe('the way back', () => {
  /** A thief who is signed in moves the account to an address of theirs. */
  async function stolen() {
    const ada = await person();
    const theirs = address('thief');
    await ada.ask(theirs);
    await ada.confirm({ code: codeTo(theirs) });
    return { ...ada, theirs, undo: sent(ada.email, 'address-changed').token };
  }

  it('gives the old address back, ends everything and sends a letter for a new password there', async () => {
    const ada = await stolen();
    expect(await room.emailChanges.peekUndo(ada.undo)).toMatchObject({ email: ada.email });
    expect((await ada.now()).email).toBe(ada.theirs);
    await room.emailChanges.undo({ link: ada.undo, ...from });
    const back = await ada.now();
    expect([back.email, back.isEmailVerified(), back.state]).toEqual([ada.email, true, 'PasswordResetRequired']);
    expect(room.ended.some(({ accountId }) => accountId === ada.user.id)).toBe(true);
    expect(sent(ada.email, 'reset-password')).toBeDefined();
    await expect(room.emailChanges.undo({ link: ada.undo, ...from })).rejects.toMatchObject({
      code: 'email.undo_refused',
    });
  });

  it('of the first change holds after a second, whose own way back is then gone', async () => {
    const ada = await stolen();
    const further = address('further');
    await ada.ask(further);
    await ada.confirm({ code: codeTo(further) });
    const thiefsUndo = sent(ada.theirs, 'address-changed').token;
    await room.emailChanges.undo({ link: ada.undo, ...from });
    await expect(room.emailChanges.undo({ link: thiefsUndo, ...from })).rejects.toMatchObject({
      code: 'email.undo_refused',
    });
    expect((await ada.now()).email).toBe(ada.email);
  });

  it('cannot be barred by registering the old address, and whoever tries sees what everybody sees', async () => {
    const ada = await stolen();
    const { handle } = await room.registration.register({ email: ada.email, password: 'seven quiet otters', ...from });
    expect(handle).toMatch(/^[\w-]{43}$/);
    expect(await room.users.byEmail(ada.email)).toBeUndefined();
    const other = await person('other');
    await other.ask(ada.email);
    expect(room.letters.some(({ to, letter }) => to === ada.email && letter === 'change-address')).toBe(false);
    await expect(room.users.create({ email: ada.email }, { actor: { kind: 'administrator' } })).rejects.toMatchObject({
      code: 'user.email_taken',
    });
    await room.emailChanges.undo({ link: ada.undo, ...from });
    expect((await ada.now()).email).toBe(ada.email);
  });

  it('of 64 at once is used once', async () => {
    const ada = await stolen();
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, () => room.emailChanges.undo({ link: ada.undo, ...from }).then(() => 'done', code)),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
  });

  it('removes the passkeys made since, each with a line in the journal', async () => {
    const ada = await stolen();
    await room.db.query(
      `insert into passkey (id, user_id, credential_id, public_key, sign_count, transports, aaguid, backup_eligible,
         backed_up, created_at) values (gen_random_uuid(), $1, $2, '', 0, '{}', gen_random_uuid(), false, false, $3)`,
      [ada.user.id, randomBytes(16).toString('base64url'), room.clock.now()],
    );
    await room.emailChanges.undo({ link: ada.undo, ...from });
    expect(await room.passkeys.list(ada.user.id)).toEqual([]);
    const [removed] = await room.events.history({ subject: ada.user.id, type: 'credential.removed' });
    expect(removed).toMatchObject({ data: { kind: 'passkey' }, reason: 'notice.not_me' });
  });
});
