import type { Interaction } from '../interaction.ts';
import { resetSentPage } from '../pages/reset.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** A letter is on its way, or so we say to everybody; its code goes in here, its link leads elsewhere. */
export function createResetSentStep({ resets, policy, settings }: SigninPorts): StepHandler {
  const minutes = Math.round(settings.tokens.resetLink / 60);
  const page = (interaction: Interaction, more: object = {}) =>
    resetSentPage({
      uid: interaction.uid,
      client: interaction.client,
      address: interaction.attempt.letter!.address,
      minutes,
      ...more,
    });

  return {
    ask: async (interaction) => interaction.show(page(interaction)),

    async answer(interaction) {
      const { attempt, form, ctx } = interaction;
      try {
        const { ticket } = await resets.enterCode({
          handle: attempt.letter!.handle,
          code: typed(form.code).replace(/\s/g, ''),
          ip: ctx.ip,
        });
        attempt.reset = { ticket };
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      await interaction.advance();
    },
  };
}
