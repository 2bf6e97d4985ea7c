import type { StepHandler } from './step.ts';

/** The account may not be used, since it was stopped meanwhile: the sign-in begins anew, and says why at the password. */
export const refusedStep: StepHandler = {
  async ask(interaction) {
    interaction.restart();
    await interaction.advance();
  },
  answer: (interaction) => refusedStep.ask(interaction),
};
