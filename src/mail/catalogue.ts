/**
 * Every letter we send and what its words are filled with. The folder of the same name under `views/mail/` holds its
 * form; the subject and the sentences come from the catalogue of messages.
 */
export interface Letters {
  /** Someone registered with this address, or asked for another letter: prove that it is theirs. */
  'verify-address': Proof;
  /** Someone registered with an address that has an account already; the page they saw says nothing of it. */
  'account-exists': { link: string };
  /** Somebody wants this to be the address of their account. */
  'change-address': Proof;
  /** The same with an address that has an account already; the page they saw says nothing of it. */
  'address-taken': { link: string };
  /** To the address that was given up; `minutes`: for how long it can be taken back. */
  'address-changed': { when: Date; link: string; minutes: number };
  /** The second step of a sign-in, or of setting it up. */
  'signin-code': { code: string; minutes: number; ip: string; device: string };
  /** Someone asked for a new password. */
  'reset-password': Proof;
  /** An administrator made the account. */
  'choose-password': { link: string };
  /** The address is proved, the account ready. */
  welcome: { link: string };
  /** Somebody is asked to join an organisation, whether or not they have an account. */
  'organisation-invitation': { place: string; link: string; until: Date };
  /** To those who look after an organisation: its proof of a domain was gone for days. */
  'domain-lost': { place: string; domain: string; link: string };
  /** Said after the fact, so that the owner notices what was not theirs. */
  'password-changed': { when: Date; link: string };
  /** The same for whatever else concerns the safety of an account; its words stand under what it tells of. */
  'security-notice': { what: SecurityNotice; when: Date; ip: string; device: string; link: string };
}

export type SecurityNotice =
  | 'totp-added'
  | 'totp-removed'
  | 'passkey-added'
  | 'passkey-removed'
  | 'passkey-copied'
  | 'recovery-codes-issued'
  | 'recovery-code-used'
  | 'link-added'
  | 'link-removed'
  | 'email-codes-added'
  | 'email-codes-removed'
  | 'sms-codes-added'
  | 'sms-codes-removed'
  | 'signin-refused'
  | 'recovery-link-issued'
  | 'recovery-link-works'
  | 'recovery-link-used'
  | 'new-device'
  | 'new-place';

export type LetterName = keyof Letters;

interface Proof {
  /** To be typed where it was asked for … */
  code: string;
  /** … or the same at a click. */
  link: string;
  /** For how long both are good. */
  minutes: number;
}

/**
 * The letters a stranger can have sent to any address: what one recipient gets of them is limited. A notice is not: it
 * follows from something its owner, or a thief, did, and must not be silenced by asking for other letters first.
 */
export const askedFor: ReadonlySet<LetterName> = new Set([
  'verify-address',
  'account-exists',
  'change-address',
  'address-taken',
  'reset-password',
  'choose-password',
  'organisation-invitation',
]);
