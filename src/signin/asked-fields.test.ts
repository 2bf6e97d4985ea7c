import { describe, expect, it } from 'vitest';
import { profileFields } from '../platform/config/schema.ts';
import { registrationFields } from './pages/register.ts';
import { createAskedFields } from './steps/asked-fields.ts';

const asked = createAskedFields({
  settings: {
    registration: { fields: profileFields.map((name) => ({ name, required: true })), terms: 'none' },
    branding: {},
  },
  fields: { list: async () => [], check: async () => ({}) },
  clock: { now: () => new Date('2026-11-21T12:00:00Z') },
} as never);
const good = {
  ...{ given_name: 'Ada', family_name: 'King', middle_name: 'Augusta', nickname: 'Ada', preferred_username: 'ada' },
  ...{ website: 'https://ada.example/', gender: 'female', birthdate: '1915-12-10', zoneinfo: 'Europe/London' },
  phone_number: '0044 20 7946 0018',
};

describe('what the settings ask of whoever registers', () => {
  it('stands in the form, each field that can be asked for', async () => {
    expect(registrationFields(await asked.shown()).map(({ name, required }) => [name, required])).toEqual(
      profileFields.map((name) => [name, true]),
    );
  });

  it('becomes facts of the account, spelled as on the page of the profile', async () => {
    const { given_name: givenName, family_name: familyName, ...profile } = good;
    const phone = { phone_number: '+442079460018', phone_number_verified: false };
    expect(await asked.read(good)).toEqual({
      problems: [],
      facts: { givenName, familyName, profile: { ...profile, ...phone }, attributes: {} },
      termsVersion: undefined,
    });
  });

  it.each([
    ['website', 'javascript:alert(1)', 'url.invalid'],
    ['birthdate', 'yesterday', 'date.invalid'],
    ['phone_number', 'ring me', 'phone.invalid'],
    ['zoneinfo', '../../etc/passwd', 'field.invalid'],
    ['nickname', 'x'.repeat(101), 'field.too_long'],
    ['gender', ' ', 'field.missing'],
  ])('is checked: %s cannot be %j', async (field, value, code) => {
    const { problems } = await asked.read({ ...good, [field]: value });
    expect(problems).toMatchObject([{ field, code }]);
  });
});
