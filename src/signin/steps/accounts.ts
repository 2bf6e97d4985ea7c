import { accountsPage } from '../pages/consent.ts';
import type { SigninPorts } from '../ports.ts';
import type { StepHandler } from './step.ts';

/** Which account? The one that is signed in here, or another. */
export function createAccountsStep({ users }: SigninPorts): StepHandler {
  return {
    async ask(interaction) {
      const user = await users.byId(interaction.sessionAccountId!);
      const email = user?.email ?? '';
      interaction.show(
        accountsPage({
          uid: interaction.uid,
          client: interaction.client,
          account: { name: user?.name ?? undefined, email },
        }),
      );
    },
    async answer(interaction) {
      interaction.restart({ account: interaction.form.account === 'continue' ? 'continue' : 'other' });
      await interaction.advance();
    },
  };
}
