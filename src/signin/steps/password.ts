import { allOf } from '../../platform/index.ts';
import type { User } from '../../users/index.ts';
import { deviceCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { createMayOffer } from '../later.ts';
import { limitedPage } from '../pages/end.ts';
import { passwordPage } from '../pages/identify.ts';
import { providerButtons } from '../pages/providers.ts';
import type { SigninPorts } from '../ports.ts';
import { createRiskCheck } from '../risk.ts';
import { recordFailure } from './failed.ts';
import { most, type StepHandler } from './step.ts';

/**
 * Prove it, by password. A known and an unknown address cost the same work and meet the same words, and so does one that
 * was registered and never proved; a stopped account is told so only to whoever has its password.
 */
export function createPasswordStep(ports: SigninPorts): StepHandler {
  const { settings, users, passwords, attempts, trickle, federation } = ports;
  const device = deviceCookie(settings);
  const mayOffer = createMayOffer(ports);
  const isRefused = createRiskCheck(ports);

  const page = async (interaction: Interaction, more: object = {}) => {
    const { attempt, client, uid } = interaction;
    const { linking, remember } = attempt;
    const buttons = await federation.buttons(client.wanted);
    return {
      ...passwordPage({
        ...{ uid, client, remember, identifier: attempt.identifier!, linking: linking?.provider.name },
        ...more,
      }),
      // Whoever has just come by one proves the account by something else.
      ...providerButtons(
        uid,
        buttons.filter(({ id }) => id !== linking?.provider.id),
      ),
    };
  };

  const refuse = async (interaction: Interaction, code: string, userId: string | undefined) => {
    await recordFailure(ports, interaction, { userId, method: 'pwd', why: code });
    // Whoever's password only the old system knows must not go looking for another one while it is down.
    const told = code === 'credential.wrong' && trickle?.isAway() ? 'credential.wrong_or_away' : code;
    interaction.show(await page(interaction, { problems: [{ field: 'password', code: told }] }), { status: 422 });
  };

  /** Too many wrong ones: nothing was looked at. */
  const tellToWait = ({ ctx, uid, client, show }: Interaction, retryAfter: number) => {
    ctx.set('retry-after', String(Math.ceil(retryAfter)));
    show(limitedPage({ uid, client, retryAfter }), { status: 429 });
  };

  /**
   * Whether it is theirs, here or in the old system, which may bring them in only now.
   * @returns `since`: when the password that was looked at was set
   */
  const look = async ({ ctx, attempt }: Interaction, password: string, user: User | undefined) => {
    const began = performance.now();
    const { right, since } = await passwords.look(user?.id, password);
    if (right) return { right, user, since };
    const identifier = attempt.identifier!;
    const arrived = await trickle?.ask({ identifier, password, user, ip: ctx.ip, since: began });
    if (!arrived) return { right, user, since };
    return { right: true, user: arrived, since: await passwords.changedAt(arrived.id) };
  };

  /** It was right. @returns false when the circumstances refuse the sign-in all the same */
  const enter = async (interaction: Interaction, user: User, since: Date | undefined): Promise<boolean> => {
    const { identifier, remember } = interaction.attempt;
    await interaction.proved(user, { since, remember: interaction.form.remember !== undefined || remember });
    if (!(await isRefused(interaction, user.id))) return true;
    interaction.restart({ identifier, remember });
    await interaction.keep();
    return false;
  };

  return {
    ask: async (interaction) => interaction.show(await page(interaction)),

    async answer(interaction) {
      const { ctx, attempt, form } = interaction;
      const identifier = attempt.identifier!;
      const password = (form.password ?? '').slice(0, most);
      if (!password) {
        const problems = [{ field: 'password', code: 'password.missing' }];
        return interaction.show(await page(interaction, { problems }), { status: 422 });
      }

      const known = await users.byEmail(identifier);
      const whose = { identifier, ip: ctx.ip, userId: known?.id, device: device.read(ctx) };
      const reservation = await attempts.before(whose);
      if (!reservation.allowed) return tellToWait(interaction, reservation.retryAfter);
      const { right, user, since } = await look(interaction, password, known).catch(async (error) => {
        // Not looked at after all (the hashing queue is full, the store is away): it costs nothing.
        await attempts.succeeded(reservation);
        throw error;
      });
      if (!right || !user || user.isUnverified()) {
        await attempts.failed(reservation);
        return refuse(interaction, 'credential.wrong', user?.id);
      }
      if (!user.isStopped() && !(await enter(interaction, user, since))) {
        await attempts.failed(reservation);
        return refuse(interaction, 'credential.wrong', user.id);
      }
      const givenBack = attempts.succeeded(reservation);
      const goOn = async () => {
        if (user.isStopped()) return refuse(interaction, 'account.stopped', user.id);
        if (await mayOffer(interaction, user.id)) attempt.offer = 'passkey';
        await interaction.advance();
      };
      await allOf([givenBack, goOn()]);
    },
  };
}
