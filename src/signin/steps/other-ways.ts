import type { SecondFactorKind } from '../../credentials/index.ts';
import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';

/** What else the person could prove themselves with here, beside the factor that is asked for. */
export async function otherWays(
  { factors }: Pick<SigninPorts, 'factors'>,
  { attempt }: Interaction,
  current: SecondFactorKind,
): Promise<{ others: SecondFactorKind[]; recovery: boolean }> {
  const { recoveryCodes } = await factors.of(attempt.userId!);
  const choices = await factors.choices(attempt.userId!, { mailbox: attempt.mailbox });
  return { others: choices.filter((kind) => kind !== current), recovery: recoveryCodes > 0 };
}
