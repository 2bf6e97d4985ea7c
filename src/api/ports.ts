import type { Credentials } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Presenter } from '../platform/http/index.ts';
import type { Clock, Limits, Vault } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Users } from '../users/index.ts';
import type { Bearer } from './bearer.ts';

/** What custom fields there are, who may see and write them: `users` decides. */
export interface CustomFields {
  check(
    values: Record<string, unknown>,
    given: {
      as: 'user' | 'administrator' | 'client';
      at: 'registration' | 'profile' | 'api';
      scopes?: readonly string[];
      whole?: boolean;
    },
  ): Promise<Record<string, unknown>>;
  visible(
    attributes: Record<string, unknown>,
    by: { as: 'user' | 'administrator' | 'client'; scopes?: readonly string[] },
  ): Promise<Record<string, unknown>>;
}

export interface ApiPorts extends Pick<Credentials, 'resets' | 'verification'> {
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
  sessions: Sessions;
  events: Events;
  fields: CustomFields;
}
