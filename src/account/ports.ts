import type { Provider } from 'oidc-provider';
import type { Clients } from '../clients/index.ts';
import type {
  Attempts,
  Captcha,
  CodeFactors,
  EmailChanges,
  Factors,
  Notices,
  Passkeys,
  PasswordChanges,
  PasswordPolicy,
  Passwords,
  RecoveryLinks,
  Registration,
  RememberedDevices,
  Resets,
  SecondFactors,
  Totp,
  Verification,
} from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Csrf, Presenter } from '../platform/http/index.ts';
import type { Clock, Limits } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Consents, Fields, Organisations, Pictures, Users } from '../users/index.ts';

/** What the account pages ask of the rest of the house. */
export interface AccountPorts {
  db: Db;
  clock: Clock;
  settings: Settings;
  provider(): Provider;
  users: Users;
  pictures: Pictures;
  limits: Limits;
  fields: Pick<Fields, 'list' | 'check'>;
  organisations: Pick<Organisations, 'members' | 'invitations'>;
  sessions: Sessions;
  clients: Clients;
  consents: Consents;
  events: Pick<Events, 'record' | 'history'>;
  attempts: Attempts;
  captcha: Captcha;
  passwords: Passwords;
  passkeys: Passkeys;
  policy: PasswordPolicy;
  registration: Registration;
  verification: Verification;
  resets: Resets;
  passwordChanges: PasswordChanges;
  emailChanges: EmailChanges;
  totp: Totp;
  factors: Factors;
  secondFactors: SecondFactors;
  codeFactors: CodeFactors;
  recoveryLinks: RecoveryLinks;
  rememberedDevices: RememberedDevices;
  notices: Notices;
  federation: Federation;
  present: Presenter;
  csrf: Csrf;
}
