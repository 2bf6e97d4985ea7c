import { waysPage } from '../pages.ts';
import type { SigninPorts } from '../ports.ts';
import type { StepHandler } from './step.ts';

/** The organisation wants another way of signing in than the one taken or at hand: which ones it allows. */
export function createWaysStep({ settings }: SigninPorts): StepHandler {
  return {
    async ask(interaction) {
      const { methods = [] } = await interaction.policy();
      interaction.show(
        waysPage({
          uid: interaction.uid,
          client: interaction.client,
          identifier: interaction.attempt.identifier ?? '',
          passkey: methods.includes('passkey'),
          support: settings.branding.supportUrl,
        }),
      );
    },
    // Nothing is proved here: its links and buttons lead to the steps that do.
    answer: (interaction) => interaction.advance(),
  };
}
