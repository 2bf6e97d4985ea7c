import type { FieldSpec } from '../platform/form.ts';
import { timeZones } from '../platform/time-zone.ts';
import { type ProfileField, profileLimits } from './profile.ts';

const specs: Record<ProfileField, Omit<FieldSpec, 'name' | 'maxlength'>> = {
  given_name: { autocomplete: 'given-name' },
  middle_name: { autocomplete: 'additional-name' },
  family_name: { autocomplete: 'family-name' },
  name: { autocomplete: 'name' },
  nickname: { autocomplete: 'nickname' },
  preferred_username: { autocomplete: 'nickname', ltr: true },
  phone_number: { type: 'tel', autocomplete: 'tel', hint: 'hint.phone_number' },
  street_address: { type: 'textarea', autocomplete: 'street-address' },
  postal_code: { autocomplete: 'postal-code' },
  locality: { autocomplete: 'address-level2' },
  region: { autocomplete: 'address-level1' },
  country: { autocomplete: 'country-name' },
  birthdate: { type: 'date', autocomplete: 'bday' },
  gender: { autocomplete: 'sex' },
  zoneinfo: {
    type: 'select',
    label: 'label.settings.zoneinfo',
    options: { '': 'settings.zoneinfo.none' },
    choices: timeZones,
  },
  website: { type: 'url', autocomplete: 'url' },
  bio: { type: 'textarea', hint: 'hint.bio' },
};

/** How a form asks for what people say of themselves. */
export const profileSpec = (name: ProfileField): FieldSpec => ({
  name,
  maxlength: profileLimits[name],
  ...specs[name],
});
