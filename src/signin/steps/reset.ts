import type { SigninPorts } from '../ports.ts';
import { createChoosing } from './choose-password.ts';
import type { StepHandler } from './step.ts';

/** The new password, after the letter's code: who has that has the mailbox. */
export const createResetStep = (ports: SigninPorts): StepHandler =>
  createChoosing(ports, 'reset', async (interaction, given) => {
    const { ticket } = interaction.attempt.reset!;
    const { userId } = await ports.resets.complete({ by: { ticket }, ...given });
    await interaction.proved(userId);
    interaction.attempt.mailbox = true;
  });
