import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGround } from '../../test/support/ground.ts';
import { createEvents } from '../events/index.ts';
import { readAccounts } from './account-row.ts';
import { createFormerAddresses } from './former-addresses.ts';
import { createUsers, type Users } from './users.ts';

const by = { actor: { kind: 'client' as const, id: 'directory' } };

let ground: Awaited<ReturnType<typeof createGround>>;
let users: Users;
beforeAll(async () => {
  ground = await createGround();
  const events = createEvents({ ...ground, subscribers: [{ topic: 'told', wants: () => true, key: () => undefined }] });
  users = createUsers({ ...ground, events, sessions: { endAllOf: async () => {} } as never });
});
afterAll(() => ground.close());

/** How much there is of everything a creation writes. */
async function written(): Promise<{ people: number; events: number; messages: number }> {
  const [row] = await ground.db.query<{ people: number; events: number; messages: number }>(
    `select (select count(*)::int from user_account) as people, (select count(*)::int from audit_event) as events,
       (select count(*)::int from outbox) as messages`,
  );
  return row!;
}

const plus = ({ people, events, messages }: Awaited<ReturnType<typeof written>>, more: number) => ({
  people: people + more,
  events: events + more,
  messages: messages + more,
});

describe('somebody new', () => {
  it('is read as they were made, in the order in which they are asked for', async () => {
    const bare = await users.create({ userName: 'Bare' }, by);
    const whole = await users.create(
      {
        email: 'Whole@Example.com',
        emailVerified: true,
        state: 'Active',
        administrator: true,
        name: 'Ada "the \\ {first}" Lovelace',
        givenName: 'Ada',
        familyName: 'Lovelace',
        locale: 'en',
        profile: { nickname: "O'Ada", address: { country: 'UK' } },
        userName: 'ada',
        externalId: 'x-1',
        provisioningDomain: 'hr',
        directory: { title: 'Countess', emails: [{ value: 'whole@example.com', type: 'work' }] },
        attributes: { team: ['a', 'b'], level: 3 },
        termsVersion: '2026',
      },
      by,
    );
    expect(whole).toMatchObject({ emailKey: 'whole@example.com', userNameKey: 'ada', version: 1 });
    expect(await readAccounts(ground.db, [whole.id, bare.id])).toEqual([whole, bare]);
    expect(await readAccounts(ground.db, [bare.id, whole.id])).toEqual([bare, whole]);
  });

  it('is written down with the journal and what is told of them, or not at all', async () => {
    const before = await written();
    await users.create({ email: 'taken@example.com' }, by);
    await users.create({ userName: 'taken' }, by);
    expect(await written()).toEqual(plus(before, 2));
    const refused = {
      'user.email_taken': { email: 'TAKEN@example.com' },
      'user.user_name_taken': { email: 'free@example.com', userName: 'Taken' },
      'user.email_malformed': { email: 'nobody' },
      'user.user_name_malformed': { userName: ' spaced ' },
    };
    for (const [code, input] of Object.entries(refused)) {
      await expect(users.create(input, by)).rejects.toMatchObject({ code });
    }
    const failing = ground.db.transact(async () => {
      await users.create({ email: 'later@example.com' }, by);
      throw new Error('and then it went wrong');
    });
    await expect(failing).rejects.toThrow('went wrong');
    expect(await written()).toEqual(plus(before, 2));
  });

  it('of 64 with one address at once is made once, and the journal tells of one', async () => {
    const before = await written();
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, (_, at) =>
        users.create({ email: at % 2 ? 'one@example.com' : 'ONE@example.com' }, by),
      ),
    );
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(refused).toEqual(Array(63).fill('user.email_taken'));
    expect(await written()).toEqual(plus(before, 1));
  });

  it('an address that its owner may take back is nobody else’s, also when it is given up at the same moment', async () => {
    const { db, clock } = ground;
    const former = createFormerAddresses({ db, clock });
    const owner = await users.create({ email: 'mine@example.com' }, by);
    const before = await written();
    let given = () => {};
    const holds = new Promise<void>((resolve) => {
      given = resolve;
    });
    let commit = () => {};
    const waiting = new Promise<void>((resolve) => {
      commit = resolve;
    });
    const giving = db.transact(async () => {
      await db.query(`update user_account set email = 'o@example.com', email_key = 'o@example.com' where id = $1`, [
        owner.id,
      ]);
      await former.keep({ userId: owner.id, email: 'mine@example.com', seconds: 3_600 });
      given();
      await waiting;
    });
    await holds;
    const taking = users.create({ email: 'mine@example.com' }, by);
    // It waits for whoever holds the address: only then it may look whether it is kept.
    for (let blocked = 0; blocked === 0; ) {
      const [row] = await db.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like 'insert into user_account%'`,
      );
      blocked = row!.count;
    }
    commit();
    await giving;
    await expect(taking).rejects.toMatchObject({ code: 'user.email_taken' });
    expect(await written()).toEqual(before);
  });
});
