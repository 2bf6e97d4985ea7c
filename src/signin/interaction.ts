import { errors, type InteractionResults, type Provider } from 'oidc-provider';
import { acrOf, acrValues, freshSeconds, satisfies } from '../credentials/index.ts';
import { type AppContext, type Form, goTo, readForm } from '../platform/http/index.ts';
import { fieldsLacking, type OrganisationPolicy, type User } from '../users/index.ts';
import { requestedAcr, stepsUp } from './asked.ts';
import { type Attempt, type AttemptStore, freshAttempt } from './attempt.ts';
import { rememberedCookie } from './device.ts';
import { mayEnter, next, type Situation, type Step } from './flow.ts';
import type { ClientShown } from './pages/frame.ts';
import type { SigninPorts } from './ports.ts';

/**
 * The browser goes straight back to the engine with what was proved. Whoever does not must start over: it may be true no
 * more, a new password would not end what is no session yet.
 */
const resumeSeconds = 120;

/** One request of a sign-in: the engine's question, the attempt so far, and the ways on. */
export interface Interaction {
  ctx: AppContext;
  uid: string;
  prompt: { name: string; reasons: string[]; details: Record<string, unknown> };
  params: Record<string, unknown>;
  client: ClientShown & { id: string; firstParty: boolean; wanted: string[] | undefined };
  /** The account signed in to in this browser. */
  sessionAccountId: string | undefined;
  grantId: string | undefined;
  attempt: Attempt;
  /** How the organisation of the request, or of the address, wants its people to sign in. */
  policy(): Promise<OrganisationPolicy>;
  /** The application asks for more than a password, whatever the person has. */
  asksForMore: boolean;
  form: Form;
  /** What the person reads, as the application and the browser tell. */
  locale: string;
  /** The account of the attempt, or of the session, if anything of it is proved. */
  user(): Promise<User | undefined>;
  mayEnter(step: Step): Promise<boolean>;
  /** What the flow would ask next. */
  due(): Promise<Step>;
  /** Keeps the attempt without going anywhere. */
  keep(): Promise<void>;
  /** Keeps the attempt and sends the person to the step that the flow decides. */
  advance(): Promise<void>;
  /** Starts over with what was typed forgotten, except for `keep` and for which account the person chose. */
  restart(keep?: Partial<Attempt>): void;
  /**
   * Starts over with something of the account proved.
   * @param by.methods as RFC 8176 names them; the password otherwise
   * @param by.since of the password that was looked at; that of now otherwise
   */
  proved(userId: string, by?: { methods?: string[]; since?: Date | undefined; remember?: boolean }): Promise<void>;
  /** Hands the answer to the engine and sends the person on to it. */
  finish(result: InteractionResults): Promise<void>;
  show(model: { page: string; title: string }, options?: { status?: number }): void;
}

/** The ports, and what this room makes for itself out of them. */
export interface Signin extends SigninPorts {
  store: AttemptStore;
  /** Ends a sign-in that has everything: hands the person to the engine. */
  complete(interaction: Interaction): Promise<void>;
}

/** Loads what the engine asks in this browser. @returns undefined when the question is over or was another browser's */
export async function loadInteraction(ports: Signin, ctx: AppContext, uid: string): Promise<Interaction | undefined> {
  const { store, users, clients, present } = ports;
  const provider = ports.provider();
  let details: Awaited<ReturnType<Provider['interactionDetails']>>;
  try {
    details = await provider.interactionDetails(ctx.req, ctx.res);
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  }
  if (details.uid !== uid) return undefined;

  const { params, prompt, session, grantId } = details;
  const clientId = String(params.client_id);
  const metadata = (await clients.find(clientId))?.metadata;
  const attempt = await stillProved(ports, await store.load(uid));
  const requested = requestedAcr(params);
  const demanded = metadata?.require_mfa === true;
  const uiLocales = typeof params.ui_locales === 'string' ? params.ui_locales : undefined;
  // Step-up: what the session proved need not be proved again, only what is missing.
  if (!attempt.identifier && !attempt.restarted && session?.accountId && stepsUp(prompt as Interaction['prompt'])) {
    const living = session.uid ? await ports.sessions.find(session.uid) : undefined;
    // One that says of itself that it proved less than its methods amount to is not built upon.
    if (living?.amr && acrOf(living.amr) === living.acr && (await mayBuildUpon(ports, living))) {
      attempt.upon = { session: living.uid, authTime: Math.floor(living.authTime.getTime() / 1000) };
      attempt.userId = session.accountId;
      attempt.proved = living.amr.filter((method) => method !== 'mfa');
      attempt.remember = living.remember;
      attempt.passwordSince = (await ports.passwords.changedAt(session.accountId))?.toISOString();
    }
  }
  // The application says by whom: straight there, unless the person has turned elsewhere since.
  const hint = [params.idp_hint, params.kc_idp_hint].find((value) => typeof value === 'string') as string | undefined;
  if (hint && !attempt.restarted && attempt.proved.length === 0 && ['login', 'create'].includes(prompt.name)) {
    const wanted = providersOf(metadata);
    if ((!wanted || wanted.includes(hint)) && (await ports.federation.providers.find(hint))) attempt.provider = hint;
  }
  // Signing in again for a fresh proof: we know who it should be, and "Not you?" is at hand.
  if (!attempt.identifier && !attempt.restarted && prompt.name === 'login' && session?.accountId) {
    attempt.identifier = (await users.byId(session.accountId))?.email ?? undefined;
  }

  const chosen = (details.lastSubmission as { organization?: { id?: string } } | undefined)?.organization?.id;
  const named = typeof params.organization === 'string' ? params.organization : chosen;
  const policy = async () => {
    const user = attempt.userId ? await users.byId(attempt.userId) : undefined;
    return ports.organisations.policyFor({ organisation: named, email: user?.email ?? attempt.identifier });
  };

  const interaction: Interaction = {
    ctx,
    uid,
    prompt: prompt as Interaction['prompt'],
    params,
    client: {
      id: clientId,
      name: metadata?.client_name ?? clientId,
      logo: metadata?.logo_uri,
      policy: metadata?.policy_uri,
      terms: metadata?.tos_uri,
      firstParty: metadata?.first_party === true,
      wanted: providersOf(metadata),
    },
    sessionAccountId: session?.accountId,
    grantId,
    attempt,
    asksForMore: demanded || !satisfies(acrValues[0], requested),
    form: readForm(ctx),
    locale: present.locale(ctx, uiLocales),
    policy,
    user: async () => (attempt.userId ? users.byId(attempt.userId) : undefined),
    mayEnter: async (step) => mayEnter(step, await situation()),
    due: async () => next(await situation()),
    keep: () => store.save(uid, attempt),
    async advance() {
      const step = next(await situation());
      await store.save(uid, attempt);
      if (step === 'done') return ports.complete(interaction);
      goTo(ctx, `/signin/${uid}/${step}`);
    },
    restart(keep = {}) {
      // Whoever proves an account next is still asked whether to link it.
      const { account, linking } = attempt;
      for (const name of Object.keys(attempt) as (keyof Attempt)[]) delete attempt[name];
      Object.assign(attempt, freshAttempt(), { account, linking }, keep, { restarted: true });
    },
    async proved(userId, { methods = ['pwd'], since, remember = attempt.remember } = {}) {
      const passwordSince = (since ?? (await ports.passwords.changedAt(userId)))?.toISOString();
      // What the circumstances were, and what the mailbox has proved, is of this person and this attempt.
      const { mailbox, risk } = attempt.userId === userId ? attempt : {};
      const proved = { identifier: attempt.identifier, userId, proved: methods, passwordSince, remember };
      interaction.restart({ ...proved, mailbox, risk });
    },
    async finish(result) {
      await store.end(uid);
      if (result.login && session && session.accountId !== result.login.accountId) await leave(session);
      details.result = 'error' in result ? result : { ...details.lastSubmission, ...result };
      await details.save(resumeSeconds);
      goTo(ctx, details.returnTo);
    },
    show: (model, options = {}) => present.page(ctx, model, { ...options, uiLocales }),
  };

  /**
   * Somebody else at the same browser: the one before is signed out here and now, and the engine starts a new session.
   * It would otherwise do the same through a page of its own, which stands still without JavaScript.
   */
  const leave = async (before: { uid: string; accountId?: string }): Promise<void> => {
    if (!before.accountId) return;
    await ports.sessions.endSession(before.uid, 'session.account_changed');
    details.session = undefined;
  };

  const remembered = rememberedCookie(ports.settings);
  const situation = async (): Promise<Situation> => {
    const user = await interaction.user();
    const { proved } = attempt;
    const device = remembered.read(ctx);
    const { mfa, ...rules } = await policy();
    const { mailbox } = attempt;
    const risky = attempt.risk === 'step_up';
    const missing =
      user && proved.length > 0
        ? await ports.factors.missing({ user, proved, requested, demanded: demanded || mfa, device, mailbox, risky })
        : undefined;
    return {
      prompt: prompt.name,
      signedIn: session?.accountId !== undefined,
      attempt,
      user,
      missing,
      choices: user && missing ? await ports.factors.choices(user.id, { mailbox }) : [],
      policy: rules,
      lacking: user !== undefined && fieldsLacking(await ports.fields.list(), user.attributes ?? {}).length > 0,
    };
  };
  return interaction;
}

/** Which providers an application's people may come by, in the order of their buttons; undefined for all. */
const providersOf = (metadata: { identity_providers?: unknown } | undefined): string[] | undefined =>
  Array.isArray(metadata?.identity_providers) ? metadata.identity_providers.map(String) : undefined;

/**
 * Whoever has no second factor makes one on the way. Not whoever has only come upon a session that somebody left open: it
 * has to be fresh, as for setting one up on the account pages.
 */
async function mayBuildUpon(
  { factors, clock }: Pick<SigninPorts, 'factors' | 'clock'>,
  { accountId, authTime }: { accountId: string; authTime: Date },
): Promise<boolean> {
  if ((clock.now().getTime() - authTime.getTime()) / 1000 <= freshSeconds) return true;
  return (await factors.choices(accountId, {})).length > 0;
}

/**
 * The attempt, or a new one if the password it proved has been replaced since, or the session it builds upon has ended:
 * whoever knew the old one, and waited half signed in, is no better off than a stranger.
 */
async function stillProved(
  { passwords, sessions }: Pick<SigninPorts, 'passwords' | 'sessions'>,
  attempt: Attempt,
): Promise<Attempt> {
  if (!attempt.userId) return attempt;
  const since = await passwords.changedAt(attempt.userId);
  const living = attempt.upon ? await sessions.find(attempt.upon.session) : undefined;
  const stands = !attempt.upon || living?.accountId === attempt.userId;
  if (stands && attempt.passwordSince === since?.toISOString()) return attempt;
  return { ...freshAttempt(), identifier: attempt.identifier, restarted: true };
}
