import type { Events } from '../events/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, type Log, Refusal, type Vault } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { type Fields, isEmail, type User, type Users } from '../users/index.ts';
import { type Accounts, createAccounts } from './accounts.ts';
import { type Came, createFederatedSessions } from './came.ts';
import type { Provider } from './definition.ts';
import { createFacts, type FactsIn } from './facts.ts';
import { createIdentities, type Identities, type Tell, type Whence } from './identities.ts';
import { domainOf, judge, type Verdict } from './linking.ts';
import { createProviders, type Providers } from './providers.ts';
import { createSpeaking } from './speaking.ts';
import { createTravel, type Purpose } from './travel.ts';
import { type Arrival, type Departure, ProviderSaidNo } from './upstreams/upstream.ts';

/** What the provider is told of the sign-in; each says what it can. */
export type Wishes = Pick<Departure, 'loginHint' | 'prompt' | 'maxAge' | 'uiLocales'> & { acr?: string[] };

/** Who has come, and what becomes of them. */
export type Outcome =
  | { provider: Provider; arrival: Arrival; user: User; identityId: string }
  | { provider: Provider; arrival: Arrival; verdict: Verdict; ours: User | undefined };

export interface Federation extends Accounts {
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
  /** @throws Refusal `federation.linked_elsewhere` (conflict) */
  link(input: Parameters<Identities['link']>[0]): Promise<{ identityId: string }>;
  /**
   * Takes a link away by its owner, with the sessions that came by it.
   * @param spare the session in which it is done
   * @throws Refusal `federation.link_unknown` (missing), `federation.last_way_in` (conflict)
   */
  unlink(user: User, identityId: string, from: Whence, spare?: string): Promise<void>;
  /** What the mapping makes of claims: for trying it out, nothing is written. */
  dryRun: FactsIn;
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
  const { db, events, users, sessions, settings } = deps;
  const providers = createProviders(deps);
  const identities = createIdentities({ ...deps, enabled: providers.list });
  const travel = createTravel({ fleeting: sessions.fleeting });
  const longest = Math.max(settings.sessions.absolute, settings.sessions.rememberedAbsolute);
  const came = createFederatedSessions({ ...deps, longest });
  const { speak, address, redirectUriOf } = createSpeaking({ ...deps, providers });
  const dryRun = createFacts(deps);
  const { create, cameBy } = createAccounts({ ...deps, identities, factsIn: dryRun });

  const found = async (id: string): Promise<Provider> => {
    const provider = await providers.find(id);
    if (!provider) throw new Refusal('federation.provider_unknown', { kind: 'missing' });
    return provider;
  };

  return {
    providers,
    identities,
    dryRun,
    create,
    cameBy,

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
      return address(await speak(provider, (upstream) => upstream.begin(departure)));
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

    unlink: (user, identityId, from, spare) =>
      db.transact(async () => {
        const standing = await came.by(identityId);
        await identities.unlink(user, identityId, from);
        for (const uid of standing) if (uid !== spare) await sessions.endSession(uid, 'federation.unlinked');
      }),

    link: async (input) => ({ identityId: (await identities.link(input)).id }),

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
