import { Refusal } from '../../platform/index.ts';
import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';
import { identifierModel } from './identifier.ts';
import type { StepHandler } from './step.ts';

/** Where the challenges of a sign-in count. */
export const passkeyScope = ({ uid }: Pick<Interaction, 'uid'>): string => `signin ${uid}`;

/**
 * Prove it, by passkey, with or without an address typed before: the passkey says whose it is. It has made sure of its
 * user by itself, so it stands alone.
 */
export function createPasskeyStep(ports: SigninPorts) {
  const { users, passkeys, events } = ports;

  const refuse = async (interaction: Interaction, code: string, userId?: string, unknown?: string) => {
    await events.record({
      type: 'signin.failed',
      actor: { kind: 'anonymous' },
      subject: userId,
      client: interaction.client.id,
      ip: interaction.ctx.ip,
      data: { method: 'passkey', why: code },
    });
    const unknownPasskey = unknown ? { rpId: passkeys.rpId, credentialId: unknown } : undefined;
    const { identifier, remember } = interaction.attempt;
    interaction.show(
      identifierModel(ports, interaction, {
        values: { identifier, remember },
        problems: [{ code }],
        unknownPasskey,
      }),
      { status: 422 },
    );
  };

  return {
    /** It has no page of its own: its button stands on others. */
    async ask({ ctx, uid }) {
      ctx.redirect(`/signin/${uid}/identifier`);
      ctx.status = 303;
    },

    async answer(interaction) {
      const { form, attempt, ctx } = interaction;
      try {
        const { userId, methods } = await passkeys.authenticate({
          response: form.credential ?? '',
          scope: passkeyScope(interaction),
          ip: ctx.ip,
        });
        const user = await users.byId(userId);
        if (!user || user.isStopped()) return await refuse(interaction, 'account.stopped', userId);
        attempt.identifier = user.email ?? undefined;
        await interaction.proved(userId, { methods, remember: Boolean(form.remember) || attempt.remember });
      } catch (error) {
        if (!(error instanceof Refusal) || !error.code.startsWith('passkey.')) throw error;
        const { credential } = error.details as { credential?: string };
        return refuse(interaction, error.code, undefined, credential);
      }
      await interaction.advance();
    },

    options: (interaction: Interaction) => passkeys.authenticationOptions({ scope: passkeyScope(interaction) }),
  } satisfies StepHandler & { options(interaction: Interaction): Promise<object> };
}
