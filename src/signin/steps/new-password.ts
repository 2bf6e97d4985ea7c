import type { Interaction } from '../interaction.ts';
import { newPasswordPage } from '../pages/reset.ts';
import type { SigninPorts } from '../ports.ts';
import { problemOf } from './problems.ts';
import { most, type StepHandler } from './step.ts';

/** A change that an administrator asked for: after the old password, before the sign-in goes on. */
export function createNewPasswordStep({ passwordChanges, policy }: SigninPorts): StepHandler {
  const page = (interaction: Interaction, more: object = {}) =>
    newPasswordPage({
      uid: interaction.uid,
      client: interaction.client,
      identifier: interaction.attempt.identifier ?? '',
      minLength: policy.lengths().minimum,
      ...more,
    });

  return {
    ask: async (interaction) => interaction.show(page(interaction)),

    async answer(interaction) {
      const { attempt, form, ctx } = interaction;
      try {
        await passwordChanges.force({
          userId: attempt.userId!,
          password: (form.password ?? '').slice(0, most),
          ip: ctx.ip,
          locale: interaction.locale,
        });
        await interaction.proved(attempt.userId!, { methods: attempt.proved });
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      await interaction.advance();
    },
  };
}
