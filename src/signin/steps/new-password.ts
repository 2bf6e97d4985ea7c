import type { SigninPorts } from '../ports.ts';
import { createChoosing } from './choose-password.ts';
import type { StepHandler } from './step.ts';

/** A change that an administrator asked for: after the old password, before the sign-in goes on. */
export const createNewPasswordStep = (ports: SigninPorts): StepHandler =>
  createChoosing(ports, 'new-password', async (interaction, given) => {
    const { userId, proved } = interaction.attempt;
    await ports.passwordChanges.force({ userId: userId!, ...given });
    await interaction.proved(userId!, { methods: proved });
  });
