import type { Context } from 'koa';
import type { ClientMetadata, Clients } from '../clients/index.ts';
import type { PasswordPolicy, Passwords } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock, Limits, Vault } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { By, Fields, Groups, Users } from '../users/index.ts';

export type ScimScope = 'scim.read' | 'scim.write' | 'account.read';

/** Who calls, as this door needs to know it. */
export interface ScimCaller {
  clientId: string;
  client: ClientMetadata;
  /** The person behind the token; absent when the client calls for itself. */
  accountId?: string;
}

/** What this door asks of the rest of the house. */
export interface ScimPorts {
  issuer: string;
  /** Lets a request in by its access token; sets `WWW-Authenticate` and throws otherwise. */
  bearer(ctx: Context, wanted: { scopes: readonly ScimScope[]; or?: readonly ScimScope[] }): Promise<ScimCaller>;
  clients: Pick<Clients, 'find' | 'hasSecret'>;
  db: Db;
  clock: Clock;
  vault: Vault;
  limits: Pick<Limits, 'take'>;
  /** How much one client may ask; the window in seconds. */
  settings: { limits: { scimRequests: { points: number; window: number } } };
  users: Users;
  groups: Groups;
  fields: Fields;
  sessions: Pick<Sessions, 'endAllOf'>;
  passwords: Pick<Passwords, 'prepare' | 'store' | 'check' | 'has'>;
  policy: PasswordPolicy;
  events: Pick<Events, 'record'>;
}

/** What a request may do and in whose name. */
export interface Reach {
  by: By;
  /** Only users and groups of this provisioning domain exist; undefined: all do. */
  domain: string | undefined;
  /** Whether the addresses it sets count as proved. */
  vouches: boolean;
}
