import { goTo } from '../../platform/http/index.ts';
import { letterCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { verifyPage } from '../pages/register.ts';
import type { SigninPorts } from '../ports.ts';
import { asker, problemOf } from './problems.ts';
import { type StepHandler, typed } from './step.ts';

/**
 * The code from the letter. Come here from registering (the letter is on its way), or from a password that was right for
 * an address never proved (the letter is sent now). Whoever opens the letter's link instead goes on here without a code.
 */
export function createVerifyStep({ registration, verification, policy, settings }: SigninPorts) {
  const minutes = Math.round(settings.tokens.verificationLink / 60);
  const letterOf = letterCookie(settings);
  const address = (interaction: Interaction) =>
    interaction.attempt.letter?.address ?? interaction.attempt.identifier ?? '';
  const page = (interaction: Interaction, more: object = {}) =>
    verifyPage({ uid: interaction.uid, client: interaction.client, address: address(interaction), minutes, ...more });

  const send = async (interaction: Interaction): Promise<void> => {
    const { attempt } = interaction;
    const from = asker(interaction);
    if (attempt.letter?.registered) {
      const { handle } = await registration.again({
        ...from,
        email: attempt.letter.address,
        handle: attempt.letter.handle,
      });
      attempt.letter = { ...attempt.letter, handle };
    } else {
      const { handle } = await verification.send({ ...from, userId: attempt.userId! });
      attempt.letter = { purpose: 'verify', handle, address: attempt.identifier! };
    }
  };

  return {
    async ask(interaction) {
      if (await goesOn(interaction)) return interaction.advance();
      if (!interaction.attempt.letter) {
        await send(interaction);
        await interaction.keep();
      }
      // The letter is opened in this browser, or in another: the link's page tells them apart.
      if (interaction.attempt.letter) letterOf.write(interaction.ctx, interaction.attempt.letter.handle);
      interaction.show(page(interaction, { sent: interaction.ctx.query.sent !== undefined }));
    },

    async answer(interaction) {
      const { attempt, form, ctx } = interaction;
      const { letter } = attempt;
      if (!letter || (await goesOn(interaction))) return interaction.advance();
      try {
        const code = typed(form.code).replace(/\s/g, '');
        const { userId } = await verification.confirmCode({
          handle: letter.handle,
          code,
          ip: ctx.ip,
          locale: interaction.locale,
        });
        await verified(interaction, userId);
      } catch (error) {
        return interaction.show(page(interaction, { problems: [problemOf(error, policy)] }), { status: 422 });
      }
      await interaction.advance();
    },

    /** Sends the letter again and says so. */
    async send(interaction: Interaction) {
      await send(interaction);
      await interaction.keep();
      goTo(interaction.ctx, `/signin/${interaction.uid}/verify?sent`);
    },
  } satisfies StepHandler & { send(interaction: Interaction): Promise<void> };

  /**
   * Whether the letter's link was opened instead, here or by whoever knows the password that was chosen here: this one
   * need not ask any more. The handle belongs to the browser in which that was chosen or has just been right.
   */
  async function goesOn(interaction: Interaction): Promise<boolean> {
    const { letter } = interaction.attempt;
    const userId = letter && (await verification.settled(letter.handle));
    if (userId) await verified(interaction, userId);
    return userId !== undefined;
  }

  /** What was proved before the letter stands. Who has registered chose the password here, or has only the letter's code. */
  async function verified(interaction: Interaction, userId: string): Promise<void> {
    const { proved, letter } = interaction.attempt;
    const passkey = letter?.passkey === true;
    await interaction.proved(userId, {
      methods: proved.length > 0 ? proved : [passkey || interaction.attempt.linking ? 'otp' : 'pwd'],
    });
    interaction.attempt.mailbox = true;
    if (passkey) interaction.attempt.offer = 'passkey';
  }
}
