import type { WholeCredentials } from '../credentials/index.ts';
import { Refusal, secondsAfter } from '../platform/index.ts';
import type { ImportCheckpoint, ImportInput } from './options.ts';
import type { Row } from './plan.ts';
import type { TransferPorts } from './ports.ts';
import { readRecord, type UserRecord } from './record.ts';

const moments = [
  'emailVerified',
  'createdAt',
  'updatedAt',
  'lastSignInAt',
  'stateChangedAt',
  'passwordChangedAt',
  'termsAcceptedAt',
] as const;

const malformed = (field: string) => new Refusal('import.field_malformed', { kind: 'invalid', details: { field } });

/** What has to be known to tell whether a record can be brought in, but whom it means. */
export function createRowChecks(ports: TransferPorts) {
  const { clock, passwords, credentialIntake, fields } = ports;

  const hashOf = async (record: UserRecord, at: ImportCheckpoint): Promise<string | undefined> => {
    const { passwordHash } = record;
    if (passwordHash === undefined) return undefined;
    // The keys of an export have other names here.
    const renamed = passwordHash.replace(
      /^(\$(?:firebase|devise)\$k=)([\w-]+)/,
      (_, before, id) => before + (at.keys && Object.hasOwn(at.keys, id) ? at.keys[id] : id),
    );
    const { hash, keyId } = passwords.takeOver(renamed);
    if (keyId !== undefined && !(await passwords.keys.find(keyId))) {
      throw new Refusal('password.key_unknown', { kind: 'invalid' });
    }
    return hash;
  };

  /** Nothing has happened tomorrow: such a time would outlast what it is compared with. */
  const demandPast = (record: UserRecord) => {
    const latest = secondsAfter(clock.now(), 24 * 60 * 60);
    const wrong = moments.find((field) => typeof record[field] === 'string' && new Date(record[field]) > latest);
    if (wrong) throw malformed(wrong);
  };

  /** @throws Refusal for what cannot be brought in */
  return async function checked(line: number, raw: unknown, input: ImportInput, at: ImportCheckpoint): Promise<Row> {
    const record = readRecord(raw);
    demandPast(record);
    if (record.administrator && !input.administrators) {
      throw new Refusal('import.administrator_refused', { kind: 'forbidden' });
    }
    if (record.totp && !credentialIntake.isTotpSecret(record.totp.secret)) throw malformed('totp.secret');
    if (record.attributes) {
      const values = await fields.check(record.attributes, { as: 'administrator', at: 'api' });
      record.attributes = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as never;
    }
    if (input.verified) record.emailVerified ??= record.email === undefined ? undefined : true;
    const hash =
      (await hashOf(record, at)) ??
      (record.password && !input.dryRun ? (await passwords.prepare(record.password)).hash : undefined);
    const credentials: WholeCredentials = {
      password: hash ? { hash, changedAt: record.passwordChangedAt } : undefined,
      totp: record.totp,
      recoveryCodes: record.recoveryCodes,
      recoveryCodeMacs: at.ownCodes ? record.recoveryCodeMacs : undefined,
      passkeys: record.passkeys,
    };
    return { line, record, credentials };
  };
}
