import { Refusal } from '../../platform/index.ts';
import type { Interaction } from '../interaction.ts';
import { totpSetupPage } from '../pages/factors.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf, whence } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** Whoever must prove two factors and has one makes the other now. The code that shows it works proves it, too. */
export function createTotpSetupStep(ports: SigninPorts): StepHandler {
  const { secondFactors, policy } = ports;
  const page = ({ uid, client }: Interaction, setup: Parameters<typeof totpSetupPage>[0]['setup'], more: object = {}) =>
    totpSetupPage({ uid, client, setup, ...more });

  return {
    async ask(interaction) {
      interaction.show(page(interaction, secondFactors.beginTotp((await interaction.user())!)));
    },

    async answer(interaction) {
      const { attempt, form } = interaction;
      const user = (await interaction.user())!;
      const token = typed(form.setup);
      try {
        const input = { ...whence(interaction), token, code: typed(form.code) };
        attempt.codes = await secondFactors.enrolTotp(user, input);
      } catch (error) {
        // Another tab was first: its app is asked for now.
        if (error instanceof Refusal && error.code === 'totp.enrolled') return interaction.advance();
        const problems = [problemOf(error, policy)];
        const expired = (error as Refusal).code === 'totp.setup_expired';
        const setup = expired ? secondFactors.beginTotp(user) : secondFactors.resumeTotp(user, token);
        return interaction.show(page(interaction, setup, { problems }), { status: 422 });
      }
      attempt.proved = [...attempt.proved, 'otp'];
      await interaction.advance();
    },
  };
}
