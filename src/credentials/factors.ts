import type { Db } from '../platform/db/index.ts';
import type { User } from '../users/index.ts';
import { acrOf, mfa, satisfies } from './assurance.ts';
import type { RememberedDevices } from './remembered-devices.ts';

/** What a person can prove themselves with. */
export interface FactorsHeld {
  password: boolean;
  totp: boolean;
  /** Recovery codes not used yet. */
  recoveryCodes: number;
  passkeys: number;
}

/** What a sign-in must still prove, or make first. */
export type MissingFactor = 'totp' | 'passkey' | 'totp-setup';

export interface Factors {
  of(userId: string): Promise<FactorsHeld>;
  /**
   * Which factors are asked of whom. A second one is asked for by the application (`acr_values`, or always), of whoever
   * has an authenticator app, and of administrators when they must. A remembered device spares it, but not where the
   * application asks: what it is told must have been proved in this sign-in.
   * @param input.proved RFC 8176 values
   * @param input.requested classes asked for (`acr_values`)
   * @param input.demanded the application's people always prove two
   * @param input.device cookie of remembered devices
   */
  missing(input: {
    user: Pick<User, 'id' | 'administrator'>;
    proved: readonly string[];
    requested: readonly string[];
    demanded: boolean;
    device: string | undefined;
  }): Promise<MissingFactor | undefined>;
  /** Whether the person may do without a second factor. */
  mayGoWithout(user: Pick<User, 'administrator'>): boolean;
}

export function createFactors(deps: {
  db: Db;
  rememberedDevices: Pick<RememberedDevices, 'isRemembered'>;
  administrators: 'required' | 'offered';
}): Factors {
  const { db, rememberedDevices, administrators } = deps;

  const of: Factors['of'] = async (userId) => {
    const [row] = await db.query<FactorsHeld & { recovery_codes: number }>(
      `select exists (select 1 from password where user_id = $1) as password,
              exists (select 1 from totp where user_id = $1) as totp,
              (select count(*)::int from recovery_code where user_id = $1 and used_at is null) as recovery_codes,
              (select count(*)::int from passkey where user_id = $1) as passkeys`,
      [userId],
    );
    const { recovery_codes: recoveryCodes, password, totp, passkeys } = row!;
    return { password, totp, recoveryCodes, passkeys };
  };

  const mayGoWithout: Factors['mayGoWithout'] = ({ administrator }) =>
    !(administrator && administrators === 'required');

  return {
    of,
    mayGoWithout,
    async missing({ user, proved, requested, demanded, device }) {
      const acr = acrOf(proved);
      if (acr === mfa) return undefined;
      const asked = demanded || !satisfies(acr, requested);
      const held = await of(user.id);
      if (!asked) {
        if (!held.totp && mayGoWithout(user)) return undefined;
        if (await rememberedDevices.isRemembered(user.id, device)) return undefined;
      }
      // Only whoever has nothing yet may enrol on the way: else a stolen password would be enough to get past.
      if (held.totp) return 'totp';
      return held.passkeys > 0 ? 'passkey' : 'totp-setup';
    },
  };
}
