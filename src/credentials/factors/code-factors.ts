import type { Events } from '../../events/index.ts';
import type { Mail, Sms } from '../../mail/index.ts';
import { describeAgent } from '../../platform/agent.ts';
import type { Db } from '../../platform/db/index.ts';
import { addressKey, type Clock, type Limits, Refusal } from '../../platform/index.ts';
import { phoneNumber, type User, type Users } from '../../users/index.ts';
import { type Budgets, countMessage } from '../budgets.ts';
import { byThemselves } from '../by.ts';
import type { CodeKind, OpenCode, SentCodes } from './sent-codes.ts';

export interface CodeFactor {
  kind: CodeKind;
  /** E.164, of `sms`. */
  number: string | undefined;
  createdAt: Date;
  usedAt: Date | undefined;
}

interface From {
  ip: string;
  userAgent?: string | undefined;
  locale: string;
}

type Person = Pick<User, 'id' | 'email' | 'locale' | 'profile'> & { isEmailVerified(): boolean };

/** Codes that come by letter or text message, as second factor. What each kind costs and how often, is limited here. */
export interface CodeFactors {
  /** The kinds that people may set up here. */
  readonly offered: readonly CodeKind[];
  of(userId: string): Promise<CodeFactor[]>;
  /** A code for the sign-in; also by letter to who has not set that up, where the flow asks for it. @throws as {@link enrolBy} */
  send(input: From & { user: Person; kind: CodeKind; scope: string }): Promise<void>;
  open(scope: string, kind: CodeKind): Promise<OpenCode | undefined>;
  /** Whether the code is right; of many at once, one is accepted. */
  check(input: { user: Pick<User, 'id'>; kind: CodeKind; scope: string; code: string }): Promise<boolean>;
  /**
   * Sends a code to where codes shall come from now on.
   * @param input.number as typed, for `sms`
   * @throws Refusal `code.not_offered` (forbidden), `code.no_address` (conflict), `phone.invalid`, `phone.country_refused`
   *   (invalid), `code.too_soon`, `limit.exceeded` (limited)
   */
  enrolBy(input: From & { user: Person; kind: CodeKind; number?: string; scope: string }): Promise<void>;
  /** Where the code had been sent, if it is right. Not in a transaction: the attempt is counted beside it. */
  proveDestination(input: { user: Person; kind: CodeKind; scope: string; code: string }): Promise<string | undefined>;
  /** In the open transaction; a number that was proved is so in the claims as well. */
  keep(input: { user: Person; kind: CodeKind; destination: string; ip: string }): Promise<void>;
  /** In the open transaction. @returns whether there was one */
  remove(userId: string, kind?: CodeKind): Promise<boolean>;
}

interface Row {
  kind: CodeKind;
  number: string | null;
  created_at: string;
  used_at: string | null;
}

export interface CodeFactorSettings {
  emailCodes: boolean;
  /** Countries that messages are sent to (ISO 3166-1 alpha-2); empty for all. */
  countries: readonly string[];
  /** Of the pages, for browsers that fill in the code (WebOTP). */
  host: string;
}

export function createCodeFactors(deps: {
  db: Db;
  clock: Clock;
  limits: Limits;
  budgets: Budgets;
  events: Pick<Events, 'record'>;
  users: Pick<Users, 'update'>;
  mail: Pick<Mail, 'send'>;
  /** Absent where none can be sent. */
  sms: Pick<Sms, 'send'> | undefined;
  /** The sentence of the message, in a language. */
  textOf: (locale: string, code: string) => string;
  codes: SentCodes;
  settings: CodeFactorSettings;
}): CodeFactors {
  const { db, clock, limits, budgets, users, mail, sms, textOf, codes, settings } = deps;
  const offered: CodeKind[] = [...(settings.emailCodes ? ['email' as const] : []), ...(sms ? ['sms' as const] : [])];

  const of: CodeFactors['of'] = async (userId) => {
    const rows = await db.query<Row>(
      'select kind, number, created_at, used_at from code_factor where account_id = $1 order by kind',
      [userId],
    );
    return rows.map((row) => ({
      kind: row.kind,
      number: row.number ?? undefined,
      createdAt: new Date(row.created_at),
      usedAt: row.used_at ? new Date(row.used_at) : undefined,
    }));
  };

  const byMessage = async (userId: string, number: string, scope: string, { ip, locale }: From) => {
    if (!sms) throw new Refusal('code.not_offered', { kind: 'forbidden' });
    await countMessage({ limits, budgets }, { number, userId, ip });
    await db.transact(async () => {
      const { code, expiresAt } = await codes.make({ scope, kind: 'sms', userId, destination: number });
      // The last line lets the browser fill it in on our pages and on no others (WebOTP, section 3).
      await sms.send({ to: number, text: `${textOf(locale, code)}\n\n@${settings.host} #${code}`, until: expiresAt });
    });
  };

  const byLetter = async (user: Person, scope: string, { ip, userAgent = '', locale }: From) => {
    if (!user.email) throw new Refusal('code.no_address', { kind: 'conflict' });
    const to = user.email;
    await limits.demand(budgets.lettersFromAddress, addressKey(ip));
    await limits.demand(budgets.codesByLetter, user.id);
    await db.transact(async () => {
      const { code, expiresAt } = await codes.make({ scope, kind: 'email', userId: user.id, destination: to });
      const { browser, system } = describeAgent(userAgent);
      const device = [browser, system].filter(Boolean).join(', ') || '–';
      const minutes = Math.round((expiresAt.getTime() - clock.now().getTime()) / 60_000);
      await mail.send('signin-code', {
        to,
        locale: user.locale ?? locale,
        timeZone: user.profile.zoneinfo,
        params: { code, minutes, ip, device },
      });
    });
  };

  return {
    offered,
    of,
    open: codes.open,

    async send({ user, kind, scope, ...from }) {
      const spoken = { ...from, locale: user.locale ?? from.locale };
      // An address that is not proved was put there by those who look after the account: they vouch for it.
      if (kind === 'email') return byLetter(user, scope, spoken);
      const { number } = (await of(user.id)).find((factor) => factor.kind === 'sms') ?? {};
      if (!number) throw new Refusal('code.not_offered', { kind: 'forbidden' });
      await byMessage(user.id, number, scope, spoken);
    },

    async check({ user, kind, scope, code }) {
      const destination = await codes.use({ scope, kind, userId: user.id, code });
      if (destination === undefined) return false;
      await db.query('update code_factor set used_at = $3 where account_id = $1 and kind = $2', [
        user.id,
        kind,
        clock.now(),
      ]);
      return true;
    },

    async enrolBy({ user, kind, number: typed = '', scope, ...from }) {
      if (!offered.includes(kind)) throw new Refusal('code.not_offered', { kind: 'forbidden' });
      const spoken = { ...from, locale: user.locale ?? from.locale };
      if (kind === 'email') {
        if (!user.isEmailVerified()) throw new Refusal('code.no_address', { kind: 'conflict' });
        return byLetter(user, scope, spoken);
      }
      const { number, country } = await phoneNumber(typed);
      if (settings.countries.length > 0 && !settings.countries.includes(country ?? ''))
        throw new Refusal('phone.country_refused', { kind: 'invalid' });
      await byMessage(user.id, number, scope, spoken);
    },

    proveDestination: ({ user, kind, scope, code }) => codes.use({ scope, kind, userId: user.id, code }),

    async keep({ user, kind, destination, ip }) {
      const number = kind === 'sms' ? destination : null;
      await db.query(
        `insert into code_factor (account_id, kind, number, created_at) values ($1, $2, $3, $4)
         on conflict (account_id, kind) do update set number = excluded.number, created_at = excluded.created_at`,
        [user.id, kind, number, clock.now()],
      );
      if (number) {
        await users.update(user.id, byThemselves(user.id, ip), (known) => {
          const { phone_number: told = number } = known.profile;
          if (told === number) known.profile = { ...known.profile, phone_number: number, phone_number_verified: true };
        });
      }
    },

    remove: async (userId, kind) =>
      (
        await db.query(
          'delete from code_factor where account_id = $1 and ($2::text is null or kind = $2) returning 1',
          [userId, kind ?? null],
        )
      ).length > 0,
  };
}
