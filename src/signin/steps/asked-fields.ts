import type { Mapped } from '../../federation/index.ts';
import {
  type Field,
  fieldProblems,
  fieldSpecs,
  fieldsAsked,
  formValues,
  mergeValues,
  typedValues,
} from '../../users/index.ts';
import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';
import type { Problem } from './problems.ts';
import { typed } from './step.ts';

/** Claims with columns of their own; the rest go into the profile. */
const columns: Record<string, 'givenName' | 'familyName' | 'name'> = {
  given_name: 'givenName',
  family_name: 'familyName',
  name: 'name',
};

type Answers = Interaction['form'];

/** What the settings ask of whoever opens an account, beside an address and a way in. */
export function createAskedFields({ settings, fields }: Pick<SigninPorts, 'settings' | 'fields'>) {
  const { fields: profile, terms, termsVersion } = settings.registration;
  const { termsUrl, privacyUrl } = settings.branding;
  const agree = terms === 'required' && Boolean(termsUrl || privacyUrl);
  const custom = async () => fieldsAsked(await fields.list(), 'registration');

  /** The custom fields that are asked for here, and what is wrong with them. */
  const attributesOf = async (form: Answers, asked: Field[]) => {
    try {
      const checked = await fields.check(typedValues(asked, form), { as: 'user', at: 'registration' });
      return { attributes: mergeValues({}, checked), problems: [] };
    } catch (error) {
      const problems = fieldProblems(error);
      if (!problems) throw error;
      return { attributes: {}, problems };
    }
  };

  return {
    agree,
    custom,
    /** What the page needs to show them. */
    shown: async () => ({
      fields: [...profile],
      custom: fieldSpecs(await custom()),
      ...(agree ? { terms: termsUrl, privacy: privacyUrl } : {}),
    }),

    /** What is known already, as it stands in the form. */
    async values(known: Mapped): Promise<Answers> {
      const own = Object.entries(columns).flatMap(([name, column]) => (known[column] ? [[name, known[column]]] : []));
      const more = formValues(await custom(), known.attributes);
      return { ...known.profile, ...Object.fromEntries(own), ...more } as Answers;
    },

    /** The answers as facts of a person, and what is wrong with them. */
    async read(form: Answers) {
      const { attributes, problems: refused } = await attributesOf(form, await custom());
      const given = profile.flatMap(({ name }) => (typed(form[name]) ? [[name, typed(form[name])] as const] : []));
      const problems: Problem[] = [
        ...profile.flatMap(({ name, required }) =>
          required && !typed(form[name]) ? [{ field: name, code: 'field.missing' }] : [],
        ),
        ...(agree && form.terms === undefined ? [{ field: 'terms', code: 'terms.not_accepted' }] : []),
        ...refused,
      ];
      return {
        problems,
        facts: {
          ...Object.fromEntries(given.flatMap(([name, value]) => (columns[name] ? [[columns[name], value]] : []))),
          profile: Object.fromEntries(given.filter(([name]) => !columns[name])),
          attributes,
        },
        termsVersion: agree ? termsVersion : undefined,
      };
    },
  };
}

export type AskedFields = ReturnType<typeof createAskedFields>;
