import { stringify } from 'csv-stringify/sync';
import type { CredentialIntake, Passwords, WholeCredentials } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Clock, Vault } from '../platform/index.ts';
import type { By, Intake, Memberships, WholeMemberships, WholeUser } from '../users/index.ts';
import type { Definitions } from './definitions.ts';

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
  clock: Clock;
  vault: Vault;
  intake: Intake;
  credentialIntake: CredentialIntake;
  memberships: Pick<Memberships, 'of'>;
  definitions: Pick<Definitions, 'all'>;
  passwords: Pick<Passwords, 'keys'>;
  events: Pick<Events, 'record'>;
}

const pageSize = 500;

/** Everybody there is, oldest first, as a stream of text. What changes meanwhile is in it as it was when its page was read. */
export function createExport(ports: Ports) {
  const { clock, vault, intake, credentialIntake, memberships, definitions, passwords, events } = ports;

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
    yield format === 'csv' ? csvLine(csvColumns) : line(await header(open));
    if (format === 'ndjson') for await (const one of definitions.all()) yield line(one);
    for (let after: string | undefined; ; ) {
      const page = await intake.page({ after, limit: pageSize });
      if (page.length === 0) break;
      const ids = page.map(({ id }) => id);
      const belongings = await memberships.of(ids);
      const credentials = open ? await credentialIntake.of(ids) : undefined;
      yield page
        .map((user) =>
          format === 'csv'
            ? csvLine(csvCells(user, belongings.get(user.id)!))
            : line(lineOf(user, belongings.get(user.id)!, credentials?.get(user.id))),
        )
        .join('');
      count += page.length;
      after = ids.at(-1);
      if (page.length < pageSize) break;
    }
    // Half a file is not taken for a whole one.
    if (format === 'ndjson') yield line({ type: 'cardea.end', count });
    await events.record({ type: 'users.exported', ...by, data: { count, secrets: open, format } });
  };
}

const line = (value: object) => `${JSON.stringify(value)}\n`;

const full = <T extends object>(value: T | undefined): T | undefined =>
  value && Object.keys(value).length > 0 ? value : undefined;

/** A line that an import takes back. */
function lineOf(user: WholeUser, memberships: WholeMemberships, credentials: WholeCredentials | undefined) {
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
    consents: full(memberships.consents),
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

const csvCells = (user: WholeUser, { groups = [] }: WholeMemberships): string[] =>
  csvColumns.map((column) => {
    if (column === 'groups') return groups.join('|');
    if (column === 'emailVerified') return user.emailVerifiedAt ? 'true' : 'false';
    return String(user[column as keyof WholeUser] ?? '');
  });

/**
 * Spreadsheets compute what begins with one of these signs: a name could fetch, send or run something on the desk of
 * whoever opens the file. An apostrophe before it makes text of it.
 */
const formula = /^[\s']*[=+\-@|%＝＋－＠]|^[\t\r\n]/;
const csvLine = (cells: string[]): string =>
  stringify([cells.map((cell) => (formula.test(cell) ? `'${cell}` : cell))], { record_delimiter: '\r\n' });
