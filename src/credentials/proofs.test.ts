import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { credentialsRoom } from '../../test/support/credentials.ts';
import { newId } from '../platform/index.ts';
import type { Proofs } from './proofs.ts';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
let proofs: Proofs;
beforeAll(async () => {
  room = await credentialsRoom();
  proofs = room.proofs;
});
afterAll(() => room.stop());
afterEach(() => void vi.useRealTimers());

const purpose = 'verify_email';
const email = 'anna@example.com';
const issue = (over: { userId?: string; handle?: string; email?: string } = {}) =>
  proofs.issue({ userId: newId(), purpose, email, ttl: 900, ...over });
const refused = { code: 'proof.code_refused', kind: 'invalid' };
const other = (code: string) => (code === '11111111' ? '22222222' : '11111111');
const won = (all: PromiseSettledResult<unknown>[]) => all.filter(({ status }) => status === 'fulfilled');
const later = (seconds: number) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(Date.now() + seconds * 1000);
};

describe('a code', () => {
  it('is eight digits, good once, in the browser that asked', async () => {
    const userId = newId();
    const { code, handle } = await issue({ userId });
    expect(code).toMatch(/^\d{8}$/);
    expect(await proofs.redeemCode({ handle, purpose, code: ` ${code.slice(0, 4)} ${code.slice(4)} ` })).toMatchObject({
      userId,
      email,
      purpose,
    });
    await expect(proofs.redeemCode({ handle, purpose, code })).rejects.toMatchObject(refused);
  });

  it('cannot be used, nor guessed at, from elsewhere', async () => {
    const { code, handle } = await issue();
    for (let i = 0; i < 10; i++) {
      await expect(proofs.redeemCode({ handle: proofs.decoy(), purpose, code })).rejects.toMatchObject(refused);
    }
    // Those guesses have cost the person nothing.
    expect(await proofs.redeemCode({ handle, purpose, code })).toMatchObject({ email });
  });

  it('64 at once: one wins', async () => {
    const { code, handle } = await issue();
    // Five attempts bound it already; the link has no such bound and is tried the same way below.
    const all = await Promise.allSettled(
      Array.from({ length: 64 }, () => proofs.redeemCode({ handle, purpose, code })),
    );
    expect(won(all)).toHaveLength(1);
  });

  it('is dead after five wrong tries, also when 64 are made at once; the link is not', async () => {
    const { code, link, handle } = await issue();
    await Promise.allSettled(
      Array.from({ length: 64 }, () => proofs.redeemCode({ handle, purpose, code: other(code) })),
    );
    await expect(proofs.redeemCode({ handle, purpose, code })).rejects.toMatchObject(refused);
    expect(await proofs.redeemLink(link, purpose)).toMatchObject({ email });
  });

  it('counts a try that is made in a transaction that rolls back', async () => {
    const { code, handle } = await issue();
    for (let i = 0; i < 5; i++) {
      await room.db.transact(() => proofs.redeemCode({ handle, purpose, code: other(code) })).catch(() => undefined);
    }
    await expect(proofs.redeemCode({ handle, purpose, code })).rejects.toMatchObject(refused);
  });

  it('is good for its purpose alone', async () => {
    const { code, handle } = await issue();
    await expect(proofs.redeemCode({ handle, purpose: 'reset_password', code })).rejects.toMatchObject(refused);
  });

  it.each(['', '1234567', '123456789', 'abcdefgh', '١٢٣٤٥٦٧٨', "' or 1=1 --", '\u0000'])(
    '%j is not one',
    async (code) => {
      const { handle } = await issue();
      await expect(proofs.redeemCode({ handle, purpose, code })).rejects.toMatchObject(refused);
    },
  );

  it('expires', async () => {
    const { code, link, handle } = await issue();
    later(901);
    await expect(proofs.redeemCode({ handle, purpose, code })).rejects.toMatchObject(refused);
    await expect(proofs.redeemLink(link, purpose)).rejects.toMatchObject({ code: 'proof.link_refused' });
    // Who asked for it can still be sent another.
    expect(await proofs.behind(handle, purpose)).toMatchObject({ purpose });
  });
});

describe('a link', () => {
  it('looked at changes nothing', async () => {
    const { link, handle } = await issue();
    for (let i = 0; i < 10; i++) expect(await proofs.peekLink(link, purpose)).toMatchObject({ email });
    const proof = await proofs.redeemLink(link, ['reset_password', purpose]);
    expect(await proofs.isFrom(proof, handle)).toBe(true);
    expect(await proofs.isFrom(proof, proofs.decoy())).toBe(false);
    expect(await proofs.isFrom(proof, undefined)).toBe(false);
    await expect(proofs.peekLink(link, purpose)).rejects.toMatchObject({ code: 'proof.link_refused', kind: 'invalid' });
  });

  it('64 at once: one wins', async () => {
    const { link } = await issue();
    const all = await Promise.allSettled(Array.from({ length: 64 }, () => proofs.redeemLink(link, purpose)));
    expect(won(all)).toHaveLength(1);
    for (const one of all) {
      if (one.status === 'rejected') expect(one.reason.code).toMatch(/^proof\.(spent|link_refused)$/);
    }
  });

  it('used in a transaction that rolls back is still good', async () => {
    const { link } = await issue();
    const failing = room.db.transact(async () => {
      await proofs.redeemLink(link, purpose);
      throw new Error('not today');
    });
    await expect(failing).rejects.toThrow('not today');
    expect(await proofs.redeemLink(link, purpose)).toMatchObject({ email });
  });
});

describe('of one person and purpose', () => {
  it('a newer one takes the place of the older, with fresh attempts', async () => {
    const userId = newId();
    const first = await issue({ userId });
    const second = await issue({ userId, handle: first.handle });
    expect(second.handle).toBe(first.handle);
    await expect(proofs.peekLink(first.link, purpose)).rejects.toMatchObject({ code: 'proof.link_refused' });
    if (first.code !== second.code) {
      await expect(proofs.redeemCode({ handle: first.handle, purpose, code: first.code })).rejects.toMatchObject(
        refused,
      );
    }
    expect(await proofs.redeemCode({ handle: first.handle, purpose, code: second.code })).toMatchObject({ userId });
  });

  it('what was looked at before it was replaced can no longer be used', async () => {
    const userId = newId();
    const proof = await proofs.peekLink((await issue({ userId })).link, purpose);
    await issue({ userId, email: 'new@example.com' });
    await expect(proofs.use(proof)).rejects.toMatchObject({ code: 'proof.spent', kind: 'conflict' });
  });

  it('all end at once when they are revoked', async () => {
    const userId = newId();
    const { link, handle, code } = await issue({ userId });
    await proofs.revoke(userId);
    await expect(proofs.peekLink(link, purpose)).rejects.toMatchObject({ code: 'proof.link_refused' });
    await expect(proofs.matchCode({ handle, purpose, code })).rejects.toMatchObject(refused);
  });
});

describe('a ticket', () => {
  it('stands for a proof that was shown, until it is used', async () => {
    const { link } = await issue();
    const ticket = proofs.toTicket(await proofs.peekLink(link, purpose));
    const proof = await proofs.fromTicket(ticket);
    await proofs.use(proof);
    await expect(proofs.fromTicket(ticket)).rejects.toMatchObject({ code: 'proof.spent' });
  });

  it('cannot be made by others', async () => {
    for (const forged of ['', 'x', newId(), room.vault.seal(newId(), 'something else')]) {
      await expect(proofs.fromTicket(forged)).rejects.toMatchObject({ code: 'proof.spent', kind: 'conflict' });
    }
  });
});

it('neither codes nor links nor handles are in the database', async () => {
  const { code, link, handle } = await issue();
  const text = JSON.stringify(await room.db.query('select * from one_time_proof'));
  expect(text).not.toContain(link);
  expect(text).not.toContain(handle);
  expect(text).not.toContain(`"${code}"`);
});

it('what expired is removed after a day', async () => {
  await issue();
  later(900 + 86_400 + 60);
  expect(await proofs.sweep()).toBeGreaterThan(0);
  expect(await room.db.query('select 1 from one_time_proof')).toEqual([]);
});
