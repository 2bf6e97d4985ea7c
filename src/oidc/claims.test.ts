import { expect, it } from 'vitest';
import type { User } from '../users/index.ts';
import { claimsFor } from './claims.ts';

const ada = {
  id: 'a',
  email: 'ada@example.com',
  updatedAt: new Date(0),
  profile: {
    birthdate: '1815-12-10',
    phone_number: '+442079460000',
    phone_number_verified: true,
    website: 'https://x.example',
  },
  settings: { privacy: { withhold: ['phone_number', 'birthdate'] } },
  displayName: () => 'Ada',
  isEmailVerified: () => true,
} as unknown as User;

it('keeps from applications of others what the person withholds, and from none of the house', () => {
  const theirs = claimsFor(ada, { first_party: false });
  expect(theirs).toMatchObject({ sub: 'a', website: 'https://x.example', email: 'ada@example.com' });
  for (const name of ['birthdate', 'phone_number', 'phone_number_verified']) expect(theirs).not.toHaveProperty(name);
  expect(claimsFor(ada, { first_party: true })).toMatchObject({ birthdate: '1815-12-10', phone_number_verified: true });
  expect(claimsFor(ada, undefined)).not.toHaveProperty('birthdate');
});
