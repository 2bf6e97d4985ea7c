import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';

/**
 * A proof that was wrong, for the journal; what counts failures reads it there.
 * @param of.userId whose account was meant, where that is known
 * @param of.method as RFC 8176 names it, or `passkey`, `fed`
 * @param of.why the code of the refusal
 */
export async function recordFailure(
  { events }: Pick<SigninPorts, 'events'>,
  { client, ctx }: Interaction,
  { userId, ...data }: { userId: string | undefined; method: string; why: string; provider?: string },
): Promise<void> {
  await events.record({
    type: 'signin.failed',
    actor: { kind: 'anonymous' },
    subject: userId,
    client: client.id,
    ip: ctx.ip,
    data,
  });
}
