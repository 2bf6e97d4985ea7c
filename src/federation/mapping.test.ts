import { describe, expect, it } from 'vitest';
import { applyFacts, mapClaims } from './mapping.ts';

const claims = {
  name: 'Ada Lovelace',
  given_name: 'Ada',
  picture: 'https://p.example/1.png',
  website: 'http://plain.example',
  'https://claims.example/level': 'gold',
  org: { team: 'red', heads: ['eve'] },
  email: 'ada@example.com',
  roles: ['administrator'],
};

describe('claims become facts of a person', () => {
  it('by their own names, and nothing that decides who somebody is', () => {
    expect(mapClaims({}, { ...claims, email_verified: true, administrator: true, state: 'Active' })).toEqual({
      mapped: {
        name: 'Ada Lovelace',
        givenName: 'Ada',
        profile: { picture: 'https://p.example/1.png' },
        attributes: {},
      },
      faults: [expect.stringContaining('website')],
    });
  });

  it('as the mapping says', () => {
    const mapping = {
      name: '{given_name} of {org.team}',
      nickname: 'org.heads.0',
      'attributes.level': 'https://claims.example/level',
      'attributes.team': 'org',
      picture: '',
    };
    expect(mapClaims({ mapping }, claims).mapped).toEqual({
      ...{ name: 'Ada of red', givenName: 'Ada', profile: { nickname: 'eve' } },
      attributes: { level: 'gold', team: claims.org },
    });
  });

  it('and never by way of what every object has', () => {
    const mapping = { nickname: 'constructor.name', name: '__proto__', 'attributes.x': 'org.__proto__' };
    expect(mapClaims({ mapping }, claims).mapped).toMatchObject({ profile: {}, attributes: {} });
    expect(mapClaims({ mapping: { email: 'email', administrator: 'org' } }, claims).faults).toHaveLength(3);
  });

  it('one line of bounded length each', () => {
    const { mapped, faults } = mapClaims({}, { name: 'a\u0000b\nc', nickname: 'x'.repeat(201), gender: { a: 1 } });
    expect([mapped.name, mapped.profile, faults.length]).toEqual(['a b c', {}, 2]);
  });
});

it.each([
  ['never', { name: 'Old', givenName: undefined }, false],
  ['empty', { name: 'Old', givenName: 'Ada' }, true],
  ['always', { name: 'Ada Lovelace', givenName: 'Ada' }, true],
] as const)('later sign-ins: %s', (policy, expected, changed) => {
  const user = { name: 'Old', givenName: undefined, profile: {}, attributes: {} } as never;
  expect(applyFacts(user, mapClaims({}, { name: claims.name, given_name: 'Ada' }).mapped, policy)).toBe(changed);
  expect(user).toMatchObject(expected);
});
