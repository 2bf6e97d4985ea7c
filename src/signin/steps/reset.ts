import type { Interaction } from '../interaction.ts';
import { resetPage } from '../pages/reset.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf } from './problems.ts';
import { most, type StepHandler } from './step.ts';

/** The new password, after the letter's code. It is proved by being chosen, and the sign-in goes on. */
export function createResetStep({ resets, policy }: SigninPorts): StepHandler {
  const page = (interaction: Interaction, more: object = {}) =>
    resetPage({
      uid: interaction.uid,
      client: interaction.client,
      identifier: interaction.attempt.identifier ?? '',
      minLength: policy.lengths().minimum,
      ...more,
    });

  return {
    ask: async (interaction) => interaction.show(page(interaction)),

    async answer(interaction) {
      const { attempt, form, ctx } = interaction;
      try {
        const { userId } = await resets.complete({
          by: { ticket: attempt.reset!.ticket },
          password: (form.password ?? '').slice(0, most),
          ip: ctx.ip,
          locale: interaction.locale,
        });
        await interaction.proved(userId);
        attempt.mailbox = true;
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      await interaction.advance();
    },
  };
}
