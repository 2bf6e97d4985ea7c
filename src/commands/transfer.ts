import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'yaml';
import { Refusal } from '../platform/index.ts';
import type { Task } from '../platform/jobs/index.ts';
import { type ImportOptions, importKind, readOptions, sourceNames } from '../transfer/index.ts';
import { by, type Command, type Context, needed, Usage } from './command.ts';

/** What a password or key is read from: never an argument, which stands in lists of processes. */
const fileOf = (name: string): string => readFileSync(name, 'utf8').replace(/\r?\n$/, '');

function optionsOf({ values }: Context): ImportOptions {
  const firebase = values['firebase-keys'] ? parse(fileOf(values['firebase-keys'] as string)) : undefined;
  try {
    return readOptions({
      from: values.from,
      map: values.map ? parse(fileOf(values.map as string)) : undefined,
      delimiter: values.delimiter,
      dryRun: values['dry-run'],
      existing: values.existing,
      administrators: values.administrators,
      createGroups: values['create-groups'],
      definitions: values.definitions,
      verified: values.verified,
      report: values.report,
      firebase: firebase && {
        signerKey: firebase.base64_signer_key,
        saltSeparator: firebase.base64_salt_separator,
        rounds: firebase.rounds,
        memCost: firebase.mem_cost,
      },
      pepper: values['pepper-file'] ? fileOf(values['pepper-file'] as string) : undefined,
    });
  } catch (error) {
    if (error instanceof Refusal) throw new Usage(`${error.details.field}: not a value it takes`);
    throw error;
  }
}

const shown = (task: Task) => ({
  id: task.id,
  state: task.state,
  dryRun: task.input.dryRun,
  done: task.done,
  failed: task.failed,
  tally: task.tally,
  bytes: { read: task.state === 'done' ? task.input.size : (task.checkpoint?.offset ?? 0), of: task.input.size },
  error: task.error ?? null,
});

const told = (task: Task): string[] => [
  `${task.id}  ${task.state}${task.input.dryRun ? '  (dry run)' : ''}${task.error ? `  ${task.error.code}` : ''}`,
  ...Object.entries(task.tally).map(([outcome, count]) => `  ${outcome.padEnd(10)} ${count}`),
];

async function imported(context: Context): Promise<Task> {
  const { tasks } = (await context.app()).ports;
  const task = await tasks.find(needed(context.args[0], 'the id of the import'));
  if (task?.kind !== importKind) throw new Refusal('task.unknown', { kind: 'missing' });
  return task;
}

/** Runs until the task has ended; how far it is goes to standard error, where it is in nobody's way. */
async function finished(context: Context, id: string): Promise<{ result: unknown; lines: string[] }> {
  const { tasks } = (await context.app()).ports;
  const watch = setInterval(async () => {
    const task = await tasks.find(id).catch(() => undefined);
    if (task) process.stderr.write(`\r${task.done + task.failed} rows`);
  }, 2_000).unref();
  try {
    const task = await tasks.finish(id);
    const problems = await tasks.results(id, { outcome: 'failed', limit: 20 });
    const lines = problems.map(
      ({ position, code, details }) => `  line ${position}: ${code}${details ? ` ${JSON.stringify(details)}` : ''}`,
    );
    const more = task.failed > problems.length ? [`  … and ${task.failed - problems.length} more`] : [];
    if (task.state !== 'done')
      throw new Refusal(task.error?.code ?? `import.${task.state}`, { kind: 'conflict', details: shown(task) });
    return { result: { ...shown(task), failures: problems }, lines: [...told(task), ...lines, ...more] };
  } finally {
    clearInterval(watch);
  }
}

export const transferCommands: Command[] = [
  {
    name: 'users import',
    usage: `<file or -> [--from ${sourceNames.join('|')}] [--map MAP.yaml] [--delimiter CHARACTER] [--dry-run] [--existing skip|update] [--verified] [--create-groups] [--definitions] [--administrators] [--report all|problems] [--firebase-keys FILE.yaml] [--pepper-file FILE]`,
    about: 'bring people in from a file; see docs/guides/import.md',
    options: {
      from: { type: 'string' },
      map: { type: 'string' },
      delimiter: { type: 'string' },
      'dry-run': { type: 'boolean' },
      existing: { type: 'string' },
      administrators: { type: 'boolean' },
      'create-groups': { type: 'boolean' },
      definitions: { type: 'boolean' },
      verified: { type: 'boolean' },
      report: { type: 'string' },
      'firebase-keys': { type: 'string' },
      'pepper-file': { type: 'string' },
    },
    async run(context) {
      const name = needed(context.args[0], 'the file');
      const options = optionsOf(context);
      const input = name === '-' ? process.stdin : createReadStream(name);
      const task = await (await context.app()).ports.transfer.start(options, input, by);
      process.stderr.write(`${task.id}\n`);
      return finished(context, task.id);
    },
  },
  {
    name: 'users import-resume',
    usage: '<id>',
    about: 'go on with an import that a crash broke off, or that failed or was cancelled less than a day ago',
    async run(context) {
      const { id } = await imported(context);
      await (await context.app()).ports.tasks.resume(id);
      return finished(context, id);
    },
  },
  {
    name: 'users import-status',
    usage: '<id>',
    about: 'how far an import is',
    async run(context) {
      const task = await imported(context);
      return { result: shown(task), lines: told(task) };
    },
  },
  {
    name: 'users import-report',
    usage: '<id> [--failed]',
    about: 'what became of each row, as NDJSON',
    options: { failed: { type: 'boolean' } },
    async run(context) {
      const task = await imported(context);
      const { tasks } = (await context.app()).ports;
      const outcome = context.values.failed ? 'failed' : undefined;
      const rows = async function* () {
        for (let after: number | undefined; ; ) {
          const page = await tasks.results(task.id, { after, limit: 1_000, outcome });
          yield page.map(({ position, ...rest }) => `${JSON.stringify({ line: position, ...rest })}\n`).join('');
          after = page.at(-1)?.position;
          if (page.length < 1_000) return;
        }
      };
      for await (const text of rows()) process.stdout.write(text);
      return { result: undefined, lines: [] };
    },
  },
  {
    name: 'users import-cancel',
    usage: '<id>',
    about: 'stop an import; what is in stays',
    async run(context) {
      const { id } = await imported(context);
      const task = await (await context.app()).ports.tasks.cancel(id);
      return { result: shown(task!), lines: told(task!) };
    },
  },
  {
    name: 'users export',
    usage: '[--format ndjson|csv] [--secrets] [--output FILE]',
    about: 'everybody, as an import takes them back; with --secrets their hashes and keys too',
    options: { format: { type: 'string' }, secrets: { type: 'boolean' }, output: { type: 'string' } },
    async run({ app, values }) {
      const format = (values.format as string | undefined) ?? 'ndjson';
      if (format !== 'ndjson' && format !== 'csv') throw new Usage('--format takes ndjson or csv');
      const { transfer } = (await app()).ports;
      const text = Readable.from(transfer.everybody({ format, secrets: values.secrets === true }, by));
      // For its owner's eyes only.
      if (values.output) await pipeline(text, createWriteStream(values.output as string, { mode: 0o600, flags: 'wx' }));
      else await pipeline(text, process.stdout, { end: false });
      return { result: undefined, lines: [] };
    },
  },
];
