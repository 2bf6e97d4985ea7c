import type { Events } from '../events/index.ts';
import type { SecurityNotice, Sms } from '../mail/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Log, Vault } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Ports } from './journeys/ports.ts';
import type { Links } from './links.ts';

/** Ways in that are another room's: by a provider. */
export interface Elsewhere {
  /** Asked in the transaction that takes a way in away; holds back whoever else does so. */
  has(userId: string): Promise<boolean>;
  /** When an owner says that it was not them. */
  removeSince(userId: string, since: Date): Promise<void>;
}

export const nowhere: Elsewhere = { has: async () => false, removeSince: async () => {} };

/** What the room is built of. */
export interface CredentialsOptions extends Pick<Ports, 'db' | 'clock' | 'limits' | 'users' | 'mail'> {
  sessions: Ports['sessions'] & Pick<Sessions, 'fleeting'>;
  events: Pick<Events, 'record' | 'history'>;
  vault: Vault;
  log: Log;
  settings: Pick<
    Settings,
    | 'issuer'
    | 'branding'
    | 'passwords'
    | 'passkeys'
    | 'tokens'
    | 'captcha'
    | 'limits'
    | 'registration'
    | 'mfa'
    | 'sms'
    | 'risk'
  >;
  /** The groups somebody is in, for those whose people must have a second factor. */
  groupsOf: (accountId: string) => Promise<{ id: string; displayName: string }[]>;
  /** Others who demand a second factor of somebody. */
  demands?: readonly ((accountId: string) => Promise<boolean>)[];
  /** Absent where no text message can be sent. */
  sms?: Pick<Sms, 'send'> | undefined;
  /** The sentence of a text message with a code. */
  codeText?: (locale: string, code: string) => string;
  /** The sentence of one that tells of what concerns the safety of an account. */
  noticeText?: (locale: string, what: SecurityNotice, link: string) => string;
  /** Asks Have I Been Pwned, Turnstile and hCaptcha, when they are configured. */
  fetch?: typeof globalThis.fetch;
  links?: Links;
  elsewhere?: Elsewhere;
  /** Milliseconds that registering and asking for a reset take at least. */
  evenAnswer?: number;
  /** Called with the seconds each hash waited for its thread: for counting. */
  hashingWaited?: ((seconds: number) => void) | undefined;
}
