import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import { Refusal } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { User } from '../users/index.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import type { Budgets } from './budgets.ts';
import type { Factors } from './factors.ts';
import { type By, byThemselves } from './journeys.ts';
import type { Notices } from './notices.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import type { RememberedDevices } from './remembered-devices.ts';
import type { Totp, TotpSetup } from './totp.ts';

type Person = Pick<User, 'id' | 'email' | 'locale' | 'profile' | 'administrator'>;

/** Where it is done from, and in which language to write if the person has chosen none. */
export interface Whence {
  ip: string;
  userAgent?: string | undefined;
  locale: string;
}

/** People enrol, prove and give up the second factor. Every change is told to the owner by letter. */
export interface SecondFactors {
  beginTotp(user: Person): TotpSetup;
  /** The setup a form has brought back. @throws Refusal `totp.setup_expired` (invalid) */
  resumeTotp(user: Person, token: string): TotpSetup;
  /**
   * @returns recovery codes to be shown once; none when there are some already
   * @throws Refusal `totp.setup_expired`, `totp.code_refused` (invalid), `totp.enrolled` (conflict)
   */
  enrolTotp(user: Person, input: Whence & { token: string; code: string }): Promise<string[]>;
  /** The recovery codes and remembered devices end with it. @throws Refusal `totp.required` (forbidden) */
  removeTotp(user: Person, from: Whence): Promise<void>;
  /**
   * The same by an operator, for somebody who has lost app and codes; also for whoever must have one: they enrol anew at
   * their next sign-in. Every session ends. @returns whether there was an app
   */
  resetTotp(user: Person, by: By): Promise<boolean>;
  /** Ten new recovery codes; the old ones end. @throws Refusal `totp.missing` (conflict) without anything to recover */
  reissueRecoveryCodes(user: Person, from: Whence): Promise<string[]>;
  /**
   * Each kind has a budget of its own, apart from the password's.
   * @param input.device the device cookie, which gives the owner a lane of their own
   * @throws Refusal `totp.code_refused`, `recovery.code_refused` (invalid), `limit.exceeded` (limited)
   */
  prove(
    user: Person,
    kind: 'totp' | 'recovery',
    input: Whence & { code: string; device?: string | undefined },
  ): Promise<void>;
}

export function createSecondFactors(
  deps: Parameters<typeof createAttempts>[0] & {
    db: Db;
    budgets: Budgets;
    events: Pick<Events, 'record'>;
    totp: Totp;
    recoveryCodes: RecoveryCodes;
    rememberedDevices: Pick<RememberedDevices, 'forgetAll'>;
    factors: Factors;
    notices: Pick<Notices, 'tell'>;
    sessions: Pick<Sessions, 'endAllOf'>;
  },
): SecondFactors {
  const { db, events, sessions, totp, recoveryCodes, rememberedDevices, factors, notices, budgets } = deps;
  const attempts = {
    totp: createAttempts({ ...deps, budgets: namedAfter('totp', budgets) }),
    recovery: createAttempts({ ...deps, budgets: namedAfter('recovery', budgets) }),
  };

  /** Counts before it looks, and gives back what was right. */
  const counted = async (counter: Attempts, who: Parameters<Attempts['before']>[0], look: () => Promise<boolean>) => {
    const reservation = await counter.before(who);
    if (!reservation.allowed) {
      throw new Refusal('limit.exceeded', { kind: 'limited', retryAfter: reservation.retryAfter });
    }
    const right = await look().catch(async (error: unknown) => {
      await counter.succeeded(reservation);
      throw error;
    });
    if (right) await counter.succeeded(reservation);
    else await counter.failed(reservation);
    return right;
  };

  const note = (user: Person, type: 'credential.added' | 'credential.changed', kind: string, ip: string) =>
    events.record({ type, ...byThemselves(user.id, ip), subject: user.id, data: { kind } });

  const drop = async (user: Person, by: By, from: Whence): Promise<boolean> => {
    if (!(await totp.remove(user.id))) return false;
    await recoveryCodes.remove(user.id);
    await rememberedDevices.forgetAll(user.id);
    await events.record({ type: 'credential.removed', ...by, subject: user.id, data: { kind: 'totp' } });
    await notices.tell(user, 'totp-removed', from);
    return true;
  };

  const useRecoveryCode = (user: Person, code: string, from: Whence) =>
    db.transact(async () => {
      const left = await recoveryCodes.use(user.id, code);
      if (left === undefined) return false;
      const by = { ...byThemselves(user.id, from.ip), subject: user.id };
      await events.record({ type: 'credential.recovery_code_used', ...by, data: { left } });
      await notices.tell(user, 'recovery-code-used', from);
      return true;
    });

  return {
    beginTotp: (user) => totp.begin({ userId: user.id, account: user.email ?? user.id }),
    resumeTotp: (user, token) => totp.resume({ userId: user.id, account: user.email ?? user.id, token }),

    enrolTotp: (user, { token, code, ...from }) =>
      db.transact(async () => {
        await totp.confirm({ userId: user.id, token, code: digits(code) });
        await note(user, 'credential.added', 'totp', from.ip);
        await notices.tell(user, 'totp-added', from);
        return (await recoveryCodes.left(user.id)) > 0 ? [] : recoveryCodes.issue(user.id);
      }),

    async removeTotp(user, from) {
      if (!factors.mayGoWithout(user) && (await factors.of(user.id)).passkeys === 0) {
        throw new Refusal('totp.required', { kind: 'forbidden' });
      }
      await db.transact(() => drop(user, byThemselves(user.id, from.ip), from));
    },

    resetTotp: (user, by) =>
      db.transact(async () => {
        if (!(await drop(user, by, { ip: 'localhost', userAgent: by.reason, locale: 'en' }))) return false;
        await sessions.endAllOf(user.id, 'credential.reset');
        return true;
      }),

    reissueRecoveryCodes: (user, from) =>
      db.transact(async () => {
        if (!(await totp.of(user.id))) throw new Refusal('totp.missing', { kind: 'conflict' });
        const codes = await recoveryCodes.issue(user.id);
        await note(user, 'credential.changed', 'recovery_codes', from.ip);
        await notices.tell(user, 'recovery-codes-issued', from);
        return codes;
      }),

    async prove(user, kind, { code, device, ...from }) {
      const who = { identifier: user.id, userId: user.id, ip: from.ip, device };
      const right = await counted(attempts[kind], who, () =>
        kind === 'totp' ? totp.check(user.id, digits(code)) : useRecoveryCode(user, code, from),
      );
      if (right) return;
      const why = `${kind}.code_refused`;
      const by = { ...byThemselves(user.id, from.ip), subject: user.id };
      await events.record({ type: 'signin.failed', ...by, data: { method: kind === 'totp' ? 'otp' : kind, why } });
      throw new Refusal(why, { kind: 'invalid' });
    },
  };
}

/** Apps show codes in groups, and people type them so. */
const digits = (code: string): string => code.slice(0, 40).replace(/\s/g, '');

/** As many tries as for passwords, counted by themselves. */
function namedAfter(kind: string, budgets: Budgets): Budgets {
  const own = Object.entries(budgets).map(([name, budget]) => [name, { ...budget, name: `${kind}.${budget.name}` }]);
  return Object.fromEntries(own) as Budgets;
}
