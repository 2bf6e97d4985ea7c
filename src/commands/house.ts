import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { maskedSettings } from '../platform/config/index.ts';
import { createDb, ensureSchema } from '../platform/db/index.ts';
import { applyPlan, checkPlan, readPlan } from '../provision/index.ts';
import { type Command, needed } from './command.ts';

export const houseCommands: Command[] = [
  {
    name: 'apply',
    usage: '<file.yaml>',
    about: 'apply a bootstrap file; says what it changed',
    async run({ app, args, settings }) {
      const plan = readPlan(readFileSync(needed(args[0], 'the file'), 'utf8'));
      const { ports } = await app();
      checkPlan(plan, { mode: settings.mode, validateClient: ports.oidc.validateClient });
      const changes = await applyPlan(plan, ports);
      return { result: { changes }, lines: changes.length > 0 ? changes : ['nothing to change'] };
    },
  },
  {
    name: 'keys list',
    usage: '',
    about: 'show the signing keys and their stages',
    async run({ app }) {
      const keys = await (await app()).ports.keys.list();
      return { result: keys, lines: keys.map(({ kid, alg, stage }) => `${kid}  ${alg.padEnd(6)} ${stage}`) };
    },
  },
  {
    name: 'keys rotate',
    usage: '[--alg ALG] [--immediately]',
    about: 'bring the next key on its way; immediately: end the present one and all it signed',
    options: { alg: { type: 'string' }, immediately: { type: 'boolean' } },
    async run({ app, values }) {
      const rotated = await (await app()).ports.keys.rotate({
        alg: values.alg as string | undefined,
        immediately: values.immediately === true,
      });
      return { result: rotated, lines: rotated.map((key) => `${key.kid}  ${key.alg}`) };
    },
  },
  {
    name: 'keys reseal',
    usage: '',
    about: 'encrypt everything sealed anew under the newest CARDEA_SECRET',
    async run({ app }) {
      const { keys, events, totp, passwords, federation } = (await app()).ports;
      const result = {
        keys: await keys.reseal(),
        messages: await events.reseal(),
        totp: await totp.reseal(),
        passwordKeys: await passwords.keys.reseal(),
        federation: await federation.reseal(),
      };
      const { keys: count, messages, totp: apps } = result;
      return { result, lines: [`${count} keys, ${messages} messages and ${apps} secrets of apps were sealed anew`] };
    },
  },
  {
    name: 'audit verify',
    usage: '',
    about: 'check that nothing in the audit journal was altered',
    async run({ app }) {
      const result = await (await app()).ports.events.verify();
      const { intact, position, open } = result;
      const line = intact
        ? `intact: ${position} entries are chained, ${open} wait for it`
        : `ALTERED at entry ${position}`;
      return { result, lines: [line], isBad: !intact };
    },
  },
  {
    name: 'migrate',
    usage: '',
    about: 'bring the schema up to date and end',
    async run({ database }) {
      const { url, log } = await database();
      const { migrations } = await import('../app.ts');
      const open = () => createDb({ url, entities: [], migrations, log });
      // Whatever database.migrate says: it is for those that start, and this is the process they wait for.
      await ensureSchema({ url, migrations, apply: true, open, log });
      return { result: { migrated: true }, lines: ['the schema is up to date'] };
    },
  },
  {
    name: 'setup-link',
    usage: '',
    about: 'make a new one-time link for the first administrator',
    async run({ app }) {
      const link = await (await app()).setupLink();
      return { result: { link: link ?? null }, lines: [link ?? 'there is an administrator already'] };
    },
  },
  {
    name: 'config',
    usage: '',
    about: 'show the settings in force, secrets masked',
    async run({ settings }) {
      const masked = maskedSettings(settings);
      return { result: masked, lines: [stringify(masked).trimEnd()] };
    },
  },
];
