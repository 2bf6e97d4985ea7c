import { deviceCookie } from './device.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';
import { whence } from './steps/problems.ts';

/**
 * Looks at the circumstances once a first factor was right, puts what they ask for into the attempt, and lets the flow
 * decide. Where it refuses, the owner is told by letter, and the step answers as to a wrong proof: whoever has stolen a
 * password does not learn that it is right.
 */
export function createRiskCheck(ports: SigninPorts) {
  const { risk, attempts, events, notices, users, settings } = ports;
  const device = deviceCookie(settings);

  /** @returns whether the sign-in is refused */
  return async (interaction: Interaction, userId: string): Promise<boolean> => {
    const { ctx, attempt, client } = interaction;
    const knownDevice = attempts.knownDevice(device.read(ctx), userId);
    const { verdict, rule, signals } = await risk.assess({ userId, ip: ctx.ip, knownDevice });
    if (verdict === 'allow') return false;
    attempt.risk = verdict;
    await events.record({
      type: 'signin.risk',
      actor: { kind: 'anonymous' },
      subject: userId,
      client: client.id,
      ip: ctx.ip,
      userAgent: ctx.get('user-agent'),
      reason: `${rule}: ${signals.join(', ')}`,
      data: { verdict, rule, signals },
    });
    if ((await interaction.due()) !== 'refused') return false;
    const user = await users.byId(userId);
    if (user) await notices.tell(user, 'signin-refused', whence(interaction));
    return true;
  };
}
