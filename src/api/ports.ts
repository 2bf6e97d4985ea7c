import type { Clients } from '../clients/index.ts';
import type { Credentials } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Presenter } from '../platform/http/index.ts';
import type { Clock, Limits, Vault } from '../platform/index.ts';
import type { Tasks } from '../platform/jobs/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Transfer } from '../transfer/index.ts';
import type {
  FactsReader,
  Fields,
  Groups,
  Organisations,
  Permissions,
  Roles,
  UserSearch,
  Users,
  UserTally,
} from '../users/index.ts';
import type { Bearer } from './bearer.ts';

export interface ApiPorts extends Pick<Credentials, 'resets' | 'verification' | 'emailChanges' | 'rememberedDevices'> {
  settings: {
    issuer: string;
    mode: string;
    branding: { name: string };
    limits: { apiRequests: { points: number; window: number } };
  };
  db: Db;
  clock: Clock;
  vault: Vault;
  limits: Limits;
  present: Presenter;
  bearer: Bearer;
  users: Users;
  clients: Pick<Clients, 'find'>;
  sessions: Sessions;
  events: Events;
  fields: Pick<Fields, 'check' | 'visible' | 'find' | 'list' | 'put' | 'remove'>;
  groups: Groups;
  roles: Roles;
  permissions: Permissions;
  facts: FactsReader;
  organisations: Organisations;
  search: UserSearch;
  tally: UserTally;
  tasks: Tasks;
  transfer: Pick<Transfer, 'uploads' | 'everybody'>;
}
