/**
 * Everything that can happen, and what each event carries beside who, whom and when. Never a secret, a token, a password
 * or an address: this is copied to places that keep it for years. `null` carries nothing more.
 */
export interface Catalogue {
  // people and their states
  'user.created': { state: string };
  'user.updated': { fields: string[] } | undefined;
  'user.registered': StateChange;
  'user.verified': StateChange;
  'user.activated': StateChange;
  'user.password_reset_required': StateChange;
  'user.password_reset_completed': StateChange;
  'user.suspended': StateChange;
  'user.deactivated': StateChange;
  'user.reactivated': StateChange;
  'user.deleted': StateChange;
  /** Somebody with the link of a notice said that it was not the owner. */
  'user.locked': null;
  'user.recovered': StateChange;
  'user.email_change_requested': null;
  'user.email_changed': null;
  'user.email_verified': null;
  'user.identity_status_changed': { from: string; to: string };
  'user.administrator_granted': null;
  'user.administrator_revoked': null;
  'user.terms_accepted': { version: string };

  // groups of them; of many members at once `members` are told together, else the subject is the member
  'group.created': { group: string };
  'group.updated': { group: string; fields: string[] };
  'group.deleted': { group: string };
  'group.member_added': { group: string; members?: string[] };
  'group.member_removed': { group: string; members?: string[] };

  // how they prove who they are
  /** `credential` is the id of one of several of a kind; `name` the kind's provider, such as a password manager. */
  'credential.added': { kind: string; credential?: string; name?: string };
  'credential.changed': { kind: string; credential?: string };
  'credential.removed': { kind: string; credential?: string };
  'credential.used': { kind: string; credential?: string };
  /** A key that cannot be copied has counted backwards: somebody may have copied it. */
  'credential.copy_suspected': { kind: string; credential: string; counted: number; before: number };
  'credential.rehashed': { kind: string };
  'credential.recovery_code_used': { left: number };
  'credential.reset_requested': null;
  'credential.reset_completed': null;
  'credential.verification_requested': null;
  'credential.recovery_link_issued': { worksFrom: string };
  'credential.recovery_link_used': null;
  'credential.recovery_link_cancelled': null;
  'credential.locked': { kind: string; until?: string };
  'credential.unlocked': { kind: string };

  // signing in and out
  'signin.succeeded': { methods: string[]; acr?: string; newDevice?: boolean; provider?: string };
  'signin.failed': { method: string; why: string; provider?: string };
  'signin.refused': { why: string };
  /** The circumstances asked for more than usual, or were refused; `signals` are what was unusual. */
  'signin.risk': { verdict: string; rule: string; signals: string[] };
  'signin.registration_refused': { why: string };
  'session.started': { session: string };
  'session.ended': { session?: string; why: string; count?: number };
  'session.all_ended': { why: string; count?: number };
  'device.remembered': null;
  'device.forgotten': null;

  // sign-in through others; `provider` is the id of one
  'federation.linked': { provider: string; how?: string };
  'federation.unlinked': { provider: string };
  'federation.logout_received': { provider: string; count: number };
  'federation.provider_changed': { provider: string; how: 'put' | 'removed' };

  // what applications were granted
  'consent.given': { scopes: string[] };
  'consent.withdrawn': null;
  'grant.issued': { grant: string; scopes?: string[] };
  'grant.revoked': { grant?: string; why: string; count?: number };
  'token.reuse_detected': { grant?: string; model: string };
  'token.revoked': { model: string };

  // the applications and services that trust us
  'client.created': { name?: string };
  'client.updated': { fields: string[] };
  'client.deleted': null;
  'client.secret_added': { expires?: string };
  'client.secret_removed': null;
  'client.authentication_failed': { method?: string };
  'resource_server.created': { resource: string };
  'resource_server.updated': { resource: string; fields?: string[] };
  'resource_server.deleted': { resource: string };

  // people brought in and taken out by the thousand; each who changed has an event of their own as well
  'users.import_started': { task: string; from: string; dryRun: boolean };
  'users.imported': { task: string; tally: Record<string, number> };
  'users.export_started': { secrets: boolean; format: string };
  'users.exported': { count: number; secrets: boolean; format: string };
  // what is known of people, and what they belong to
  'field.declared': { field: string };
  'field.changed': { field: string };
  'field.removed': { field: string };
  'permission.changed': { permission: string };
  'permission.removed': { permission: string };
  'role.created': { role: string };
  'role.changed': { role: string };
  'role.removed': { role: string };
  /** To a person, the subject, or to a group. */
  'role.assigned': { role: string; group?: string };
  'role.withdrawn': { role: string; group?: string };
  'organisation.created': { organisation: string };
  'organisation.changed': { organisation: string; fields: string[] };
  'organisation.removed': { organisation: string };
  'organisation.member_added': { organisation: string; roles: string[] };
  'organisation.member_changed': { organisation: string; roles: string[] };
  'organisation.member_removed': { organisation: string };
  'organisation.invited': { organisation: string; invitation: string };
  'organisation.invitation_accepted': { organisation: string; invitation: string };
  'organisation.invitation_withdrawn': { organisation: string; invitation: string };
  'organisation.domain_claimed': { organisation: string; domain: string };
  'organisation.domain_proved': { organisation: string; domain: string };
  /** Its proof was not found any more, several times in a row. */
  'organisation.domain_lost': { organisation: string; domain: string };
  'organisation.domain_removed': { organisation: string; domain: string };

  // the house itself
  'key.created': { kid: string; alg: string; signsFrom: string };
  'key.rotated': { kid: string; alg: string; immediately: boolean };
  'key.erased': { kid: string; alg: string };
  'secret.resealed': { keys: number; messages: number };
  'letter.undeliverable': { letter: string };
  'sms.undeliverable': { why: string };
  'setup.link_issued': null;
  'setup.completed': null;
  'settings.changed': { fields: string[] };
  'bootstrap.applied': { changes: number };
}

interface StateChange {
  from: string;
  to: string;
}

export type EventType = keyof Catalogue;

/** Who did it. `system` is Cardea itself (a job, a schedule); `anonymous` is someone nobody knows yet. */
export interface Actor {
  kind: 'user' | 'administrator' | 'client' | 'system' | 'anonymous';
  /** User id or client id. */
  id?: string | undefined;
}

/** One thing that happened, as the rooms tell it. */
export type Event<T extends EventType = EventType> = {
  type: T;
  actor: Actor;
  /** Id of the user it happened to. */
  subject?: string | undefined;
  /** Id of the client it happened through or to. */
  client?: string | undefined;
  ip?: string | undefined;
  userAgent?: string | undefined;
  reason?: string | undefined;
} & Carried<Catalogue[T]>;

type Carried<D> = [D] extends [null] ? { data?: undefined } : undefined extends D ? { data?: D } : { data: D };
