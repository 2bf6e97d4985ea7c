import { errors, type InteractionResults, type Provider } from 'oidc-provider';
import { acrValues, satisfies } from '../credentials/index.ts';
import { type AppContext, type Form, goTo, readForm } from '../platform/http/index.ts';
import { allOf } from '../platform/index.ts';
import { fieldsLacking, type OrganisationPolicy, type User } from '../users/index.ts';
import { requestedAcr } from './asked.ts';
import { type Attempt, type AttemptStore, freshAttempt } from './attempt.ts';
import { rememberedCookie } from './device.ts';
import { mayEnter, next, type Situation, type Step } from './flow.ts';
import type { ClientShown } from './pages/frame.ts';
import type { SigninPorts } from './ports.ts';
import { takeUp } from './take-up.ts';

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
   * @param who whose; a person themselves as they have just been read
   * @param by.methods as RFC 8176 names them; the password otherwise
   * @param by.since of the password that was looked at; that of now otherwise
   */
  proved(who: string | User, by?: { methods?: string[]; since?: Date | undefined; remember?: boolean }): Promise<void>;
  /** Hands the answer to the engine and sends the person on to it. */
  finish(result: InteractionResults): Promise<void>;
  /** The engine has its answer: where the person goes on. */
  answered: string | undefined;
  show(model: { page: string; title: string }, options?: { status?: number }): void;
}

/** The ports, and what this room makes for itself out of them. */
export interface Signin extends SigninPorts {
  store: AttemptStore;
  /** Ends a sign-in that has everything: hands the person to the engine. */
  complete(interaction: Interaction, user: User | undefined): Promise<void>;
}

/** Loads what the engine asks in this browser. @returns undefined when the question is over or was another browser's */
export async function loadInteraction(ports: Signin, ctx: AppContext, uid: string): Promise<Interaction | undefined> {
  const [details, kept] = await Promise.all([detailsOf(ports.provider(), ctx), ports.store.load(uid)]);
  if (details?.uid !== uid) return undefined;
  const { params, session, grantId } = details;
  const prompt = details.prompt as Interaction['prompt'];
  const id = String(params.client_id);
  const metadata = (await ports.clients.find(id))?.metadata;
  const client = { id, ...clientOf(id, metadata) };
  const attempt = await takeUp(ports, kept, details, client.wanted);
  const requested = requestedAcr(params);
  const demanded = metadata?.require_mfa === true;
  const uiLocales = typeof params.ui_locales === 'string' ? params.ui_locales : undefined;
  const policy = policyOf(ports, details, attempt);
  let known: User | undefined;
  const userOf = async () => {
    if (!attempt.userId) return undefined;
    return known?.id === attempt.userId ? known : ports.users.byId(attempt.userId);
  };
  const situation = async () =>
    situationOf(ports, {
      ctx,
      user: await userOf(),
      prompt,
      signedIn: session?.accountId !== undefined,
      attempt,
      policy,
      requested,
      demanded,
    });

  const completing = async (user: User | undefined) => {
    try {
      await ports.complete(interaction, user);
    } catch (error) {
      // What was proved stands at the next try: a code is good but once.
      await ports.store.save(uid, attempt);
      throw error;
    }
  };

  const interaction: Interaction = {
    ...{ ctx, uid, prompt, params, client, grantId, attempt },
    policy: async () => policy(await userOf()),
    sessionAccountId: session?.accountId,
    asksForMore: demanded || !satisfies(acrValues[0], requested),
    answered: details.result ? details.returnTo : undefined,
    form: readForm(ctx),
    locale: ports.present.locale(ctx, uiLocales),
    user: userOf,
    mayEnter: async (step) => mayEnter(step, await situation()),
    due: async () => next(await situation()),
    keep: () => ports.store.save(uid, attempt),
    async advance() {
      const now = await situation();
      const step = next(now);
      if (step === 'done') return completing(now.user);
      await ports.store.save(uid, attempt);
      goTo(ctx, `/signin/${uid}/${step}`);
    },
    restart: (keep) => startOver(attempt, keep),
    async proved(who, { methods = ['pwd'], since, remember = attempt.remember } = {}) {
      const userId = typeof who === 'string' ? who : who.id;
      known = typeof who === 'string' ? undefined : who;
      const passwordSince = (since ?? (await ports.passwords.changedAt(userId)))?.toISOString();
      // What the circumstances were, and what the mailbox has proved, is of this person and this attempt.
      const { mailbox, risk } = attempt.userId === userId ? attempt : {};
      const proved = { identifier: attempt.identifier, userId, proved: methods, passwordSince, remember };
      startOver(attempt, { ...proved, mailbox, risk });
    },
    async finish(result) {
      await allOf([ports.store.end(uid), handOver(ports, details, result)]);
      goTo(ctx, details.returnTo);
    },
    show: (model, options = {}) => ports.present.page(ctx, model, { ...options, uiLocales }),
  };
  return interaction;
}

type Details = Awaited<ReturnType<Provider['interactionDetails']>>;
type Metadata = NonNullable<Awaited<ReturnType<Signin['clients']['find']>>>['metadata'];

async function detailsOf(provider: Provider, { req, res }: AppContext): Promise<Details | undefined> {
  try {
    return await provider.interactionDetails(req, res);
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  }
}

const clientOf = (id: string, metadata: Metadata | undefined) => ({
  name: metadata?.client_name ?? id,
  logo: metadata?.logo_uri,
  policy: metadata?.policy_uri,
  terms: metadata?.tos_uri,
  firstParty: metadata?.first_party === true,
  wanted: providersOf(metadata),
});

/** Which providers an application's people may come by, in the order of their buttons; undefined for all. */
const providersOf = (metadata: { identity_providers?: unknown } | undefined): string[] | undefined =>
  Array.isArray(metadata?.identity_providers) ? metadata.identity_providers.map(String) : undefined;

/** How the organisation that is asked for, or was chosen, or is the address's, wants its people to sign in. */
function policyOf(ports: Signin, { params, lastSubmission }: Details, attempt: Attempt) {
  const chosen = (lastSubmission as { organization?: { id?: string } } | undefined)?.organization?.id;
  const organisation = typeof params.organization === 'string' ? params.organization : chosen;
  return (user: User | undefined): Promise<OrganisationPolicy> =>
    ports.organisations.policyFor({ organisation, email: user?.email ?? attempt.identifier });
}

/** All that the flow decides by. */
async function situationOf(
  ports: Signin,
  now: Pick<Interaction, 'ctx' | 'prompt' | 'attempt'> & {
    user: User | undefined;
    policy: ReturnType<typeof policyOf>;
    signedIn: boolean;
    requested: string[];
    demanded: boolean;
  },
): Promise<Situation & { user: User | undefined }> {
  const { user, attempt, requested, signedIn } = now;
  const { proved, mailbox } = attempt;
  const device = rememberedCookie(ports.settings).read(now.ctx);
  const { mfa, ...rules } = await now.policy(user);
  const demanded = now.demanded || mfa;
  const risky = attempt.risk === 'step_up';
  const missing =
    user && proved.length > 0
      ? await ports.factors.missing({ user, proved, requested, demanded, device, mailbox, risky })
      : undefined;
  return {
    prompt: now.prompt.name,
    signedIn,
    attempt,
    user,
    missing,
    choices: user && missing ? await ports.factors.choices(user.id, { mailbox }) : [],
    policy: rules,
    lacking: user !== undefined && fieldsLacking(await ports.fields.list(), user.attributes ?? {}).length > 0,
  };
}

function startOver(attempt: Attempt, keep: Partial<Attempt> = {}): void {
  // Whoever proves an account next is still asked whether to link it.
  const { account, linking } = attempt;
  for (const name of Object.keys(attempt) as (keyof Attempt)[]) delete attempt[name];
  Object.assign(attempt, freshAttempt(), { account, linking }, keep, { restarted: true });
}

/**
 * Leaves the answer for the engine. When it is somebody else at the same browser, the one before is signed out here and now,
 * and the engine starts a new session. It would otherwise do the same through a page of its own, which stands still without
 * JavaScript.
 */
async function handOver({ sessions }: Signin, details: Details, result: InteractionResults): Promise<void> {
  const { session } = details;
  if (result.login && session?.accountId && session.accountId !== result.login.accountId) {
    await sessions.endSession(session.uid, 'session.account_changed');
    details.session = undefined;
  }
  details.result = 'error' in result ? result : { ...details.lastSubmission, ...result };
  await details.save(resumeSeconds);
}
