import Router from '@koa/router';
import { type AppContext, goTo } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { createAttemptStore } from './attempt.ts';
import { createComplete } from './complete.ts';
import type { Step } from './flow.ts';
import { type Interaction, loadInteraction, type Signin } from './interaction.ts';
import { donePage, limitedPage } from './pages/end.ts';
import type { SigninPorts } from './ports.ts';
import { createProviderRoutes } from './provider-routes.ts';
import { createAccountsStep } from './steps/accounts.ts';
import { createAskedFields } from './steps/asked-fields.ts';
import { createConsentStep } from './steps/consent.ts';
import { createDetailsStep } from './steps/details.ts';
import { createForgotStep } from './steps/forgot.ts';
import { createIdentifierStep } from './steps/identifier.ts';
import { createJoinStep } from './steps/join.ts';
import { linkStep } from './steps/link.ts';
import { createNewPasswordStep } from './steps/new-password.ts';
import { createOrganizationStep } from './steps/organization.ts';
import { createPasskeyStep } from './steps/passkey.ts';
import { createPasskeyOfferStep } from './steps/passkey-offer.ts';
import { createPasswordStep } from './steps/password.ts';
import { createProviderStep } from './steps/provider.ts';
import { createRecoveryStep } from './steps/recovery.ts';
import { recoveryCodesStep } from './steps/recovery-codes.ts';
import { refusedStep } from './steps/refused.ts';
import { createRegisterStep } from './steps/register.ts';
import { createResetStep } from './steps/reset.ts';
import { createResetSentStep } from './steps/reset-sent.ts';
import { createSentCodeStep } from './steps/sent-code.ts';
import type { StepHandler } from './steps/step.ts';
import { createTotpStep } from './steps/totp.ts';
import { createTotpSetupStep } from './steps/totp-setup.ts';
import { createVerifyStep } from './steps/verify.ts';
import { createWaysStep } from './steps/ways.ts';

/** What is typed there was used up by the first click. */
const goodOnce: ReadonlySet<Step> = new Set(['totp', 'sms', 'email-code', 'recovery']);

/**
 * Every URL of the sign-in:
 *
 * | | | |
 * | --- | --- | --- |
 * | GET  | /signin/:uid              | what is asked now |
 * | GET  | /signin/:uid/:step        | shows a step, if the flow allows it now |
 * | POST | /signin/:uid/:step        | answers it |
 * | POST | /signin/:uid/verify/send, …/sms/send, …/email-code/send | sends it again |
 * | POST | /signin/:uid/passkey/options, /signin/:uid/passkey-offer/options | what the page's script asks the browser for (JSON) |
 * | GET  | /signin/:uid/return       | back from a provider |
 * | POST | /signin/:uid/cancel       | back to the application without signing in |
 */
export function createSignin(ports: SigninPorts) {
  const { settings, sessions, csrf, present } = ports;
  const signin: Signin = {
    ...ports,
    store: createAttemptStore({ fleeting: sessions.fleeting, seconds: settings.sessions.interaction }),
    complete: createComplete(ports),
  };
  const verify = createVerifyStep(signin);
  const sms = createSentCodeStep(signin, 'sms');
  const emailCode = createSentCodeStep(signin, 'email');
  const passkey = createPasskeyStep(signin);
  const asked = createAskedFields(signin);
  const provider = createProviderStep(signin, asked);
  const passkeyOffer = createPasskeyOfferStep(signin);
  const steps: Partial<Record<Step, StepHandler>> = {
    accounts: createAccountsStep(signin),
    identifier: createIdentifierStep(signin),
    password: createPasswordStep(signin),
    passkey,
    'passkey-offer': passkeyOffer,
    provider,
    join: createJoinStep(signin, asked, provider),
    link: linkStep,
    register: createRegisterStep(signin, asked),
    verify,
    forgot: createForgotStep(signin),
    'reset-sent': createResetSentStep(signin),
    reset: createResetStep(signin),
    'new-password': createNewPasswordStep(signin),
    details: createDetailsStep(signin),
    totp: createTotpStep(signin),
    recovery: createRecoveryStep(signin),
    sms,
    'email-code': emailCode,
    refused: refusedStep,
    'totp-setup': createTotpSetupStep(signin),
    'recovery-codes': recoveryCodesStep,
    ways: createWaysStep(signin),
    organization: createOrganizationStep(signin),
    consent: createConsentStep(signin),
  };

  /** Loads the interaction, or says that it is over; a limit met on the way is told on a page of the sign-in. */
  const within = (work: (interaction: Interaction, step: Step) => Promise<void>) => async (koa: unknown) => {
    const ctx = koa as AppContext & { params: { uid: string; step?: string } };
    const interaction = await loadInteraction(signin, ctx, ctx.params.uid);
    if (!interaction) return present.page(ctx, donePage({}), { status: 400 });
    try {
      await work(interaction, (ctx.params.step ?? '') as Step);
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind !== 'limited') throw error;
      ctx.set('retry-after', String(Math.ceil(error.retryAfter ?? 60)));
      interaction.show(
        limitedPage({
          uid: interaction.uid,
          client: interaction.client,
          retryAfter: error.retryAfter ?? 60,
          forgot: false,
        }),
        { status: 429 },
      );
    }
  };

  const router = new Router({ prefix: '/signin/:uid' });
  router.get(
    '/',
    within((interaction) => interaction.advance()),
  );
  router.post(
    '/cancel',
    csrf.guard,
    within((interaction) =>
      interaction.finish({ error: 'access_denied', error_description: 'the person turned back' }),
    ),
  );
  for (const [step, { send }] of [
    ['verify', verify],
    ['sms', sms],
    ['email-code', emailCode],
  ] as const) {
    router.post(
      `/${step}/send`,
      csrf.guard,
      within(async (interaction) => ((await interaction.mayEnter(step)) ? send(interaction) : interaction.advance())),
    );
  }
  for (const [step, { options }] of [
    ['passkey', passkey],
    ['passkey-offer', passkeyOffer],
  ] as const) {
    router.post(
      `/${step}/options`,
      csrf.guard,
      within(async (interaction) => {
        if (!(await interaction.mayEnter(step))) throw new Refusal('signin.out_of_turn', { kind: 'conflict' });
        const { ctx } = interaction;
        ctx.set('cache-control', 'no-store');
        ctx.body = await options(interaction);
      }),
    );
  }
  router.get(
    '/return',
    within(async (interaction) =>
      (await interaction.mayEnter('provider')) ? provider.arrive(interaction) : interaction.advance(),
    ),
  );
  router.get(
    '/:step',
    within(async (interaction, step) => {
      const handler = steps[step];
      return handler && (await interaction.mayEnter(step)) ? handler.ask(interaction) : interaction.advance();
    }),
  );
  router.post(
    '/:step',
    csrf.guard,
    within(async (interaction, step) => {
      const handler = steps[step];
      const { ctx, answered, attempt } = interaction;
      // A second click: the browser threw away where the first one led. Who has begun anew since then goes on with that.
      if (answered && goodOnce.has(step) && !attempt.restarted) return goTo(ctx, answered);
      if (handler && (await interaction.mayEnter(step))) return handler.answer(interaction);
      return answered ? goTo(ctx, answered) : interaction.advance();
    }),
  );
  return { router, providerRouter: createProviderRoutes(signin) };
}
