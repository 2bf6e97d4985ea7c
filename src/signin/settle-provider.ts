import { Refusal } from '../platform/index.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';
import { whence } from './steps/problems.ts';

/** What a sign-in through a provider still has to do once everything is proved. */
export function createSettling({ users, federation }: Pick<SigninPorts, 'users' | 'federation'>) {
  const over = () => new Refusal('federation.over', { kind: 'conflict' });

  const link = async (
    interaction: Interaction,
    userId: string,
    { provider: { id }, arrival }: NonNullable<Interaction['attempt']['linking']>,
  ): Promise<string> => {
    const { proved } = interaction.attempt;
    const [user, provider] = [await users.byId(userId), await federation.providers.find(id)];
    if (!user || !provider) throw over();
    const how = proved.includes('fed') ? 'trusted_address' : 'proved';
    const { identityId } = await federation.link({ user, provider, arrival, from: whence(interaction), how });
    return identityId;
  };

  /** What was come by still leads here, and is noted: unlinked or switched off since, it does not. */
  const arrived = async (
    interaction: Interaction,
    userId: string,
    { provider: id, identityId = '', arrival }: NonNullable<Interaction['attempt']['came']>,
  ) => {
    const [user, provider] = [await users.byId(userId), await federation.providers.find(id)];
    if (!user || !provider || !(await federation.stillLinked(identityId, userId))) throw over();
    await federation.cameBy({ user, identityId, provider, arrival, from: whence(interaction) });
  };

  /**
   * Links what was to be linked, and makes sure that what was come by still leads here. @returns whether to go on
   */
  return async (interaction: Interaction): Promise<boolean> => {
    const { attempt } = interaction;
    const { linking, came, userId } = attempt;
    if (!userId || attempt.proved.length === 0) return true;
    try {
      const linked = linking?.answer === 'yes' ? await link(interaction, userId, linking) : undefined;
      if (came) {
        came.identityId ??= linked;
        await arrived(interaction, userId, came);
      }
      return true;
    } catch (error) {
      if (!(error instanceof Refusal) || !error.code.startsWith('federation.')) throw error;
      interaction.restart({
        direct: true,
        linking: undefined,
        problem: { code: error.code, params: { provider: '' } },
      });
      await interaction.advance();
      return false;
    }
  };
}
