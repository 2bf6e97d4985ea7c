import { isEmail } from '../../users/index.ts';
import type { Interaction } from '../interaction.ts';
import { identifierPage } from '../pages/identify.ts';
import { providerButtons } from '../pages/providers.ts';
import type { SigninPorts } from '../ports.ts';
import { type StepHandler, typed } from './step.ts';

/** The page as its own step shows it, and others that lead back to it. */
export const identifierModel = async (
  { settings, federation }: Pick<SigninPorts, 'settings' | 'federation'>,
  interaction: Interaction,
  more: object = {},
) => ({
  ...identifierPage({
    uid: interaction.uid,
    client: interaction.client,
    registration: settings.registration.mode === 'open',
    remember: true,
    ...more,
  }),
  ...providerButtons(interaction.uid, await federation.buttons(interaction.client.wanted)),
});

/**
 * Who are you? Takes any address: whether it is known shows in nothing that follows.
 */
export function createIdentifierStep(
  ports: Pick<SigninPorts, 'settings' | 'federation' | 'organisations'>,
): StepHandler {
  const page = (interaction: Interaction, more: object) => identifierModel(ports, interaction, more);

  return {
    async ask(interaction) {
      const { attempt, params } = interaction;
      const hint = typeof params.login_hint === 'string' ? params.login_hint.slice(0, 254) : undefined;
      const { problem } = attempt;
      if (problem) {
        attempt.problem = undefined;
        await interaction.keep();
      }
      interaction.show(
        await page(interaction, {
          values: { identifier: attempt.identifier ?? hint, remember: attempt.remember },
          ...(problem ? { problems: [problem] } : {}),
        }),
      );
    },

    async answer(interaction) {
      const { form } = interaction;
      const identifier = typed(form.identifier);
      const remember = form.remember !== undefined;
      if (!isEmail(identifier)) {
        const code = identifier ? 'identifier.malformed' : 'identifier.missing';
        return interaction.show(
          await page(interaction, { values: { identifier, remember }, problems: [{ field: 'identifier', code }] }),
          { status: 422 },
        );
      }
      // The domain alone decides, so that it shows in nothing whether there is an account.
      const { providers } = await ports.organisations.policyFor({ email: identifier });
      const provider = interaction.attempt.direct
        ? undefined
        : await ports.federation.providerOf(identifier, providers);
      const { wanted } = interaction.client;
      const away = provider && (!wanted || wanted.includes(provider.id)) ? provider.id : undefined;
      interaction.restart({ identifier, remember, provider: away });
      await interaction.advance();
    },
  };
}
