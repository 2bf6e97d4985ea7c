import { Refusal } from '../../platform/index.ts';

export interface Group {
  id: string;
  displayName: string;
  /** What the directory that made it calls it. */
  externalId: string | undefined;
  /** The directory it belongs to, where several provision here. */
  provisioningDomain: string | undefined;
  /** An organisation's own group; the installation's otherwise. */
  organisationId: string | undefined;
  createdAt: Date;
  updatedAt: Date;
  /** Counts every change, of members too. */
  version: number;
}

export interface NewGroup {
  id?: string;
  displayName: string;
  externalId?: string | undefined;
  provisioningDomain?: string | undefined;
  organisationId?: string | undefined;
  /** Ids of users and groups. */
  members?: readonly string[];
}

/** What can be said anew of a group; what is left out stays. `null` takes it away. */
export interface GroupEdit {
  displayName?: string;
  externalId?: string | null;
  /** Refuses when the group has another version by now. */
  version?: number | undefined;
}

/** What a list is narrowed to. */
export interface GroupQuery {
  /** Begins so, whatever the case. */
  prefix?: string;
  organisationId?: string;
  provisioningDomain?: string;
  /** Id of the last group of the page before; groups come by id, which is by age. */
  after?: string;
  limit?: number;
}

export interface MemberEdit {
  version?: number | undefined;
  /** Takes only members of this provisioning domain. */
  domain?: string | undefined;
}

/** The row of `user_group`, as it is read. */
export interface GroupRow {
  id: string;
  display_name: string;
  external_id: string | null;
  provisioning_domain: string | null;
  organisation_id: string | null;
  created_at: string;
  updated_at: string;
  version: number;
}

export const groupColumns =
  'id, display_name, external_id, provisioning_domain, organisation_id, created_at, updated_at, version';

export const groupOf = (row: GroupRow): Group => ({
  id: row.id,
  displayName: row.display_name,
  externalId: row.external_id ?? undefined,
  provisioningDomain: row.provisioning_domain ?? undefined,
  organisationId: row.organisation_id ?? undefined,
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
  version: row.version,
});

const longestName = 256;

/** @throws Refusal `group.name_malformed` (invalid) */
export function nameOf(text: string): string {
  const name = text.trim().normalize('NFC');
  if (name === '' || name.length > longestName || /\p{Cc}/u.test(name) || !name.isWellFormed())
    throw new Refusal('group.name_malformed', { kind: 'invalid' });
  return name;
}
