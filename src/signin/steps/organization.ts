import type { Interaction } from '../interaction.ts';
import { organizationPage } from '../pages/consent.ts';
import type { SigninPorts } from '../ports.ts';
import { type StepHandler, typed } from './step.ts';

/** In which organisation? Asked of whoever is in several, when the application wants one and named none. */
export function createOrganizationStep({ organisations, users }: SigninPorts): StepHandler {
  const places = ({ sessionAccountId }: Interaction) => organisations.members.organisationsOf(sessionAccountId!);

  return {
    async ask(interaction) {
      const user = await users.byId(interaction.sessionAccountId!);
      interaction.show(
        organizationPage({
          uid: interaction.uid,
          client: interaction.client,
          account: user?.email ?? user?.displayName() ?? '',
          places: (await places(interaction)).map(({ id, displayName }) => ({ id, name: displayName })),
        }),
      );
    },

    async answer(interaction) {
      const wanted = typed(interaction.form.organization);
      // The engine asks once more whether the person is in it; here it is only a form that was tampered with.
      const place = (await places(interaction)).find(({ id }) => id === wanted);
      if (!place) return this.ask(interaction);
      await interaction.finish({ organization: { id: place.id } });
    },
  };
}
