import type { Provider } from 'oidc-provider';
import type {
  Attempts,
  Captcha,
  PasswordChanges,
  PasswordPolicy,
  Passwords,
  Registration,
  Resets,
  Verification,
} from '../credentials/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Csrf, Presenter } from '../platform/http/index.ts';
import type { Users } from '../users/index.ts';

/** What the account pages ask of the rest of the house. */
export interface AccountPorts {
  settings: Settings;
  provider(): Provider;
  users: Users;
  attempts: Attempts;
  captcha: Captcha;
  passwords: Passwords;
  policy: PasswordPolicy;
  registration: Registration;
  verification: Verification;
  resets: Resets;
  passwordChanges: PasswordChanges;
  present: Presenter;
  csrf: Csrf;
}
