import { createForm, type FieldSpec, type Problem, type Typed } from '../platform/form.ts';
import { addressFields, type ProfileField, profileSpec, type User } from '../users/index.ts';
import { ownPage } from './own-pages.ts';

const home = '/account/profile';

const groups: Record<string, FieldSpec[]> = {
  name: [
    ...(['given_name', 'middle_name', 'family_name'] as const).map(profileSpec),
    { ...profileSpec('name'), label: 'label.display_name', hint: 'hint.display_name' },
    profileSpec('nickname'),
  ],
  contact: (['phone_number', ...addressFields] as const).map(profileSpec),
  about: (['birthdate', 'gender', 'website', 'bio'] as const).map(profileSpec),
};

/** Every field of the form but the custom ones. */
export const profileFields = Object.values(groups)
  .flat()
  .map(({ name }) => name as ProfileField);

/** What stands in the fields before anything was typed. */
export function profileValues({ givenName, familyName, name, profile }: User): Record<string, string> {
  const { address = {}, ...facts } = profile;
  const known: Record<string, unknown> = { ...address, ...facts, given_name: givenName, family_name: familyName, name };
  return Object.fromEntries(profileFields.map((each) => [each, String(known[each] ?? '')]));
}

/**
 * POST /account/profile {given_name, …, custom fields}; POST /account/picture {picture} as multipart, POST /account/picture/remove {}
 * @param input.custom custom fields that people look after themselves
 * @param input.picture its address, if there is one
 * @param input.pictureProblem what is wrong with the one just sent
 * @param input.maxBytes of a picture
 */
export function profilePage(
  input: Typed & {
    email: string;
    name: string;
    custom?: FieldSpec[];
    picture: string | undefined;
    pictureProblem?: Problem | undefined;
    maxBytes: number;
    done?: string | undefined;
  },
) {
  const { email, name, custom = [], picture, pictureProblem, maxBytes } = input;
  const shown = custom.length > 0 ? { ...groups, more: custom } : groups;
  const form = createForm(home, Object.values(shown).flat(), input);
  return {
    ...ownPage('profile', 'profile', input),
    languageUrl: home,
    email,
    form,
    groups: Object.entries(shown).map(([group, specs]) => ({
      name: group,
      fields: specs.map((spec) => form.fields[spec.name]),
    })),
    picture: {
      url: picture,
      initial: ([...(name || email)][0] ?? '•').toUpperCase(),
      action: '/account/picture',
      remove: '/account/picture/remove',
      problem: pictureProblem,
      megabytes: Math.floor(maxBytes / 1_000_000),
    },
  };
}
