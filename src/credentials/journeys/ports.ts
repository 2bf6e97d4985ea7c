import type { Events } from '../../events/index.ts';
import type { Mail } from '../../mail/index.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Clock, Limits } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';
import type { Users } from '../../users/index.ts';
import type { Attempts } from '../attempts.ts';
import type { Budgets } from '../budgets.ts';
import type { Captcha } from '../captcha/captcha.ts';
import type { Factors } from '../factors/factors.ts';
import type { RememberedDevices } from '../factors/remembered-devices.ts';
import type { Links } from '../links.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordPolicy } from '../passwords/policy.ts';
import type { Proofs } from '../proofs.ts';

/** The browser and the person at the other end, as far as letters and the journal need them. */
export interface Asker {
  ip: string;
  /** Language of the letters. */
  locale: string;
  /** Handle of a letter that this browser has asked for before. */
  handle?: string | undefined;
  /** Handed to {@link Links}. */
  resume?: string | undefined;
}

/** What the journeys (register, verify, reset, change) are built from. */
export interface Ports {
  db: Db;
  clock: Clock;
  limits: Limits;
  budgets: Budgets;
  users: Pick<Users, 'byId' | 'byEmail' | 'create' | 'change' | 'update'>;
  sessions: Pick<Sessions, 'endAllOf'>;
  events: Pick<Events, 'record'>;
  mail: Pick<Mail, 'send'>;
  passwords: Passwords;
  policy: PasswordPolicy;
  proofs: Proofs;
  attempts: Attempts;
  captcha: Pick<Captcha, 'seen'>;
  links: Links;
  rememberedDevices: Pick<RememberedDevices, 'forgetAll'>;
  factors: Pick<Factors, 'of'>;
  /** Of {@link Notices}. */
  notices: { link(userId: string, what: 'password-changed'): Promise<string> };
  settings: JourneySettings;
}

/** Seconds, but for the last. */
export interface JourneySettings {
  verificationLink: number;
  resetLink: number;
  invitationLink: number;
  /** Milliseconds that registering and asking for a reset take at least, whether or not the address is known. */
  evenAnswer: number;
  registration: 'open' | 'invited' | 'closed';
}
