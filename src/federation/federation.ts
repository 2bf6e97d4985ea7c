import type { Events } from '../events/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, type Log, Refusal, type Vault } from '../platform/index.ts';
import { type Call, createCall } from '../platform/outbound.ts';
import type { Sessions } from '../sessions/index.ts';
import { type Fields, isEmail, mergeValues, type User, type Users } from '../users/index.ts';
import { createBreaker } from './breaker.ts';
import { type Came, createFederatedSessions } from './came.ts';
import type { Provider } from './definition.ts';
import { asRefusal, isUnreachable, shortly } from './faults.ts';
import { createIdentities, type Identities, type Tell, type Whence } from './identities.ts';
import { domainOf, judge, type Verdict } from './linking.ts';
import { applyFacts, type Mapped, mapClaims } from './mapping.ts';
import { createProviders, type Providers } from './providers.ts';
import { createTravel, type Purpose } from './travel.ts';
import { elsewhere } from './upstreams/elsewhere.ts';
import type { Arrival, Departure, Upstream } from './upstreams/upstream.ts';
import { ProviderSaidNo } from './upstreams/upstream.ts';

/** What the provider is told of the sign-in; each says what it can. */
export type Wishes = Pick<Departure, 'loginHint' | 'prompt' | 'maxAge' | 'uiLocales'> & { acr?: string[] };

/** Who has come, and what becomes of them. */
export type Outcome =
  | { provider: Provider; arrival: Arrival; user: User; identityId: string }
  | { provider: Provider; arrival: Arrival; verdict: Verdict; ours: User | undefined };

export interface Federation {
  providers: Providers;
  identities: Identities;
  /** Those whose buttons a client's pages show. @param wanted ids in order, as the client's metadata says; all otherwise */
  buttons(wanted?: readonly string[] | undefined): Promise<readonly Provider[]>;
  /**
   * Where people with this address are sent, if anywhere; says nothing of whether there is an account.
   * @param named by the organisation that has proved the domain: the first that is in force
   */
  providerOf(email: string, named?: readonly string[]): Promise<Provider | undefined>;
  /** Sends somebody off. @throws Refusal `federation.unreachable` (unavailable), `federation.provider_unknown` (missing) */
  begin(providerId: string, purpose: Purpose, wishes?: Wishes): Promise<URL>;
  /** See {@link createTravel}. @throws Refusal `federation.mixed_up` (invalid) */
  answer(providerId: string, parameters: URLSearchParams): Promise<Purpose | undefined>;
  /**
   * Makes the kept answer a person, once.
   * @returns undefined when there is no answer for this browser (any more)
   * @throws Refusal `federation.denied`, `federation.said_no` (forbidden), `federation.answer_refused` (invalid),
   *   `federation.unreachable` (unavailable); `details.provider` is its name
   */
  arrive(state: string, purpose: Purpose): Promise<Outcome | undefined>;
  /**
   * A new account for who has come, or the one that the same identity got a moment ago.
   * @param own what the person has said themselves, before what the provider says
   * @throws Refusal `user.email_taken` (conflict): somebody else was first
   */
  create(
    outcome: { provider: Provider; arrival: Arrival },
    from: Whence,
    own?: Partial<Mapped> & { termsVersion?: string | undefined },
  ): Promise<{ user: User; identityId: string }>;
  /** @throws Refusal `federation.linked_elsewhere` (conflict) */
  link(input: Parameters<Identities['link']>[0]): Promise<{ identityId: string }>;
  /**
   * Takes a link away by its owner, with the sessions that came by it.
   * @param spare the session in which it is done
   * @throws Refusal `federation.link_unknown` (missing), `federation.last_way_in` (conflict)
   */
  unlink(user: User, identityId: string, from: Whence, spare?: string): Promise<void>;
  /** Notes a sign-in and brings the account up to date, as the provider's policy says. */
  cameBy(input: { user: User; identityId: string; provider: Provider; arrival: Arrival; from: Whence }): Promise<void>;
  /** What the mapping makes of claims: for trying it out, nothing is written. */
  dryRun(
    provider: Pick<Provider, 'mapping'>,
    claims: Record<string, unknown>,
  ): Promise<{ mapped: Mapped; faults: string[] }>;
  /** What the provider's word amounts to here, as RFC 8176 names it; `fed` is ours (docs/decisions/0015). */
  methodsOf(provider: Provider, arrival: Pick<Arrival, 'acr' | 'amr'>): string[];
  /** Whether the identity still leads into the account, through a provider in force. */
  stillLinked(identityId: string, accountId: string): Promise<boolean>;
  /** Notes which session a sign-in has become. */
  noteSession(sessionUid: string, came: Came): Promise<void>;
  /** Takes a logout token. @throws Refusal `federation.logout_token_refused` (invalid), `federation.provider_unknown` (missing) */
  logout(providerId: string, token: string): Promise<number>;
  /** Where to sign out as well, before a session that came from a provider ends. */
  signOut(sessionUid: string): Promise<((state: string) => Promise<URL | undefined>) | undefined>;
  tidy(): Promise<void>;
  reseal(): Promise<number>;
}

export function createFederation(deps: {
  db: Db;
  bus: Bus;
  clock: Clock;
  vault: Vault;
  log: Log;
  events: Pick<Events, 'record'>;
  users: Users;
  fields: Pick<Fields, 'check'>;
  sessions: Pick<Sessions, 'fleeting' | 'endSession'>;
  keys: Pick<Keys, 'current'>;
  settings: Pick<Settings, 'issuer' | 'outbound' | 'registration' | 'sessions' | 'federation'>;
  tell: Tell;
  hasOwnWayIn(accountId: string): Promise<boolean>;
}): Federation {
  const { db, clock, log, events, users, fields, sessions, keys, settings } = deps;
  const providers = createProviders(deps);
  const identities = createIdentities({ ...deps, enabled: providers.list });
  const travel = createTravel({ fleeting: sessions.fleeting });
  const longest = Math.max(settings.sessions.absolute, settings.sessions.rememberedAbsolute);
  const came = createFederatedSessions({ ...deps, longest });
  const attempt = createBreaker({ clock });
  const { timeout } = settings.outbound;
  const moved = elsewhere(settings.federation.endpoints);
  const call: Call = moved.call(createCall(settings.outbound));

  const redirectUriOf = (id: string) => `${settings.issuer}/federation/${id}/callback`;
  let upstreams = new Map<string, Promise<Upstream>>();
  providers.onChange(() => {
    upstreams = new Map();
  });

  /** Loaded where it is wanted: what speaks to providers is not needed to start, nor where there are none. */
  const build = async (provider: Provider): Promise<Upstream> => {
    if (provider.kind === 'oidc') {
      const { createOidcUpstream } = await import('./upstreams/oidc.ts');
      return createOidcUpstream({ provider, call, clock, keys, timeout });
    }
    const { createSocialUpstream } = await import('./upstreams/social.ts');
    return createSocialUpstream({ provider, call, clock, redirectUri: redirectUriOf(provider.id) });
  };
  const upstreamOf = (provider: Provider): Promise<Upstream> => {
    const known = upstreams.get(provider.id) ?? build(provider);
    upstreams.set(provider.id, known);
    return known;
  };

  const found = async (id: string): Promise<Provider> => {
    const provider = await providers.find(id);
    if (!provider) throw new Refusal('federation.provider_unknown', { kind: 'missing' });
    return provider;
  };

  /** Speaks to a provider: bounded, and what goes wrong becomes an expected "no". */
  const speak = async <T>(provider: Provider, work: (upstream: Upstream) => Promise<T>): Promise<T> => {
    try {
      return await attempt(
        provider.id,
        async () => within(2 * timeout, async () => work(await upstreamOf(provider))),
        isUnreachable,
      );
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code !== 'federation.denied')
        log.warn({ provider: provider.id, refusal: refusal.code, ...shortly(refusal.cause ?? error) }, 'a provider');
      throw new Refusal(refusal.code, {
        kind: refusal.kind,
        details: { provider: provider.name, id: provider.id },
        cause: refusal.cause ?? error,
      });
    }
  };

  const checkedAttributes = async (
    values: Record<string, unknown>,
  ): Promise<{ good: Record<string, unknown>; faults: string[] }> => {
    const given = { as: 'administrator', at: 'api' } as const;
    try {
      return { good: await fields.check(values, given), faults: [] };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const bad = Object.entries(error.details as Record<string, { code?: string }>);
      const rest = Object.fromEntries(Object.entries(values).filter(([name]) => !bad.some(([each]) => each === name)));
      const faults = bad.map(([name, fault]) => `attributes.${name}: ${fault?.code ?? 'refused'}`);
      const again = bad.length > 0 && Object.keys(rest).length > 0 ? await fields.check(rest, given) : {};
      return { good: again, faults };
    }
  };

  const dryRun: Federation['dryRun'] = async (provider, claims) => {
    const { mapped, faults } = mapClaims(provider, claims);
    const { good, faults: more } = await checkedAttributes(mapped.attributes);
    return { mapped: { ...mapped, attributes: mergeValues({}, good) }, faults: [...faults, ...more] };
  };

  return {
    providers,
    identities,
    dryRun,

    async buttons(wanted) {
      const all = await providers.list();
      if (!wanted) return all.filter(({ hidden }) => !hidden);
      return wanted.flatMap((id) => all.find((provider) => provider.id === id) ?? []);
    },

    async providerOf(email, named = []) {
      if (!isEmail(email)) return undefined;
      const all = await providers.list();
      const first = named.flatMap((id) => all.find((provider) => provider.id === id) ?? [])[0];
      return first ?? all.find(({ domains }) => domains.includes(domainOf(email)));
    },

    async begin(providerId, purpose, { acr = [], ...wishes } = {}) {
      const provider = await found(providerId);
      const acrValues = acr.flatMap((value) => provider.acr_values[value] ?? []).join(' ');
      const departure = await travel.depart(provider.id, purpose, {
        ...wishes,
        redirectUri: redirectUriOf(provider.id),
        ...(acrValues ? { acrValues } : {}),
      });
      return moved.address(await speak(provider, (upstream) => upstream.begin(departure)));
    },

    answer: travel.answer,

    async arrive(state, purpose) {
      const arrived = await travel.arrive(state, purpose);
      if (!arrived) return undefined;
      const { journey, answer } = arrived;
      const provider = await found(journey.providerId);
      const said = answer.get('error');
      const arrival = await speak(provider, async (upstream) => {
        if (said) throw new ProviderSaidNo(said.slice(0, 100));
        return withAddress(await upstream.finish(answer, journey.departure));
      });
      const linked = async (): Promise<Outcome | undefined> => {
        const known = await identities.find(arrival.issuer, arrival.subject);
        const user = known && (await users.byId(known.accountId));
        return user && user.state !== 'Deleted' ? { provider, arrival, user, identityId: known.id } : undefined;
      };
      const before = await linked();
      if (before) return before;
      const ours = arrival.email ? await users.byEmail(arrival.email) : undefined;
      // An account that another tab has made of the same identity since comes with its link.
      const since = ours && (await linked());
      if (since) return since;
      const verdict = judge({ provider, arrival, ours, registration: settings.registration.mode });
      return { provider, arrival, verdict, ours };
    },

    async create({ provider, arrival }, from, own = {}) {
      const { mapped } = await dryRun(provider, arrival.claims);
      const by = { actor: { kind: 'system' as const }, reason: `federation ${provider.id}`, ip: from.ip };
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
          by,
        );
        const { id } = await identities.link({ user, provider, arrival, from, how: 'created' });
        return { user, identityId: id };
      });
    },

    unlink: (user, identityId, from, spare) =>
      db.transact(async () => {
        const standing = await came.by(identityId);
        await identities.unlink(user, identityId, from);
        for (const uid of standing) if (uid !== spare) await sessions.endSession(uid, 'federation.unlinked');
      }),

    link: async (input) => ({ identityId: (await identities.link(input)).id }),

    async cameBy({ user, identityId, provider, arrival, from }) {
      const { mapped } = await dryRun(provider, arrival.claims);
      await db.transact(async () => {
        const one = await identities.byId(identityId);
        if (one) await identities.used(one, provider, arrival);
        // On a copy first: an account that is as it should be is neither written nor said to have changed.
        if (!applyFacts(structuredClone({ ...factsOf(user) }), mapped, provider.update)) return;
        const by = { actor: { kind: 'system' as const }, reason: `federation ${provider.id}`, ip: from.ip };
        await users.update(user.id, by, (locked) => void applyFacts(locked, mapped, provider.update));
      });
    },

    methodsOf({ trusted_mfa: trusted }, { acr, amr }) {
      const two =
        (acr !== undefined && trusted.acr.includes(acr)) || amr.some((method) => trusted.amr.includes(method));
      return two ? ['fed', 'mfa'] : ['fed'];
    },

    async stillLinked(identityId, accountId) {
      const one = await identities.byId(identityId);
      return one?.accountId === accountId && (await providers.find(one.providerId)) !== undefined;
    },

    noteSession: came.note,

    async logout(providerId, token) {
      const provider = await found(providerId);
      const source = await speak(provider, async (upstream) => upstream.logoutSource?.());
      if (!source) throw new Refusal('federation.provider_unknown', { kind: 'missing' });
      const ended = await came.logout(source, token);
      await events.record({
        type: 'federation.logout_received',
        actor: { kind: 'system' },
        data: { provider: provider.id, count: ended },
      });
      return ended;
    },

    async signOut(sessionUid) {
      const one = await came.of(sessionUid);
      const provider = one?.idToken ? await providers.find(one.providerId) : undefined;
      if (provider?.sign_out !== 'upstream') return undefined;
      const redirectUri = `${settings.issuer}/federation/${provider.id}/signed-out`;
      return (state) =>
        speak(provider, async (upstream) => upstream.endSession?.({ idToken: one!.idToken!, redirectUri, state }));
    },

    tidy: came.tidy,
    reseal: async () => (await providers.reseal()) + (await identities.reseal()),
  };
}

/** What is no address is none, and proves nothing. */
const withAddress = (arrival: Arrival): Arrival =>
  arrival.email !== undefined && isEmail(arrival.email)
    ? arrival
    : { ...arrival, email: undefined, emailVerified: false };

const factsOf = ({ name, givenName, familyName, locale, profile, attributes }: User) => ({
  ...{ name, givenName, familyName, locale, profile, attributes },
});

/** Everything together: several calls, each in time, must not add up to a page that hangs. @param seconds for all of it */
async function within<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException('the provider took too long', 'TimeoutError')), seconds * 1000);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
