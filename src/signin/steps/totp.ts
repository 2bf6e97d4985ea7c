import { deviceCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { totpPage } from '../pages/factors.ts';
import type { SigninPorts } from '../ports.ts';
import { otherWays } from './other-ways.ts';
import { problemOf, whence } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** Prove it once more, by a code of the app. */
export function createTotpStep(ports: SigninPorts): StepHandler {
  const { settings, secondFactors, policy } = ports;
  const device = deviceCookie(settings);
  const days = Math.floor(settings.mfa.rememberDevice / 86_400);

  const page = async (interaction: Interaction, more: object = {}) => {
    const { uid, client, attempt } = interaction;
    return totpPage({
      uid,
      client,
      identifier: attempt.identifier ?? '',
      ...(await otherWays(ports, interaction, 'totp')),
      // Where the application itself or the risk asks, remembering would spare nothing.
      days: interaction.asksForMore || attempt.risk === 'step_up' ? undefined : days,
      ...more,
    });
  };

  return {
    ask: async (interaction) => interaction.show(await page(interaction)),

    async answer(interaction) {
      const { ctx, attempt, form } = interaction;
      const user = (await interaction.user())!;
      try {
        const code = typed(form.code);
        await secondFactors.prove(user, 'totp', { ...whence(interaction), code, device: device.read(ctx) });
      } catch (error) {
        return interaction.show(await page(interaction, { values: form, problems: [problemOf(error, policy)] }), {
          status: 422,
        });
      }
      attempt.proved = [...attempt.proved, 'otp'];
      attempt.rememberDevice = form.remember_device !== undefined;
      await interaction.advance();
    },
  };
}
