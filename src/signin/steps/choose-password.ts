import type { Interaction } from '../interaction.ts';
import { choosePasswordPage } from '../pages/reset.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf } from './problems.ts';
import { most, type StepHandler } from './step.ts';

/** A new password is chosen, and the sign-in goes on with it proved. @param store takes it, and puts into the attempt what that proves */
export function createChoosing(
  { policy }: SigninPorts,
  name: 'reset' | 'new-password',
  store: (interaction: Interaction, given: { password: string; ip: string; locale: string }) => Promise<void>,
): StepHandler {
  const page = (interaction: Interaction, more: object = {}) =>
    choosePasswordPage(name, {
      uid: interaction.uid,
      client: interaction.client,
      identifier: interaction.attempt.identifier ?? '',
      minLength: policy.lengths().minimum,
      ...more,
    });

  return {
    ask: async (interaction) => interaction.show(page(interaction)),

    async answer(interaction) {
      const { form, ctx, locale } = interaction;
      try {
        await store(interaction, { password: (form.password ?? '').slice(0, most), ip: ctx.ip, locale });
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      await interaction.advance();
    },
  };
}
