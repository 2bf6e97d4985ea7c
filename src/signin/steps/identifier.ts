import { isEmail } from '../../users/index.ts';
import type { Interaction } from '../interaction.ts';
import { identifierPage } from '../pages.ts';
import type { SigninPorts } from '../ports.ts';
import { type StepHandler, typed } from './step.ts';

/** The page as its own step shows it, and others that lead back to it. */
export const identifierModel = (
  { settings }: Pick<SigninPorts, 'settings'>,
  interaction: Interaction,
  more: object = {},
) =>
  identifierPage({
    uid: interaction.uid,
    client: interaction.client,
    registration: settings.registration.mode === 'open',
    remember: true,
    ...more,
  });

/**
 * Who are you? Takes any address: whether it is known shows in nothing that follows.
 */
export function createIdentifierStep(ports: Pick<SigninPorts, 'settings'>): StepHandler {
  const page = (interaction: Interaction, more: object) => identifierModel(ports, interaction, more);

  return {
    async ask(interaction) {
      const { attempt, params } = interaction;
      const hint = typeof params.login_hint === 'string' ? params.login_hint.slice(0, 254) : undefined;
      interaction.show(
        page(interaction, { values: { identifier: attempt.identifier ?? hint, remember: attempt.remember } }),
      );
    },

    async answer(interaction) {
      const { form } = interaction;
      const identifier = typed(form.identifier);
      const remember = form.remember !== undefined;
      if (!isEmail(identifier)) {
        const code = identifier ? 'identifier.malformed' : 'identifier.missing';
        return interaction.show(
          page(interaction, { values: { identifier, remember }, problems: [{ field: 'identifier', code }] }),
          { status: 422 },
        );
      }
      interaction.restart({ identifier, remember });
      await interaction.advance();
    },
  };
}
