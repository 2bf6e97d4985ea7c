import type { Arrival, Outcome, OwnWords, Provider } from '../../federation/index.ts';
import { goTo } from '../../platform/http/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { User } from '../../users/index.ts';
import { requestedAcr } from '../asked.ts';
import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';
import { createRiskCheck } from '../risk.ts';
import type { AskedFields } from './asked-fields.ts';
import { recordFailure } from './failed.ts';
import { asker, whence } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** Prove it by somebody else's word: off to a provider, and back. What the word is worth `federation` decides. */
export function createProviderStep(ports: SigninPorts, asked: AskedFields) {
  const { federation, registration } = ports;
  const isRefused = createRiskCheck(ports);

  const depart = async (interaction: Interaction, providerId: string) => {
    try {
      const url = await federation.begin(providerId, { kind: 'signin', uid: interaction.uid }, wishesOf(interaction));
      goTo(interaction.ctx, url.href);
    } catch (error) {
      await turnBack(interaction, error, { providerId });
    }
  };

  /** To the page where one chooses again; what was wrong is said there, and stands in the journal. */
  const turnBack = async (
    interaction: Interaction,
    error: unknown,
    { providerId, userId }: { providerId?: string | undefined; userId?: string | undefined } = {},
  ) => {
    if (!(error instanceof Refusal) || !/^(federation|account)\./.test(error.code)) throw error;
    const { provider, id = providerId } = error.details as { provider?: string; id?: string };
    await recordFailure(ports, interaction, {
      userId,
      method: 'fed',
      why: error.code,
      ...(id ? { provider: id } : {}),
    });
    const { identifier, remember } = interaction.attempt;
    interaction.restart({
      identifier,
      remember,
      direct: true,
      problem: { code: error.code, params: { provider: provider ?? '' } },
    });
    await interaction.keep();
    goTo(interaction.ctx, `/signin/${interaction.uid}/identifier`);
  };

  const refuse = (interaction: Interaction, code: string, { id, name }: Provider, userId?: string) =>
    turnBack(interaction, new Refusal(code, { kind: 'forbidden', details: { provider: name } }), {
      providerId: id,
      userId,
    });

  /** The provider's word stands for the person; everything else a sign-in asks for is still asked. */
  const enter = async (
    interaction: Interaction,
    { provider, arrival }: Pick<Outcome, 'provider' | 'arrival'>,
    user: User,
    identityId?: string,
  ) => {
    if (user.isStopped()) return refuse(interaction, 'account.stopped', provider, user.id);
    const { attempt } = interaction;
    attempt.identifier = user.email ?? arrival.email;
    await interaction.proved(user.id, { methods: federation.methodsOf(provider, arrival) });
    const { authTime } = arrival;
    // Whoever stole the account at the provider learns no more than that it does not work here.
    if (await isRefused(interaction, user.id))
      return refuse(interaction, 'federation.answer_refused', provider, user.id);
    attempt.came = {
      provider: provider.id,
      identityId,
      arrival,
      ...(provider.auth_time === 'upstream' && authTime ? { authTime: authTime.toISOString() } : {}),
    };
    // Not yet linked: that follows when everything is proved. What the identity is must not come from another attempt.
    attempt.linking = identityId ? undefined : waiting(provider, arrival, 'yes');
    await interaction.advance();
  };

  /** Like anybody who registers with that address: a code goes there, or word that there is an account. */
  const askByLetter = async (interaction: Interaction, provider: Provider, arrival: Arrival, own?: OwnWords) => {
    const { remember } = interaction.attempt;
    const email = arrival.email!;
    const { mapped } = await federation.dryRun(provider, arrival.claims);
    const { termsVersion, ...facts } = own ?? {};
    const profile = { ...mapped, ...facts, profile: { ...mapped.profile, ...facts.profile } };
    const { handle } = await registration.register({ ...asker(interaction), email, profile, termsVersion });
    interaction.restart({
      identifier: email,
      remember,
      direct: true,
      letter: { purpose: 'verify', handle, address: email, registered: true },
      linking: waiting(provider, arrival),
    });
    await interaction.advance();
  };

  const prove = async (interaction: Interaction, provider: Provider, arrival: Arrival) => {
    const { remember } = interaction.attempt;
    interaction.restart({
      identifier: arrival.email,
      remember,
      direct: true,
      linking: waiting(provider, arrival),
    });
    await interaction.advance();
  };

  const create = async (interaction: Interaction, outcome: Outcome, own?: OwnWords) => {
    try {
      await ports.countRegistration(interaction.ctx.ip);
      const { user, identityId } = await federation.create(outcome, whence(interaction), own);
      return await enter(interaction, outcome, user, identityId);
    } catch (error) {
      // Somebody was first with the address: it is proved like any other.
      if (!(error instanceof Refusal) || error.code !== 'user.email_taken') throw error;
      return prove(interaction, outcome.provider, outcome.arrival);
    }
  };

  /** An account is to be: at once, or when the person has said what the provider did not, and agreed to the terms. */
  const open = async (interaction: Interaction, outcome: Outcome, verdict: 'create' | 'letter', own?: OwnWords) => {
    const { provider, arrival } = outcome;
    if (!own) {
      const { mapped } = await federation.dryRun(provider, arrival.claims);
      const { problems } = await asked.read(await asked.values(mapped));
      if (problems.length > 0) {
        const { remember } = interaction.attempt;
        const joining = { ...waiting(provider, arrival), verdict };
        interaction.restart({ identifier: arrival.email, remember, direct: true, joining });
        return interaction.advance();
      }
    }
    return verdict === 'create' ? create(interaction, outcome, own) : askByLetter(interaction, provider, arrival, own);
  };

  const decide = (interaction: Interaction, outcome: Outcome): Promise<unknown> => {
    const { provider, arrival } = outcome;
    if ('user' in outcome) return enter(interaction, outcome, outcome.user, outcome.identityId);
    switch (outcome.verdict) {
      case 'create':
      case 'letter':
        return open(interaction, outcome, outcome.verdict);
      case 'link':
        return enter(interaction, outcome, outcome.ours!);
      case 'prove':
        return prove(interaction, provider, arrival);
      default:
        return refuse(interaction, `federation.${outcome.verdict}`, provider);
    }
  };

  return {
    async ask(interaction) {
      const { provider } = interaction.attempt;
      if (provider) return depart(interaction, provider);
      goTo(interaction.ctx, `/signin/${interaction.uid}/identifier`);
    },

    async answer(interaction) {
      const chosen = typed(interaction.form.provider);
      const { wanted } = interaction.client;
      const offered = wanted ? wanted.includes(chosen) : (await federation.providers.find(chosen)) !== undefined;
      if (!offered) return interaction.advance();
      const { identifier, remember } = interaction.attempt;
      interaction.restart({ identifier, remember: remember || interaction.form.remember !== undefined });
      await interaction.keep();
      await depart(interaction, chosen);
    },

    /** GET /signin/:uid/return: with the cookie of this sign-in, so it is the browser that was sent off. */
    async arrive(interaction: Interaction): Promise<void> {
      const state = [interaction.ctx.query.state].flat()[0] ?? '';
      let outcome: Outcome | undefined;
      try {
        outcome = await federation.arrive(state, { kind: 'signin', uid: interaction.uid });
        if (!outcome) throw new Refusal('federation.over', { kind: 'invalid' });
      } catch (error) {
        return turnBack(interaction, error);
      }
      await decide(interaction, outcome);
    },

    /** What was still asked of somebody new is answered. */
    async join(interaction: Interaction, own: OwnWords): Promise<void> {
      const { provider: shown, arrival, verdict } = interaction.attempt.joining!;
      const provider = await federation.providers.find(shown.id);
      if (!provider) return turnBack(interaction, gone(shown.name), { providerId: shown.id });
      await open(interaction, { provider, arrival, verdict, ours: undefined }, verdict, own);
    },
  } satisfies StepHandler & Record<'arrive' | 'join', unknown>;
}

const gone = (provider: string) =>
  new Refusal('federation.provider_unknown', { kind: 'missing', details: { provider } });

const waiting = (provider: Provider, arrival: Arrival, answer?: 'yes') => ({
  provider: { id: provider.id, name: provider.name },
  arrival,
  ...(answer ? { answer } : {}),
});

/** What the application wants of the sign-in, handed on. */
function wishesOf({ params, attempt, prompt, locale }: Interaction) {
  const maxAge = params.max_age === undefined ? undefined : Number(params.max_age);
  const asked = String(params.prompt ?? '').split(' ');
  const again = asked.includes('login') || prompt.reasons.includes('max_age');
  const hint =
    attempt.identifier ?? (typeof params.login_hint === 'string' ? params.login_hint.slice(0, 254) : undefined);
  const uiLocales = typeof params.ui_locales === 'string' ? params.ui_locales : locale;
  return {
    uiLocales,
    acr: requestedAcr(params),
    ...(hint ? { loginHint: hint } : {}),
    ...(again ? { prompt: 'login' } : attempt.account === 'other' ? { prompt: 'select_account' } : {}),
    ...(maxAge !== undefined && Number.isSafeInteger(maxAge) && maxAge >= 0 ? { maxAge } : {}),
  };
}
