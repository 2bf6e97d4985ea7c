import type { Db } from '../../platform/db/index.ts';
import type { User, Users } from '../../users/index.ts';
import { acrOf, mfa, satisfies } from './assurance.ts';
import type { RememberedDevices } from './remembered-devices.ts';

/** What a person can prove themselves with. */
export interface FactorsHeld {
  password: boolean;
  totp: boolean;
  /** Recovery codes not used yet. */
  recoveryCodes: number;
  passkeys: number;
  /** Codes by letter … */
  email: boolean;
  /** … and by text message. */
  sms: boolean;
}

/** What stands beside a password, in the order in which it is asked for. */
export const secondFactorKinds = ['totp', 'passkey', 'sms', 'email-code'] as const;
export type SecondFactorKind = (typeof secondFactorKinds)[number];

/** What a sign-in must still prove, or make first. */
export type MissingFactor = SecondFactorKind | 'totp-setup';

type Person = Pick<User, 'id' | 'administrator'> & Partial<Pick<User, 'isEmailVerified'>>;

export interface Factors {
  of(userId: string): Promise<FactorsHeld>;
  /**
   * Which factors are asked of whom. A second one is asked for by the application (`acr_values`, or always), of whoever
   * has one that gives codes, of administrators and of groups when they must, and where the risk is too great. A remembered
   * device spares it, but not where the application asks or the risk does: what they are told must have been proved in this
   * sign-in.
   * @param input.proved RFC 8176 values
   * @param input.requested classes asked for (`acr_values`)
   * @param input.demanded the application's people always prove two
   * @param input.device cookie of remembered devices
   * @param input.mailbox the first factor was proved by the mailbox: a code sent there is no second one
   * @param input.risky the circumstances ask for more than a password, whatever the person has
   */
  missing(input: {
    user: Person;
    proved: readonly string[];
    requested: readonly string[];
    demanded: boolean;
    device: string | undefined;
    mailbox?: boolean | undefined;
    risky?: boolean | undefined;
  }): Promise<MissingFactor | undefined>;
  /** What else would do in place of what is {@link missing}. */
  choices(userId: string, input: { mailbox?: boolean | undefined }): Promise<SecondFactorKind[]>;
  /** Whether the person may do without a second factor: not whom the settings demand one of. */
  mayGoWithout(user: Pick<User, 'id' | 'administrator'>): Promise<boolean>;
  /**
   * Whether a session that has begun earlier is enough for what is demanded of its person now. Asked at each request of an
   * application, so it costs nothing while nothing is demanded of anybody.
   */
  suffices(session: { userId: string; acr: string | undefined; device: string | undefined }): Promise<boolean>;
}

export function createFactors(deps: {
  db: Db;
  users: Pick<Users, 'byId'>;
  rememberedDevices: Pick<RememberedDevices, 'isRemembered'>;
  administrators: 'required' | 'offered';
  /** Names or ids of groups whose people must have a second factor. */
  groups: readonly string[];
  groupsOf: (accountId: string) => Promise<{ id: string; displayName: string }[]>;
  /** Others who demand one of somebody, such as an organisation of its people. */
  demands?: readonly ((accountId: string) => Promise<boolean>)[] | undefined;
}): Factors {
  const { db, users, rememberedDevices, administrators, groups, groupsOf, demands = [] } = deps;

  const of = async (userId: string): Promise<FactorsHeld & { mustEnrol: boolean }> => {
    const [row] = await db.query<FactorsHeld & { recovery_codes: number; must_enrol: boolean }>(
      `select exists (select 1 from password where user_id = $1) as password,
              exists (select 1 from totp where user_id = $1) as totp,
              (select count(*)::int from recovery_code where user_id = $1 and used_at is null) as recovery_codes,
              (select count(*)::int from passkey where user_id = $1) as passkeys,
              exists (select 1 from code_factor where account_id = $1 and kind = 'email') as email,
              exists (select 1 from code_factor where account_id = $1 and kind = 'sms') as sms,
              exists (select 1 from must_enrol where account_id = $1) as must_enrol`,
      [userId],
      'factors-held',
    );
    const { recovery_codes: recoveryCodes, must_enrol: mustEnrol, ...held } = row!;
    return { ...held, recoveryCodes, mustEnrol };
  };

  const usable = (held: FactorsHeld, mailbox = false): SecondFactorKind[] => {
    const has = { totp: held.totp, passkey: held.passkeys > 0, sms: held.sms, 'email-code': held.email && !mailbox };
    return secondFactorKinds.filter((kind) => has[kind]);
  };

  const mayGoWithout: Factors['mayGoWithout'] = async ({ id, administrator }) => {
    if (administrator && administrators === 'required') return false;
    if (
      groups.length > 0 &&
      (await groupsOf(id)).some((one) => groups.includes(one.displayName) || groups.includes(one.id))
    )
      return false;
    for (const demand of demands) if (await demand(id)) return false;
    return true;
  };

  return {
    of,
    mayGoWithout,
    choices: async (userId, { mailbox }) => usable(await of(userId), mailbox),

    async missing({ user, proved, requested, demanded, device, mailbox = false, risky = false }) {
      const acr = acrOf(proved);
      if (acr === mfa) return undefined;
      const held = await of(user.id);
      const own = usable(held, mailbox);
      const asked = demanded || !satisfies(acr, requested);
      if (!asked && !risky) {
        const hasCodes = own.some((kind) => kind !== 'passkey');
        if (!hasCodes && !held.mustEnrol && (await mayGoWithout(user))) return undefined;
        if (await rememberedDevices.isRemembered(user.id, device)) return undefined;
      }
      if (own.length > 0) return own[0];
      // Who has nothing is not let in to make something by a password that may be stolen: the mailbox vouches for them.
      if (risky && !mailbox && user.isEmailVerified?.()) return 'email-code';
      if (risky && !asked && !held.mustEnrol && (await mayGoWithout(user))) return undefined;
      // Only whoever has nothing yet may enrol on the way: else a stolen password would be enough to get past.
      return 'totp-setup';
    },

    async suffices({ userId, acr, device }) {
      if (acr === mfa) return true;
      if (administrators !== 'required' && groups.length === 0 && demands.length === 0) return true;
      const user = await users.byId(userId);
      if (!user || (await mayGoWithout(user))) return true;
      return rememberedDevices.isRemembered(userId, device);
    },
  };
}
