import {
  type Field,
  fieldProblems,
  fieldSpecs,
  fieldsLacking,
  formValues,
  mergeValues,
  typedValues,
} from '../../users/index.ts';
import type { Interaction } from '../interaction.ts';
import { detailsPage } from '../pages/register.ts';
import type { SigninPorts } from '../ports.ts';
import type { StepHandler } from './step.ts';

/**
 * What registration asks of everybody, of who never met that page: brought in from a directory, an import or another
 * provider, or here before the field was. Everything is proved by now, so it is the person who says it.
 */
export function createDetailsStep({ users, fields }: Pick<SigninPorts, 'users' | 'fields'>): StepHandler {
  const lacking = async (interaction: Interaction): Promise<Field[]> => {
    const user = await interaction.user();
    return user ? fieldsLacking(await fields.list(), user.attributes ?? {}) : [];
  };

  const show = (interaction: Interaction, asked: Field[], more: object = {}, status?: number) =>
    interaction.show(
      detailsPage({ uid: interaction.uid, client: interaction.client, custom: fieldSpecs(asked), ...more }),
      status === undefined ? {} : { status },
    );

  return {
    ask: async (interaction) => show(interaction, await lacking(interaction)),

    async answer(interaction) {
      const { attempt, form, ctx } = interaction;
      const userId = attempt.userId!;
      const asked = await lacking(interaction);
      const typed = typedValues(asked, form);
      // What is left out of the form is left empty: each of these must be said.
      const values = { ...Object.fromEntries(asked.map(({ name }) => [name, ''])), ...typed };
      try {
        const checked = await fields.check(values, { as: 'user', at: 'profile' });
        const by = { actor: { kind: 'user' as const, id: userId }, ip: ctx.ip };
        await users.update(userId, by, (user) => {
          user.attributes = mergeValues(user.attributes ?? {}, checked);
        });
      } catch (error) {
        const problems = fieldProblems(error);
        if (!problems) throw error;
        return show(interaction, asked, { values: formValues(asked, typed), problems }, 422);
      }
      await interaction.advance();
    },
  };
}
