import { waysPage } from '../pages/identify.ts';
import { providerButtons } from '../pages/providers.ts';
import type { SigninPorts } from '../ports.ts';
import type { StepHandler } from './step.ts';

/** The organisation wants another way of signing in than the one taken or at hand: which ones it allows. */
export function createWaysStep({ settings, federation }: SigninPorts): StepHandler {
  return {
    async ask(interaction) {
      const { methods = [], providers } = await interaction.policy();
      const { wanted } = interaction.client;
      const named = wanted ? providers.filter((id) => wanted.includes(id)) : providers;
      const offered = methods.includes('federation')
        ? await federation.buttons(providers.length > 0 ? named : wanted)
        : [];
      interaction.show({
        ...waysPage({
          uid: interaction.uid,
          client: interaction.client,
          identifier: interaction.attempt.identifier ?? '',
          passkey: methods.includes('passkey'),
          support: settings.branding.supportUrl,
        }),
        ...providerButtons(interaction.uid, offered, { alone: !methods.includes('passkey') }),
      });
    },
    // Nothing is proved here: its links and buttons lead to the steps that do.
    answer: (interaction) => interaction.advance(),
  };
}
