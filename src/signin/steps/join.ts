import type { Interaction } from '../interaction.ts';
import { joinPage } from '../pages/providers.ts';
import type { SigninPorts } from '../ports.ts';
import type { AskedFields } from './asked-fields.ts';
import type { Problem } from './problems.ts';
import type { createProviderStep } from './provider.ts';
import type { StepHandler } from './step.ts';

/**
 * Somebody new has come by a provider, and the settings ask what it did not say: the same as of whoever registers, but for
 * the address and the password. Whether the address has an account already shows as little as there.
 */
export function createJoinStep(
  { federation }: SigninPorts,
  asked: AskedFields,
  provider: Pick<ReturnType<typeof createProviderStep>, 'join'>,
): StepHandler {
  const page = async (interaction: Interaction, more: { values: object; problems?: Problem[] }) =>
    joinPage({
      uid: interaction.uid,
      client: interaction.client,
      provider: interaction.attempt.joining!.provider.name,
      email: interaction.attempt.joining!.arrival.email,
      ...(await asked.shown()),
      ...(more as { values: Record<string, string> }),
    });

  return {
    async ask(interaction) {
      const { provider, arrival } = interaction.attempt.joining!;
      const known = await federation.providers.find(provider.id);
      const { mapped } = await federation.dryRun(known ?? {}, arrival.claims);
      interaction.show(await page(interaction, { values: await asked.values(mapped) }));
    },

    async answer(interaction) {
      const { csrf: _, ...values } = interaction.form;
      const { facts, problems, termsVersion } = await asked.read(interaction.form);
      if (problems.length > 0) return interaction.show(await page(interaction, { values, problems }), { status: 422 });
      await provider.join(interaction, { ...facts, termsVersion });
    },
  };
}
