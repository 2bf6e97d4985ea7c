import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { email, password, type room, stageJourneys } from '../../../test/support/journeys.ts';
import { newId } from '../../platform/index.ts';

stageJourneys();

describe('a known and an unknown address look the same', () => {
  const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  /** Alternating, so that whatever else the machine does strikes both. */
  const compare = async (
    known: (i: number) => Promise<unknown>,
    unknown: (i: number) => Promise<unknown>,
    rounds: number,
  ) => {
    const times = { known: [] as number[], unknown: [] as number[] };
    for (let i = 0; i < rounds; i++) {
      times.known.push(await timed(() => known(i)));
      times.unknown.push(await timed(() => unknown(i)));
    }
    return { known: median(times.known), unknown: median(times.unknown) };
  };
  const close = ({ known, unknown }: { known: number; unknown: number }, share: number) =>
    expect(Math.abs(known - unknown) / Math.max(known, unknown)).toBeLessThan(share);

  let real: typeof room;
  beforeAll(async () => {
    const argon2 = { memoryKib: 19_456, iterations: 2, parallelism: 1 };
    real = await credentialsRoom({ settings: { passwords: { argon2 } as never }, evenAnswer: 400 });
  });
  afterAll(() => real.stop());

  it('when they sign in', async () => {
    const user = await real.users.create({ email, state: 'Active' }, { actor: { kind: 'system' } });
    await real.passwords.set(user.id, password);
    const signIn = async (address: string, from: string) => {
      const found = await real.users.byEmail(address);
      const reservation = await real.attempts.before({ identifier: address, ip: from, userId: found?.id });
      if (!reservation.allowed) throw new Error('limited');
      expect(await real.passwords.check(found?.id, 'wrong')).toBe(false);
      await real.attempts.succeeded(reservation);
    };
    const measured = () =>
      compare(
        (i) => signIn(email, `192.0.2.${i}`),
        (i) => signIn(`nobody-${email}`, `192.0.2.${i}`),
        31,
      );
    // A difference that is real shows each time; one that a busy machine made does not.
    const apart = ({ known, unknown }: { known: number; unknown: number }) =>
      Math.abs(known - unknown) / Math.max(known, unknown);
    let least = await measured();
    for (let again = 0; again < 2 && apart(least) >= 0.4; again++) least = await measured();
    close(least, 0.4);
  });

  it('when they register and when they forget, also from one made a moment ago', async () => {
    const create = (address: string) =>
      real.users.create({ email: address, state: 'Active' }, { actor: { kind: 'system' } });
    for (let i = 0; i < 7; i++) await create(`known${i}-${email}`);
    const registering = (who: string) => (i: number) =>
      real.registration.register({ ip: `192.0.2.${i}`, locale: 'en', email: `${who}${i}-${email}`, password });
    close(await compare(registering('known'), registering('unknown'), 7), 0.25);
    const forgetting = (who: string) => (i: number) =>
      real.resets.request({ ip: `192.0.3.${i}`, locale: 'en', email: `${who}${i}-${email}` });
    close(await compare(forgetting('known'), forgetting('nobody'), 7), 0.25);
  });

  it('in what they get', async () => {
    const shapes = [];
    for (const address of [`known0-${email}`, `${newId()}@example.com`]) {
      const { handle } = await real.resets.request({ ip: '192.0.4.1', locale: 'en', email: address });
      const refused = await real.resets.enterCode({ handle, code: '12345', ip: '192.0.4.1' }).catch((error) => error);
      shapes.push({ handle: handle.length, code: refused.code, kind: refused.kind, details: refused.details });
    }
    expect(shapes[0]).toEqual(shapes[1]);
  });
});
