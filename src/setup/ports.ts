import type { ClientMetadata, Clients } from '../clients/index.ts';
import type { PasswordPolicy, Passwords } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Csrf, Presenter } from '../platform/http/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Users } from '../users/index.ts';
import type { CurrentBranding } from './branding.ts';

/** What the wizard asks of the rest of the house. */
export interface SetupPorts {
  db: Db;
  clock: Clock;
  settings: Settings;
  users: Users;
  passwords: Passwords;
  policy: PasswordPolicy;
  clients: Clients;
  events: Pick<Events, 'record'>;
  present: Presenter;
  csrf: Csrf;
  branding: CurrentBranding;
  validateClient: (metadata: ClientMetadata) => void;
}
