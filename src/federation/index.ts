/**
 * Sign-in through others: the providers that are trusted and how each is spoken to, whose identity there is whose
 * account here, when the two are linked, what of a person is taken from there, and which of our sessions stand on
 * theirs. Leaves to others every page and redirect (signin, account), what else a person proves (credentials), and who
 * the person is (users).
 */
export type { OwnWords } from './accounts.ts';
export type { Came } from './came.ts';
export {
  buttonOf,
  type Provider,
  type ProviderDefinition,
  type ProviderInput,
  providerKinds,
  providerSchema,
} from './definition.ts';
export { createFederation, type Federation, type Outcome } from './federation.ts';
export type { Identity } from './identities.ts';
export type { Verdict } from './linking.ts';
export { isMappingTarget, type Mapped } from './mapping.ts';
export type { Purpose } from './travel.ts';
export type { Arrival } from './upstreams/upstream.ts';
