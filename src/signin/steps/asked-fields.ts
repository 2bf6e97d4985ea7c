import type { Mapped } from '../../federation/index.ts';
import {
  type Field,
  fieldProblems,
  fieldSpecs,
  fieldsAsked,
  formValues,
  mergeValues,
  type ProfileOwner,
  profileProblems,
  readProfile,
  typedValues,
} from '../../users/index.ts';
import type { Interaction } from '../interaction.ts';
import type { SigninPorts } from '../ports.ts';
import type { Problem } from './problems.ts';
import { typed } from './step.ts';

/** Claims with columns of their own; the rest stand in the profile. */
const columns = { given_name: 'givenName', family_name: 'familyName', name: 'name' } as const;

type Answers = Interaction['form'];

/** What the settings ask of whoever opens an account, beside an address and a way in. */
export function createAskedFields({ settings, fields, clock }: Pick<SigninPorts, 'settings' | 'fields' | 'clock'>) {
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

  /** What they say of themselves, checked as on the page of their profile, and what is wrong with it. */
  const profileOf = async (form: Answers) => {
    const person: ProfileOwner = { name: null, givenName: null, familyName: null, profile: {} };
    const given = profile.flatMap(({ name }) => (typed(form[name]) ? [[name, typed(form[name])]] : []));
    try {
      const write = await readProfile(Object.fromEntries(given), clock.now());
      write(person);
      return { said: saidOf(person), problems: [] };
    } catch (error) {
      const problems = profileProblems(error);
      if (!problems) throw error;
      return { said: saidOf(person), problems };
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
      const { said, problems: misspelt } = await profileOf(form);
      const problems: Problem[] = [
        ...profile.flatMap(({ name, required }) =>
          required && !typed(form[name]) ? [{ field: name, code: 'field.missing' }] : [],
        ),
        ...(agree && form.terms === undefined ? [{ field: 'terms', code: 'terms.not_accepted' }] : []),
        ...misspelt,
        ...refused,
      ];
      return {
        problems,
        facts: { ...said, attributes },
        termsVersion: agree ? termsVersion : undefined,
      };
    },
  };
}

/** Only what was said: it goes before what a provider says. */
const saidOf = ({ givenName, familyName, profile }: ProfileOwner) => ({
  ...(givenName && { givenName }),
  ...(familyName && { familyName }),
  profile,
});

export type AskedFields = ReturnType<typeof createAskedFields>;
