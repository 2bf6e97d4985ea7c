/**
 * How far it is proved who somebody is outside (know your customer). Cardea does not check it: a service that does, or an
 * administrator, says how it went. From any of these it may go to any other, as a check may be begun anew at any time.
 */
export const identityStatuses = ['none', 'pending', 'verified', 'rejected', 'expired'] as const;

export type IdentityStatus = (typeof identityStatuses)[number];
