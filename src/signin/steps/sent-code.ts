import type { CodeKind } from '../../credentials/index.ts';
import { goTo } from '../../platform/http/index.ts';
import { deviceCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { sentCodePage } from '../pages/factors.ts';
import type { SigninPorts } from '../ports.ts';
import { otherWays } from './other-ways.ts';
import { problemOf, whence } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** As RFC 8176 names what is proved; it has no word for a code by letter but that of one-time passwords. */
const methodOf = { sms: 'sms', email: 'otp' } as const;

/** Where the codes of a sign-in count. */
const scopeOf = ({ uid }: Pick<Interaction, 'uid'>): string => `signin ${uid}`;

/** Prove it once more, by a code that is sent when one comes here. */
export function createSentCodeStep(ports: SigninPorts, kind: CodeKind) {
  const { settings, secondFactors, codeFactors, policy } = ports;
  const device = deviceCookie(settings);
  const days = Math.floor(settings.mfa.rememberDevice / 86_400);
  const step = kind === 'sms' ? 'sms' : 'email-code';

  const send = async (interaction: Interaction): Promise<void> => {
    const user = (await interaction.user())!;
    await codeFactors.send({ user, kind, scope: scopeOf(interaction), ...whence(interaction) });
  };

  const page = async (interaction: Interaction, more: object = {}) => {
    const { uid, client, attempt } = interaction;
    const open = await codeFactors.open(scopeOf(interaction), kind);
    return sentCodePage({
      uid,
      client,
      kind,
      destination: open?.destination ?? '',
      minutes: Math.round(settings.mfa.codeLife / 60),
      identifier: attempt.identifier ?? '',
      ...(await otherWays(ports, interaction, step)),
      // Where the application itself or the risk asks, remembering would spare nothing.
      days: interaction.asksForMore || attempt.risk === 'step_up' ? undefined : days,
      sent: interaction.ctx.query.sent !== undefined,
      ...more,
    });
  };

  return {
    async ask(interaction) {
      if (!(await codeFactors.open(scopeOf(interaction), kind))) await send(interaction);
      interaction.show(await page(interaction));
    },

    async answer(interaction) {
      const { ctx, attempt, form } = interaction;
      const user = (await interaction.user())!;
      try {
        const input = { ...whence(interaction), scope: scopeOf(interaction), code: typed(form.code) };
        await secondFactors.prove(user, kind, { ...input, device: device.read(ctx) });
      } catch (error) {
        const problems = [problemOf(error, policy)];
        return interaction.show(await page(interaction, { values: form, problems }), { status: 422 });
      }
      attempt.proved = [...attempt.proved, methodOf[kind]];
      attempt.rememberDevice = form.remember_device !== undefined;
      await interaction.advance();
    },

    /** Sends another and says so. */
    async send(interaction: Interaction) {
      await send(interaction);
      goTo(interaction.ctx, `/signin/${interaction.uid}/${step}?sent`);
    },
  } satisfies StepHandler & { send(interaction: Interaction): Promise<void> };
}
