/**
 * Every letter we send and what its words are filled with. The folder of the same name under `views/mail/` holds its
 * form; the subject and the sentences come from the catalogue of messages.
 */
export interface Letters {
  /** Someone registered with this address, or asked for another letter: prove that it is theirs. */
  'verify-email': Person & Proof;
  /** Someone registered with an address that has an account already; the page they saw says nothing of it. */
  'address-taken': Person & { signInLink: string; resetLink: string };
  /** A new address for an account, to be proved before it is used. Goes to the new address. */
  'confirm-email': Person & Proof;
  /** Someone asked for a new password. */
  'reset-password': Person & Proof;
  /** Someone asked for a new password for an address that has no account. */
  'no-account': { registerLink?: string | undefined };
  /** An administrator made the account: choose a password. */
  invitation: Person & Proof & { invitedBy?: string | undefined };

  /** Said after the fact, so that the owner notices what was not theirs. */
  'password-changed': Person & Notice;
  /** Goes to the old address. */
  'email-changed': Person & Notice;
  'account-deleted': Person & { at: Date; recoverableDays: number };
}

export type LetterName = keyof Letters;

interface Person {
  /** How the person is addressed, if we know. */
  name?: string | undefined;
}

interface Proof {
  link: string;
  /** To be typed where the link cannot be opened. */
  code?: string | undefined;
  /** For how long both are good. */
  minutes: number;
}

interface Notice {
  at: Date;
  /** Where to go if it was not them. */
  helpLink: string;
}

/**
 * The letters a stranger can have sent to any address: what one recipient gets of them is limited. A notice is not: it
 * follows from something its owner, or a thief, did, and must not be silenced by asking for other letters first.
 */
export const askedFor: ReadonlySet<LetterName> = new Set([
  'verify-email',
  'address-taken',
  'confirm-email',
  'reset-password',
  'no-account',
  'invitation',
]);
