import type { Db } from '../platform/db/index.ts';
import type { User, UserProfile, Users } from '../users/index.ts';
import type { Provider } from './definition.ts';
import type { FactsIn } from './facts.ts';
import type { Identities, Whence } from './identities.ts';
import { applyFacts, type Mapped } from './mapping.ts';
import type { Arrival } from './upstreams/upstream.ts';

/** What somebody has said themselves. */
export type OwnWords = Partial<Omit<Mapped, 'profile'>> & {
  profile?: UserProfile;
  termsVersion?: string | undefined;
};

/** The accounts of those who come from a provider: made, and kept as it says. */
export interface Accounts {
  /**
   * A new account for who has come, or the one that the same identity got a moment ago.
   * @param own what the person has said themselves, before what the provider says
   * @throws Refusal `user.email_taken` (conflict): somebody else was first
   */
  create(
    outcome: { provider: Provider; arrival: Arrival },
    from: Whence,
    own?: OwnWords,
  ): Promise<{ user: User; identityId: string }>;
  /** Notes a sign-in and brings the account up to date, as the provider's policy says. */
  cameBy(input: { user: User; identityId: string; provider: Provider; arrival: Arrival; from: Whence }): Promise<void>;
}

export function createAccounts(deps: { db: Db; users: Users; identities: Identities; factsIn: FactsIn }): Accounts {
  const { db, users, identities, factsIn } = deps;
  const byProvider = ({ id }: { id: string }, { ip }: Whence) => ({
    ...{ actor: { kind: 'system' as const }, reason: `federation ${id}`, ip },
  });

  return {
    async create({ provider, arrival }, from, own = {}) {
      const { mapped } = await factsIn(provider, arrival.claims);
      return db.transact(async () => {
        // Two tabs of one person who comes for the first time: one account.
        const present = await identities.hold(arrival.issuer, arrival.subject);
        const already = present && (await users.byId(present.accountId));
        if (already && already.state !== 'Deleted') return { user: already, identityId: present.id };
        const user = await users.create(
          {
            email: arrival.email,
            emailVerified: arrival.email !== undefined,
            state: 'Active',
            ...mapped,
            ...own,
            profile: { ...mapped.profile, ...own.profile },
            attributes: { ...mapped.attributes, ...own.attributes },
            locale: mapped.locale ?? from.locale,
          },
          byProvider(provider, from),
        );
        const { id } = await identities.link({ user, provider, arrival, from, how: 'created' });
        return { user, identityId: id };
      });
    },

    async cameBy({ user, identityId, provider, arrival, from }) {
      const { mapped } = await factsIn(provider, arrival.claims);
      await db.transact(async () => {
        const one = await identities.byId(identityId);
        if (one) await identities.used(one, provider, arrival);
        // On a copy first: an account that is as it should be is neither written nor said to have changed.
        if (!applyFacts(structuredClone({ ...factsOf(user) }), mapped, provider.update)) return;
        await users.update(user.id, byProvider(provider, from), (locked) => {
          applyFacts(locked, mapped, provider.update);
        });
      });
    },
  };
}

const factsOf = ({ name, givenName, familyName, locale, profile, attributes }: User) => ({
  ...{ name, givenName, familyName, locale, profile, attributes },
});
