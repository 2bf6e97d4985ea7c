import { Refusal } from '../../platform/index.ts';
import type { Interaction } from '../interaction.ts';
import { laterCookie } from '../later.ts';
import { passkeyOfferPage } from '../pages/identify.ts';
import type { SigninPorts } from '../ports.ts';
import { passkeyScope } from './passkey.ts';
import { whence } from './problems.ts';
import type { StepHandler } from './step.ts';

/** Everything is proved: a passkey for the next time, or not now. Whatever the answer, the sign-in goes on. */
export function createPasskeyOfferStep({ settings, passkeys }: SigninPorts) {
  const later = laterCookie(settings);

  return {
    async ask(interaction) {
      interaction.show(passkeyOfferPage({ uid: interaction.uid, client: interaction.client }));
    },

    async answer(interaction) {
      const { ctx, form, attempt, uid, client } = interaction;
      const userId = attempt.userId!;
      if (form.credential) {
        try {
          await passkeys.register({
            response: form.credential,
            scope: passkeyScope(interaction),
            userId,
            from: whence(interaction),
          });
        } catch (error) {
          if (!(error instanceof Refusal) || !error.code.startsWith('passkey.')) throw error;
          return interaction.show(passkeyOfferPage({ uid, client, problems: [{ code: error.code }], quietly: false }), {
            status: 422,
          });
        }
      } else {
        later.add(ctx, userId);
      }
      attempt.offer = undefined;
      await interaction.advance();
    },

    async options(interaction: Interaction) {
      const user = await interaction.user();
      return passkeys.registrationOptions({
        user: user!,
        scope: passkeyScope(interaction),
        // Only for somebody who has just typed a password: see `attempt.offer`.
        conditional: interaction.form.conditional !== undefined,
      });
    },
  } satisfies StepHandler & { options(interaction: Interaction): Promise<object> };
}
