import { deviceCookie } from '../device.ts';
import type { Interaction } from '../interaction.ts';
import { createMayOffer } from '../later.ts';
import { limitedPage } from '../pages/end.ts';
import { passwordPage } from '../pages/identify.ts';
import { providerButtons } from '../pages/providers.ts';
import type { SigninPorts } from '../ports.ts';
import { createRiskCheck } from '../risk.ts';
import { most, type StepHandler } from './step.ts';

/**
 * Prove it, by password. A known and an unknown address cost the same work and meet the same words, and so does one that
 * was registered and never proved; a stopped account is told so only to whoever has its password.
 */
export function createPasswordStep(ports: SigninPorts): StepHandler {
  const { settings, users, passwords, attempts, events, trickle, federation } = ports;
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
    await events.record({
      type: 'signin.failed',
      actor: { kind: 'anonymous' },
      subject: userId,
      client: interaction.client.id,
      ip: interaction.ctx.ip,
      data: { method: 'pwd', why: code },
    });
    // Whoever's password only the old system knows must not go looking for another one while it is down.
    const told = code === 'credential.wrong' && trickle?.isAway() ? 'credential.wrong_or_away' : code;
    interaction.show(await page(interaction, { problems: [{ field: 'password', code: told }] }), { status: 422 });
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

      let user = await users.byEmail(identifier);
      const reservation = await attempts.before({ identifier, ip: ctx.ip, userId: user?.id, device: device.read(ctx) });
      if (!reservation.allowed) {
        const { retryAfter } = reservation;
        ctx.set('retry-after', String(Math.ceil(retryAfter)));
        return interaction.show(limitedPage({ uid: interaction.uid, client: interaction.client, retryAfter }), {
          status: 429,
        });
      }
      let right = false;
      const began = performance.now();
      let since = await passwords.changedAt(user?.id);
      try {
        right = await passwords.check(user?.id, password);
        const arrived = right
          ? undefined
          : await trickle?.ask({ identifier, password, user, ip: ctx.ip, since: began });
        if (arrived) {
          user = arrived;
          right = true;
          since = await passwords.changedAt(arrived.id);
        }
      } catch (error) {
        // Not looked at after all (the hashing queue is full, the store is away): it costs nothing.
        await attempts.succeeded(reservation);
        throw error;
      }
      if (!right || !user || user.isUnverified()) {
        await attempts.failed(reservation);
        return refuse(interaction, 'credential.wrong', user?.id);
      }
      if (!user.isStopped()) {
        const { identifier: typedIn, remember } = attempt;
        await interaction.proved(user.id, { since, remember: form.remember !== undefined || remember });
        if (await isRefused(interaction, user.id)) {
          await attempts.failed(reservation);
          interaction.restart({ identifier: typedIn, remember });
          await interaction.keep();
          return refuse(interaction, 'credential.wrong', user.id);
        }
      }
      await attempts.succeeded(reservation);
      if (user.isStopped()) return refuse(interaction, 'account.stopped', user.id);
      if (await mayOffer(interaction, user.id)) attempt.offer = 'passkey';
      await interaction.advance();
    },
  };
}
