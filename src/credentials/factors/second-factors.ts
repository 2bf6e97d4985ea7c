import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';
import type { User } from '../../users/index.ts';
import { type Attempts, createAttempts } from '../attempts.ts';
import type { Budgets } from '../budgets.ts';
import { type By, byThemselves } from '../by.ts';
import type { Notices } from '../notices.ts';
import type { CodeFactors } from './code-factors.ts';
import type { Factors } from './factors.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import type { RememberedDevices } from './remembered-devices.ts';
import type { CodeKind } from './sent-codes.ts';
import type { Totp, TotpSetup } from './totp.ts';

type Person = Pick<User, 'id' | 'email' | 'locale' | 'profile' | 'settings' | 'administrator'> & {
  isEmailVerified(): boolean;
};

/** What is proved by a code. */
export type CodeProof = 'totp' | 'recovery' | CodeKind;

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
  /**
   * Codes by letter or text message from now on, once the code that was sent has come back.
   * @returns recovery codes to be shown once; none when there are some already
   * @throws Refusal `code.refused` (invalid), `limit.exceeded` (limited)
   */
  enrolCodes(user: Person, input: Whence & { kind: CodeKind; scope: string; code: string }): Promise<string[]>;
  /**
   * Remembered devices end with it, and with the last one the recovery codes.
   * @throws Refusal `totp.required` (forbidden) where the person must have one and has no other
   */
  remove(user: Person, kind: 'totp' | CodeKind, from: Whence): Promise<void>;
  /**
   * All of them by an operator, for somebody who has lost them; also for whoever must have one: they enrol anew at their
   * next sign-in. Every session ends.
   * @param options.passkeys take those as well, as where the device is lost that holds all of it
   * @returns whether there was any
   */
  reset(user: Person, by: By, options?: { passkeys?: boolean }): Promise<boolean>;
  /** Ten new recovery codes; the old ones end. @throws Refusal `totp.missing` (conflict) without anything to recover */
  reissueRecoveryCodes(user: Person, from: Whence): Promise<string[]>;
  /**
   * Each kind has a budget of its own, apart from the password's.
   * @param input.device the device cookie, which gives the owner a lane of their own
   * @param input.scope of a code that was sent
   * @throws Refusal `totp.code_refused`, `recovery.code_refused`, `code.refused` (invalid), `limit.exceeded` (limited)
   */
  prove(
    user: Person,
    kind: CodeProof,
    input: Whence & { code: string; scope?: string; device?: string | undefined },
  ): Promise<void>;
}

export function createSecondFactors(
  deps: Parameters<typeof createAttempts>[0] & {
    db: Db;
    budgets: Budgets;
    events: Pick<Events, 'record'>;
    totp: Totp;
    codeFactors: CodeFactors;
    recoveryCodes: RecoveryCodes;
    rememberedDevices: Pick<RememberedDevices, 'forgetAll'>;
    factors: Factors;
    notices: Pick<Notices, 'tell'>;
    sessions: Pick<Sessions, 'endAllOf'>;
  },
): SecondFactors {
  const { db, events, sessions, totp, codeFactors, recoveryCodes, rememberedDevices, factors, notices, budgets } = deps;
  const attempts = {
    totp: createAttempts({ ...deps, budgets: namedAfter('totp', budgets) }),
    recovery: createAttempts({ ...deps, budgets: namedAfter('recovery', budgets) }),
    email: createAttempts({ ...deps, budgets: namedAfter('email', budgets) }),
    sms: createAttempts({ ...deps, budgets: namedAfter('sms', budgets) }),
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

  /** In the open transaction. */
  const drop = async (user: Person, kind: 'totp' | CodeKind, by: By, from: Whence): Promise<boolean> => {
    const there = kind === 'totp' ? await totp.remove(user.id) : await codeFactors.remove(user.id, kind);
    if (!there) return false;
    const { totp: app, email, sms } = await factors.of(user.id);
    if (!app && !email && !sms) await recoveryCodes.remove(user.id);
    await rememberedDevices.forgetAll(user.id);
    await events.record({ type: 'credential.removed', ...by, subject: user.id, data: { kind: named(kind) } });
    await notices.tell(user, kind === 'totp' ? 'totp-removed' : `${kind}-codes-removed`, from);
    return true;
  };

  /** Recovery codes come with the first factor they could stand in for; made on demand, nobody is owed one any more. */
  const withRecovery = async (user: Person): Promise<string[]> => {
    await db.query('delete from must_enrol where account_id = $1', [user.id]);
    return (await recoveryCodes.left(user.id)) > 0 ? [] : recoveryCodes.issue(user.id);
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
        return withRecovery(user);
      }),

    async enrolCodes(user, { kind, scope, code, ...from }) {
      const who = { identifier: user.id, userId: user.id, ip: from.ip };
      let destination: string | undefined;
      const right = await counted(attempts[kind], who, async () => {
        destination = await codeFactors.proveDestination({ user, kind, scope, code: digits(code) });
        return destination !== undefined;
      });
      if (!right) throw new Refusal('code.refused', { kind: 'invalid' });
      return db.transact(async () => {
        await codeFactors.keep({ user, kind, destination: destination!, ip: from.ip });
        await note(user, 'credential.added', named(kind), from.ip);
        await notices.tell(user, `${kind}-codes-added`, from);
        return withRecovery(user);
      });
    },

    async remove(user, kind, from) {
      await db.transact(async () => {
        const held = await factors.of(user.id);
        const others = { totp: held.totp, email: held.email, sms: held.sms, [kind]: false };
        const another = held.passkeys > 0 || others.totp || others.email || others.sms;
        if (!another && !(await factors.mayGoWithout(user))) throw new Refusal('totp.required', { kind: 'forbidden' });
        await drop(user, kind, byThemselves(user.id, from.ip), from);
      });
    },

    reset: (user, by, { passkeys = false } = {}) =>
      db.transact(async () => {
        const from = { ip: by.ip ?? 'localhost', userAgent: by.reason, locale: 'en' };
        let removed = false;
        for (const kind of ['totp', 'email', 'sms'] as const) removed = (await drop(user, kind, by, from)) || removed;
        if (passkeys) {
          const keys = await db.query<{ id: string }>('delete from passkey where user_id = $1 returning id', [user.id]);
          for (const { id } of keys) {
            const data = { kind: 'passkey', credential: id };
            await events.record({ type: 'credential.removed', ...by, subject: user.id, data });
          }
          removed ||= keys.length > 0;
        }
        if (removed) await sessions.endAllOf(user.id, 'credential.reset');
        return removed;
      }),

    reissueRecoveryCodes: (user, from) =>
      db.transact(async () => {
        const { totp: app, email, sms } = await factors.of(user.id);
        if (!app && !email && !sms) throw new Refusal('totp.missing', { kind: 'conflict' });
        const codes = await recoveryCodes.issue(user.id);
        await note(user, 'credential.changed', 'recovery_codes', from.ip);
        await notices.tell(user, 'recovery-codes-issued', from);
        return codes;
      }),

    async prove(user, kind, { code, device, scope = '', ...from }) {
      const who = { identifier: user.id, userId: user.id, ip: from.ip, device };
      const right = await counted(attempts[kind], who, () => {
        if (kind === 'totp') return totp.check(user.id, digits(code));
        if (kind === 'recovery') return useRecoveryCode(user, code, from);
        return codeFactors.check({ user, kind, scope, code: digits(code) });
      });
      if (right) return;
      const why = kind === 'totp' || kind === 'recovery' ? `${kind}.code_refused` : 'code.refused';
      const by = { ...byThemselves(user.id, from.ip), subject: user.id };
      await events.record({ type: 'signin.failed', ...by, data: { method: methods[kind], why } });
      throw new Refusal(why, { kind: 'invalid' });
    },
  };
}

/** As the journal calls what failed. */
const methods: Record<CodeProof, string> = { totp: 'otp', recovery: 'recovery', email: 'email', sms: 'sms' };

const named = (kind: 'totp' | CodeKind): string => (kind === 'totp' ? kind : `${kind}_codes`);

/** Apps show codes in groups, and people type them so. */
const digits = (code: string): string => code.slice(0, 40).replace(/\s/g, '');

/** As many tries as for passwords, counted by themselves. */
function namedAfter(kind: string, budgets: Budgets): Budgets {
  const own = Object.entries(budgets).map(([name, budget]) => [name, { ...budget, name: `${kind}.${budget.name}` }]);
  return Object.fromEntries(own) as Budgets;
}
