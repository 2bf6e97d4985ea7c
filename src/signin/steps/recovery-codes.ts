import { recoveryCodesPage } from '../pages/factors.ts';
import type { StepHandler } from './step.ts';

/** The codes on paper, shown until the person says they have them. */
export const recoveryCodesStep: StepHandler = {
  async ask(interaction) {
    const { uid, client, attempt } = interaction;
    interaction.show(recoveryCodesPage({ uid, client, codes: attempt.codes ?? [] }));
  },
  async answer(interaction) {
    delete interaction.attempt.codes;
    await interaction.advance();
  },
};
