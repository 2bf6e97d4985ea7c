import { stringify } from 'csv-stringify/sync';
import type { CredentialIntake, Passwords, WholeCredentials } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock, Vault } from '../platform/index.ts';
import type { By, Intake, WholeUser } from '../users/index.ts';

export interface ExportOptions {
  /** `ndjson` is what an import takes back; `csv` is for people to read, and bears no secrets. */
  format: 'ndjson' | 'csv';
  /**
   * Whether hashes, secrets of apps, recovery codes' MACs and the keys of hashes are told: without them an export holds
   * nothing anybody could sign in with.
   */
  secrets: boolean;
}

interface Ports {
  db: Db;
  clock: Clock;
  vault: Vault;
  intake: Intake;
  credentialIntake: CredentialIntake;
  passwords: Pick<Passwords, 'keys'>;
  events: Pick<Events, 'record'>;
}

const pageSize = 500;

interface Memberships {
  groups: string[];
  roles: string[];
  organisations: { name: string; roles: string[] }[];
}

/** Everybody there is, oldest first, as a stream of text. What changes meanwhile is in it as it was when its page was read. */
export function createExport(ports: Ports) {
  const { db, clock, vault, intake, credentialIntake, passwords, events } = ports;

  /** What people are directly in. */
  const membershipsOf = async (ids: string[]): Promise<Map<string, Memberships>> => {
    const found = new Map(ids.map((id): [string, Memberships] => [id, { groups: [], roles: [], organisations: [] }]));
    const groups = await db.late<{ member_id: string; name: string }>(
      `select m.member_id, g.display_name as name from group_member m join user_group g on g.id = m.group_id
         where m.member_id = any($1) and g.organisation_id is null order by g.display_name`,
      [ids],
    );
    for (const { member_id, name } of groups) found.get(member_id)!.groups.push(name);
    const roles = await db.late<{ subject_id: string; name: string }>(
      `select a.subject_id, r.name from role_assignment a join role r on r.id = a.role_id
         where a.subject_id = any($1) order by r.name`,
      [ids],
    );
    for (const { subject_id, name } of roles) found.get(subject_id)!.roles.push(name);
    const organisations = await db.late<{ account_id: string; name: string; roles: string[] }>(
      `select m.account_id, o.name, coalesce(array_agg(r.name order by r.name) filter (where r.name is not null), '{}') as roles
         from organisation_member m join organisation o on o.id = m.organisation_id
         left join organisation_member_role mr on mr.organisation_id = m.organisation_id and mr.account_id = m.account_id
         left join role r on r.id = mr.role_id
         where m.account_id = any($1) group by m.account_id, o.name order by o.name`,
      [ids],
    );
    for (const { account_id, name, roles: held } of organisations) {
      found.get(account_id)!.organisations.push({ name, roles: held });
    }
    return found;
  };

  const header = async (secrets: boolean) => ({
    type: 'cardea.export',
    version: 1,
    at: clock.now().toISOString(),
    secrets,
    ...(secrets && { fingerprint: vault.mac('export', 'transfer'), keys: await passwords.keys.all() }),
  });

  return async function* everybody({ format, secrets }: ExportOptions, by: By): AsyncGenerator<string> {
    const open = secrets && format === 'ndjson';
    // Written down before anything is told, so that a broken connection leaves no export without a trace.
    await events.record({ type: 'users.export_started', ...by, data: { secrets: open, format } });
    let count = 0;
    yield format === 'csv' ? csvLine(csvColumns) : `${JSON.stringify(await header(open))}\n`;
    for (let after: string | undefined; ; ) {
      const page = await intake.page({ after, limit: pageSize });
      if (page.length === 0) break;
      const ids = page.map(({ id }) => id);
      const memberships = await membershipsOf(ids);
      const credentials = open ? await credentialIntake.of(ids) : undefined;
      yield page
        .map((user) =>
          format === 'csv'
            ? csvLine(csvCells(user, memberships.get(user.id)!))
            : `${JSON.stringify(lineOf(user, memberships.get(user.id)!, credentials?.get(user.id)))}\n`,
        )
        .join('');
      count += page.length;
      after = ids.at(-1);
      if (page.length < pageSize) break;
    }
    await events.record({ type: 'users.exported', ...by, data: { count, secrets: open, format } });
  };
}

const full = <T extends object>(value: T | undefined): T | undefined =>
  value && Object.keys(value).length > 0 ? value : undefined;

/** A line that an import takes back. */
function lineOf(user: WholeUser, memberships: Memberships, credentials: WholeCredentials | undefined) {
  const { emailVerifiedAt, administrator, profile, attributes, directory, settings, ...rest } = user;
  return {
    type: 'user',
    ...rest,
    emailVerified: user.email === undefined ? undefined : (emailVerifiedAt ?? false),
    administrator: administrator || undefined,
    profile: full(profile),
    attributes: full(attributes),
    directory: full(directory),
    settings: full(settings),
    passwordHash: credentials?.password?.hash,
    passwordChangedAt: credentials?.password?.changedAt,
    totp: credentials?.totp,
    recoveryCodeMacs: credentials?.recoveryCodeMacs,
    passkeys: credentials?.passkeys,
    groups: full(memberships.groups),
    roles: full(memberships.roles),
    organisations: full(memberships.organisations),
  };
}

const csvColumns = [
  'id',
  'externalId',
  'userName',
  'email',
  'emailVerified',
  'state',
  'name',
  'givenName',
  'familyName',
  'locale',
  'groups',
  'createdAt',
  'lastSignInAt',
];

const csvCells = (user: WholeUser, { groups }: Memberships): string[] =>
  csvColumns.map((column) => {
    if (column === 'groups') return groups.join('|');
    if (column === 'emailVerified') return user.emailVerifiedAt ? 'true' : 'false';
    return String(user[column as keyof WholeUser] ?? '');
  });

/**
 * Spreadsheets compute what begins with one of these signs: a name could fetch, send or run something on the desk of
 * whoever opens the file. An apostrophe before it makes text of it.
 */
const csvLine = (cells: string[]): string =>
  stringify([cells.map((cell) => (/^[=+\-@\t\r|%]/.test(cell) ? `'${cell}` : cell))], { record_delimiter: '\r\n' });
