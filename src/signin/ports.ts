import type { Provider } from 'oidc-provider';
import type { Clients, ResourceServers } from '../clients/index.ts';
import type {
  Attempts,
  Captcha,
  CodeFactors,
  Factors,
  Notices,
  Passkeys,
  PasswordChanges,
  PasswordPolicy,
  Passwords,
  Registration,
  RememberedDevices,
  Resets,
  Risk,
  SecondFactors,
  Verification,
} from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Csrf, Presenter } from '../platform/http/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Trickle } from '../transfer/index.ts';
import type { Fields, Organisations, Users } from '../users/index.ts';

/** What the consent prompt found missing. */
export interface MissingConsent {
  missingOIDCScope?: string[];
  missingOIDCClaims?: string[];
  missingResourceScopes?: Record<string, string[]>;
}

/** What the sign-in pages ask of the rest of the house. */
export interface SigninPorts {
  settings: Settings;
  clock: Clock;
  /** The engine, as it is now. */
  provider(): Provider;
  /** Records a consent and puts it into the grant. @returns the grant's id */
  grantConsent(input: {
    accountId: string;
    clientId: string;
    grantId: string | undefined;
    missing: MissingConsent;
  }): Promise<string>;
  users: Users;
  fields: Pick<Fields, 'list' | 'check'>;
  organisations: Pick<Organisations, 'members' | 'policyFor'>;
  clients: Clients;
  resources: ResourceServers;
  passwords: Passwords;
  passkeys: Passkeys;
  policy: PasswordPolicy;
  /** Absent where nobody comes from an older system. */
  trickle?: Trickle | undefined;
  attempts: Attempts;
  registration: Registration;
  verification: Verification;
  resets: Resets;
  passwordChanges: PasswordChanges;
  factors: Factors;
  secondFactors: SecondFactors;
  codeFactors: CodeFactors;
  risk: Risk;
  rememberedDevices: RememberedDevices;
  notices: Notices;
  federation: Federation;
  /** Counts an account made from an address. @throws Refusal `limit.exceeded` (limited) */
  countRegistration(ip: string): Promise<void>;
  captcha: Captcha;
  sessions: Pick<Sessions, 'fleeting' | 'find' | 'endSession'>;
  events: Pick<Events, 'record' | 'history'>;
  present: Presenter;
  csrf: Csrf;
}
