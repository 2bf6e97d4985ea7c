import type { Interaction } from '../interaction.ts';
import { linkPage } from '../pages/providers.ts';
import type { StepHandler } from './step.ts';

/**
 * Everything of the account is proved, and an identity at a provider waits: is it to lead into this account from now on?
 * Always asked, since whoever proved the account need not be who came from the provider before at this browser.
 */
export const linkStep: StepHandler = {
  async ask(interaction: Interaction) {
    const { provider, arrival } = interaction.attempt.linking!;
    const user = await interaction.user();
    interaction.show(
      linkPage({
        uid: interaction.uid,
        client: interaction.client,
        provider: provider.name,
        theirs: arrival.email ?? String(arrival.claims.preferred_username ?? arrival.claims.name ?? ''),
        ours: user?.email ?? user?.displayName() ?? '',
      }),
    );
  },

  async answer(interaction: Interaction) {
    interaction.attempt.linking!.answer = interaction.form.link === 'yes' ? 'yes' : 'no';
    await interaction.advance();
  },
};
