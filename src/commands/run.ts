import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { App } from '../app.ts';
import { loadSettings, type Settings } from '../platform/config/index.ts';
import { startEmbedded } from '../platform/db/index.ts';
import { createLog, Refusal } from '../platform/index.ts';
import { clientCommands } from './clients.ts';
import { type Command, Usage } from './command.ts';
import { federationCommands } from './federation.ts';
import { fieldCommands } from './fields.ts';
import { groupCommands } from './groups.ts';
import { houseCommands } from './house.ts';
import { organisationCommands } from './organisations.ts';
import { roleCommands } from './roles.ts';
import { transferCommands } from './transfer.ts';
import { userCommands } from './users.ts';

const commands: Command[] = [
  ...clientCommands,
  ...userCommands,
  ...fieldCommands,
  ...groupCommands,
  ...roleCommands,
  ...organisationCommands,
  ...federationCommands,
  ...transferCommands,
  ...houseCommands,
];

const help = (): string => ['Usage: cardea <command> [arguments] [--json]', '', ...commands.map(row)].join('\n');

/** What it is for stands in a column, below where the arguments are longer. */
const row = ({ name, usage, about }: Command): string => {
  const typed = `${name} ${usage}`.trim();
  const gap = typed.length > column ? `\n${' '.repeat(column + 3)}` : ' '.repeat(column + 1 - typed.length);
  return `  ${typed}${gap}${about}`;
};
const column = 48;

const unknown = (words: string[]): string => {
  const near = commands.filter(({ name }) => name.split(' ')[0] === words[0]);
  return [`There is no command \`${words.join(' ')}\`; \`help\` lists them all.`, ...near.map(row)].join('\n');
};

/** @returns the exit code: 0 done, 1 refused, failed or found bad, 2 used wrongly */
export async function run(argv: string[]): Promise<number> {
  const words = argv.filter((word) => !word.startsWith('-'));
  const command = commands.find(({ name }) => name.split(' ').every((word, index) => words[index] === word));
  if (!command) {
    const asked = argv.length === 0 || words[0] === 'help' || argv.includes('--help');
    if (asked) console.log(help());
    else console.error(unknown(words));
    return asked ? 0 : 2;
  }
  let json = argv.includes('--json');
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: { json: { type: 'boolean' }, ...command.options },
    });
    json = values.json === true;
    const settings = loadSettings();
    await using house = openHouse(settings);
    const { result, lines, isBad } = await command.run({
      settings,
      app: house.app,
      database: house.database,
      args: positionals.slice(command.name.split(' ').length),
      values: values as never,
    });
    // Nothing to say: the command has written what there was.
    if (result !== undefined) console.log(json ? JSON.stringify(result, null, 2) : lines.join('\n'));
    return isBad ? 1 : 0;
  } catch (error) {
    const { code, message, details } = told(error);
    if (json) console.log(JSON.stringify({ error: code, message, ...details }));
    else console.error(error instanceof Usage ? `${message}\nUsage: cardea ${command.name} ${command.usage}` : message);
    return error instanceof Usage || code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? 2 : 1;
  }
}

function told(error: unknown): { code: string; message: string; details: Record<string, unknown> } {
  if (error instanceof Refusal) {
    const details = Object.entries(error.details).map(
      ([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
    );
    return { code: error.code, message: [error.code, ...details].join('\n  '), details: error.details };
  }
  const { name, message, code } = error as Error & { code?: string };
  return { code: code ?? name, message, details: {} };
}

/** The app on the database of the settings; the embedded server is shared with a Cardea that runs on it. */
function openHouse(settings: Settings) {
  const level = settings.log.level === 'info' ? 'warn' : settings.log.level;
  // Standard output is the answer's alone: programs read it.
  const log = createLog({ level, to: process.stderr });
  let server: Promise<{ url: string; stop?(): Promise<void> }> | undefined;
  let opened: Promise<App> | undefined;
  const database = async () => {
    const { url } = settings.database;
    server ??= url ? Promise.resolve({ url }) : startEmbedded({ dataDir: resolve(settings.data), log, share: true });
    return { url: (await server).url, log };
  };
  const open = async () => {
    const [{ createApp }, { url }] = await Promise.all([import('../app.ts'), database()]);
    return createApp({ settings, databaseUrl: url, log });
  };
  return {
    database,
    app() {
      opened ??= open();
      return opened;
    },
    async [Symbol.asyncDispose]() {
      // Why it could not be opened has been told already.
      await (await opened?.catch(() => undefined))?.close();
      await (await server)?.stop?.();
    },
  };
}
