import type { Settings } from '../platform/config/index.ts';
import { emailKey, isEmail, type User } from '../users/index.ts';
import type { Provider } from './definition.ts';
import type { Arrival } from './upstreams/upstream.ts';

/**
 * What becomes of somebody whose identity nobody here has yet. The one place that decides it; pure.
 *
 * | their address is … | … and nobody’s here | … a proved account’s | … of an account that has not proved it |
 * | --- | --- | --- | --- |
 * | verified by a provider trusted for its domain | create | link | letter |
 * | verified by a provider that is believed | create | prove | letter |
 * | unverified, or not believed | letter | letter | letter |
 *
 * `link`: at once. `prove`: the person signs in to the account as ever, then says whether to link. `letter`: as anybody
 * who registers: a code goes to the address, or word that there is an account; the page says the same in both cases. So
 * nobody takes an account over by typing its address at a provider, nobody learns whether an address has one, and an
 * account that a stranger has made in advance for somebody else's address is never handed over with the stranger in it.
 */
export type Verdict = 'create' | 'link' | 'prove' | 'letter' | 'no_account' | 'email_missing';

export function judge(input: {
  provider: Pick<Provider, 'believe_verified' | 'trusted_domains' | 'create' | 'without_email'>;
  arrival: Pick<Arrival, 'email' | 'emailVerified'>;
  /** The account that has this address. */
  ours: Pick<User, 'state' | 'isEmailVerified'> | undefined;
  registration: Settings['registration']['mode'];
}): Verdict {
  const { provider, arrival, ours, registration } = input;
  const mayCreate = provider.create === 'always' || (provider.create === 'registration' && registration === 'open');
  const email = arrival.email !== undefined && isEmail(arrival.email) ? arrival.email : undefined;
  if (!email) return !mayCreate ? 'no_account' : provider.without_email === 'allowed' ? 'create' : 'email_missing';

  const believed = provider.believe_verified && arrival.emailVerified;
  const mayAskByLetter = registration === 'open' && provider.create !== 'never';
  const byLetter: Verdict = mayAskByLetter ? 'letter' : 'no_account';
  if (!believed) return byLetter;
  if (!ours) return mayCreate ? 'create' : 'no_account';
  if (!ours.isEmailVerified() || ours.state === 'Unverified') return byLetter;
  return isTrusted(provider, email) ? 'link' : 'prove';
}

/** Whether the provider has the say of the address's domain. */
export function isTrusted({ trusted_domains: trusted }: Pick<Provider, 'trusted_domains'>, email: string): boolean {
  return trusted.includes('*') || trusted.includes(domainOf(email));
}

/** In A-labels and small letters, as it is compared. */
export function domainOf(email: string): string {
  const key = emailKey(email);
  return key.slice(key.lastIndexOf('@') + 1);
}
