import { goTo } from '../../platform/http/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { Interaction } from '../interaction.ts';
import { passkeyPage } from '../pages/identify.ts';
import type { SigninPorts } from '../ports.ts';
import { createRiskCheck } from '../risk.ts';
import { recordFailure } from './failed.ts';
import { identifierModel } from './identifier.ts';
import type { StepHandler } from './step.ts';

/** Where the challenges of a sign-in count. */
export const passkeyScope = ({ uid }: Pick<Interaction, 'uid'>): string => `signin ${uid}`;

/**
 * Prove it, by passkey, with or without an address typed before: the passkey says whose it is. It has made sure of its
 * user by itself, so it stands alone. After something else was proved it is the second factor, and has to be the same
 * person's.
 */
export function createPasskeyStep(ports: SigninPorts) {
  const { users, passkeys } = ports;
  const isRefused = createRiskCheck(ports);
  const isSecond = ({ attempt }: Interaction) => attempt.proved.length > 0 && attempt.userId !== undefined;

  const page = async (interaction: Interaction, more: object) =>
    isSecond(interaction)
      ? passkeyPage({ uid: interaction.uid, client: interaction.client, ...more })
      : identifierModel(ports, interaction, more);

  const refuse = async (interaction: Interaction, code: string, userId?: string, unknown?: string) => {
    await recordFailure(ports, interaction, { userId, method: 'passkey', why: code });
    const unknownPasskey = unknown ? { rpId: passkeys.rpId, credentialId: unknown } : undefined;
    const { identifier, remember } = interaction.attempt;
    interaction.show(
      await page(interaction, {
        values: { identifier, remember },
        problems: [{ code }],
        unknownPasskey,
        autofill: false,
      }),
      {
        status: 422,
      },
    );
  };

  return {
    /** The first factor has no page of its own: its button stands on others. */
    async ask(interaction) {
      if (isSecond(interaction)) return interaction.show(await page(interaction, {}));
      goTo(interaction.ctx, `/signin/${interaction.uid}/identifier`);
    },

    async answer(interaction) {
      const { form, attempt, ctx } = interaction;
      const already = isSecond(interaction) ? attempt.proved : [];
      try {
        const { userId, methods } = await passkeys.authenticate({
          response: form.credential ?? '',
          scope: passkeyScope(interaction),
          ip: ctx.ip,
          userAgent: ctx.get('user-agent'),
        });
        // The challenge was asked for before the first factor was proved, and answered by somebody else's passkey.
        if (already.length > 0 && userId !== attempt.userId)
          return await refuse(interaction, 'passkey.refused', userId);
        const user = await users.byId(userId);
        if (!user || user.isStopped()) return await refuse(interaction, 'account.stopped', userId);
        attempt.identifier = user.email ?? undefined;
        const remember = Boolean(form.remember) || attempt.remember;
        await interaction.proved(userId, { methods: [...already, ...methods], remember });
        if (already.length === 0 && (await isRefused(interaction, userId))) {
          interaction.restart({ remember: attempt.remember });
          await interaction.keep();
          return await refuse(interaction, 'passkey.refused', userId);
        }
      } catch (error) {
        if (!(error instanceof Refusal) || !error.code.startsWith('passkey.')) throw error;
        const { credential } = error.details as { credential?: string };
        return refuse(interaction, error.code, undefined, credential);
      }
      await interaction.advance();
    },

    options: (interaction: Interaction) =>
      passkeys.authenticationOptions({
        scope: passkeyScope(interaction),
        userId: isSecond(interaction) ? interaction.attempt.userId : undefined,
      }),
  } satisfies StepHandler & { options(interaction: Interaction): Promise<object> };
}
