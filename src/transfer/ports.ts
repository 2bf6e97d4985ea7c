import type { CredentialIntake, Passwords } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock, Log, Vault } from '../platform/index.ts';
import type { Tasks } from '../platform/jobs/index.ts';
import type { Fields, Groups, Intake, Memberships, Organisations, Permissions, Roles, Users } from '../users/index.ts';

/** What is asked of the custom fields. */
export interface FieldChecks {
  check(values: Record<string, unknown>, given: { as: 'administrator'; at: 'api' }): Promise<Record<string, unknown>>;
  list(): Promise<readonly { name: string }[]>;
}

export interface TransferPorts {
  db: Db;
  clock: Clock;
  log: Log;
  vault: Vault;
  tasks: Tasks;
  users: Pick<Users, 'update' | 'byId'>;
  intake: Intake;
  credentialIntake: CredentialIntake;
  memberships: Memberships;
  passwords: Pick<Passwords, 'prepare' | 'takeOver' | 'keys'>;
  fields: Pick<Fields, 'check' | 'list' | 'find' | 'put'>;
  groups: Pick<Groups, 'create' | 'addMembers'>;
  roles: Pick<Roles, 'list' | 'named' | 'put' | 'assign'>;
  permissions: Pick<Permissions, 'list' | 'put'>;
  organisations: Pick<Organisations, 'list' | 'called' | 'create'>;
  events: Pick<Events, 'record' | 'recordAll'>;
  settings: { imports: { maxBytes: number } };
}
