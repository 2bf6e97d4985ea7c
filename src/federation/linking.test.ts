import { describe, expect, it } from 'vitest';
import { judge, type Verdict } from './linking.ts';

const trusting = {
  believe_verified: true,
  trusted_domains: ['acme.example'],
  create: 'registration',
  without_email: 'refused',
} as never;
const account = (proved: boolean, state = 'Active') => ({ state, isEmailVerified: () => proved }) as never;
const decide = (more: {
  email?: string | undefined;
  verified?: boolean;
  ours?: 'proved' | 'unproved' | 'unverified';
  provider?: object;
  registration?: 'open' | 'closed';
}): Verdict => {
  const { email = 'ada@acme.example', verified = true, ours, provider = {}, registration = 'open' } = more;
  return judge({
    provider: { ...(trusting as object), ...provider } as never,
    arrival: { email: 'email' in more ? more.email : email, emailVerified: verified },
    ours: ours && account(ours !== 'unproved', ours === 'unverified' ? 'Unverified' : 'Active'),
    registration: registration as never,
  });
};

describe('an address links only when all three words are given: trusted for the domain, verified there, verified here', () => {
  it.each<[Verdict, Parameters<typeof decide>[0]]>([
    ['link', { ours: 'proved' }],
    ['link', { ours: 'proved', email: 'ADA@Acme.EXAMPLE' }],
    ['link', { ours: 'proved', email: 'ada@any.example', provider: { trusted_domains: ['*'] } }],
    ['prove', { ours: 'proved', email: 'ada@other.example' }],
    ['prove', { ours: 'proved', email: 'ada@sub.acme.example' }],
    ['prove', { ours: 'proved', email: 'ada@evilacme.example' }],
    ['letter', { ours: 'proved', verified: false }],
    ['letter', { ours: 'proved', provider: { believe_verified: false } }],
    ['letter', { ours: 'unproved' }],
    ['letter', { ours: 'unverified' }],
    ['create', {}],
    ['letter', { verified: false }],
    ['letter', { provider: { believe_verified: false } }],
  ])('%s: %o', (verdict, input) => expect(decide(input)).toBe(verdict));
});

describe('who gets an account by coming', () => {
  it.each<[Verdict, Parameters<typeof decide>[0]]>([
    ['no_account', { registration: 'closed' }],
    ['create', { registration: 'closed', provider: { create: 'always' } }],
    ['no_account', { provider: { create: 'never' } }],
    ['no_account', { provider: { create: 'never' }, verified: false }],
    ['no_account', { registration: 'closed', provider: { create: 'always' }, verified: false }],
    ['link', { registration: 'closed', provider: { create: 'never' }, ours: 'proved' }],
    ['email_missing', { email: undefined }],
    ['email_missing', { email: 'no address' }],
    ['create', { email: undefined, provider: { without_email: 'allowed' } }],
    ['no_account', { email: undefined, provider: { create: 'never' } }],
  ])('%s: %o', (verdict, input) => expect(decide(input)).toBe(verdict));
});
