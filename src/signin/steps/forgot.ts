import { captchaOf } from '../captcha.ts';
import type { Interaction } from '../interaction.ts';
import { forgotPage } from '../pages/reset.ts';
import type { SigninPorts } from '../ports.ts';
import { asker, problemOf } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/** Ask for a new password. The answer is the same for an address we know and one we do not. */
export function createForgotStep({ resets, captcha, policy }: SigninPorts): StepHandler {
  const kind = 'forgot' as const;
  const page = async (interaction: Interaction, more: object = {}) =>
    forgotPage({
      uid: interaction.uid,
      client: interaction.client,
      captcha: await captchaOf(captcha, kind, interaction.ctx.ip),
      ...more,
    });

  return {
    ask: async (interaction) =>
      interaction.show(await page(interaction, { values: { email: interaction.attempt.identifier } })),

    async answer(interaction) {
      const { form, ctx, attempt } = interaction;
      const email = typed(form.email);
      try {
        if (await captcha.required({ kind, ip: ctx.ip })) await captcha.verify(form, ctx.ip);
        const { handle } = await resets.request({
          ...asker(interaction),
          email,
        });
        interaction.restart({
          identifier: email,
          remember: attempt.remember,
          letter: { purpose: 'reset', handle, address: email },
        });
      } catch (error) {
        return interaction.show(await page(interaction, { values: { email }, problems: [problemOf(error, policy)] }), {
          status: 422,
        });
      }
      await interaction.advance();
    },
  };
}
