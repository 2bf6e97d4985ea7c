import { deviceCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { recoveryPage } from '../pages/factors.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf, whence } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** The app is not at hand: one of the codes on paper stands in for it, and the owner is told. */
export function createRecoveryStep(ports: SigninPorts): StepHandler {
  const { settings, secondFactors, policy } = ports;
  const device = deviceCookie(settings);
  const page = ({ uid, client, attempt }: Interaction, more: object = {}) =>
    recoveryPage({ uid, client, identifier: attempt.identifier ?? '', ...more });

  return {
    ask: async (interaction) => interaction.show(page(interaction)),

    async answer(interaction) {
      const { ctx, attempt, form } = interaction;
      const user = (await interaction.user())!;
      try {
        const code = typed(form.code);
        await secondFactors.prove(user, 'recovery', { ...whence(interaction), code, device: device.read(ctx) });
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      // A one-time password by RFC 8176's definition (RFC 4949).
      attempt.proved = [...attempt.proved, 'otp'];
      await interaction.advance();
    },
  };
}
