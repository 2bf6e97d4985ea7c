import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseYaml, YAMLError } from 'yaml';
import type { z } from 'zod';
import { ConfigurationFault, type Fault } from './fault.ts';
import { checkRules } from './rules.ts';
import { schema, type Tree } from './schema.ts';
import { ownSecret } from './secret.ts';
import { type Settings, settingsFrom } from './settings.ts';
import { configVariable, isSecret, nearest, settingName, variables } from './variables.ts';

type Branch = Record<string, unknown>;
export type Environment = Readonly<Record<string, string | undefined>>;

const home = join(import.meta.dirname, '../../../config');

/**
 * Reads, merges and checks all settings, once, at the start.
 * @param options.env the environment
 * @param options.cwd where relative paths begin
 * @throws ConfigurationFault with every fault found, not only the first
 */
export function loadSettings({ env, cwd }: { env: Environment; cwd: string }): Settings {
  const faults: Fault[] = [];
  const fromEnvironment = readEnvironment(env, cwd, faults);
  const mode = (fromEnvironment.mode as string | undefined) ?? 'development';
  const files = [join(home, 'default.yaml'), join(home, `${mode.replace(/[^a-z]/g, '')}.yaml`)].filter(existsSync);
  const own = env[configVariable]?.trim();
  if (own) files.push(resolve(cwd, own));

  const base = files.map((file) => readYaml(file, faults));
  const tree = [...base, fromEnvironment].reduce(merge, {});
  tree.mode = mode;
  tree.data = resolve(cwd, String(tree.data));
  for (const path of [
    'bootstrap',
    'server.tls.cert_file',
    'server.tls.key_file',
    'objects.dir',
    'risk.table',
    'risk.networks_table',
  ]) {
    const value = at(tree, path);
    if (typeof value === 'string') set(tree, path, resolve(cwd, value));
  }
  const port = Number(at(tree, 'server.port'));
  if (tree.issuer === undefined && mode !== 'production') {
    const protocol = at(tree, 'server.tls.cert_file') === undefined ? 'http' : 'https';
    tree.issuer = URL.parse(`${protocol}://localhost:${port}`)?.origin ?? `${protocol}://localhost`;
  }
  if (tree.secrets === undefined && mode !== 'production') tree.secrets = ownSecret(tree.data as string, faults);

  const checked = schema.safeParse(tree);
  if (!checked.success) faults.push(...checked.error.issues.flatMap((issue) => faultsOf(issue, tree)));
  const whole = checked.success ? checked.data : withoutFaulty(tree, checked.error.issues, base[0] ?? {});
  if (whole) {
    const known = new Set(faults.map((fault) => fault.setting));
    faults.push(...checkRules(whole).filter((fault) => !known.has(fault.setting)));
  }
  if (faults.length > 0 || !checked.success) throw new ConfigurationFault(faults);
  return settingsFrom(checked.data);
}

function readEnvironment(env: Environment, cwd: string, faults: Fault[]): Branch {
  const tree: Branch = {};
  const known = variables
    .flatMap(({ name, plain }) => (plain ? [name] : [name, `${name}_FILE`]))
    .concat(configVariable);
  for (const { name, path, plain } of variables) {
    // An empty variable is one that is not set: composed files write `REDIS_URL=`.
    const value = env[name]?.trim() || undefined;
    const file = plain ? undefined : env[`${name}_FILE`]?.trim() || undefined;
    if (value !== undefined && file !== undefined) {
      faults.push({ setting: name, problem: `is set, and ${name}_FILE as well`, right: 'one of the two' });
    } else if (file !== undefined) {
      try {
        set(tree, path, readFileSync(resolve(cwd, file), 'utf8').trim());
      } catch (error) {
        faults.push({
          setting: `${name}_FILE`,
          problem: `names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`,
          right: 'a file that this user may read',
        });
      }
    } else if (value !== undefined) set(tree, path, value);
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith('CARDEA_') || known.includes(name)) continue;
    const near = nearest(name, known);
    faults.push({
      setting: name,
      problem: 'is not a setting',
      right: near ? `did you mean ${near}?` : `one of ${known.filter((one) => one.startsWith('CARDEA_')).join(', ')}`,
    });
  }
  return tree;
}

function readYaml(file: string, faults: Fault[]): Branch {
  const refuse = (problem: string) => {
    faults.push({ setting: file, problem, right: 'YAML with settings as in config/default.yaml' });
    return {};
  };
  try {
    const content: unknown = parseYaml(readFileSync(file, 'utf8')) ?? {};
    if (!isBranch(content)) return refuse('holds no settings');
    // It decides which files are read, so no file can.
    if ('mode' in content) faults.push({ setting: 'mode', problem: `is set in ${file}`, right: 'NODE_ENV instead' });
    return content;
  } catch (error) {
    if (error instanceof YAMLError) return refuse(`is not YAML: ${error.message.split('\n')[0]}`);
    return refuse(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

const isBranch = (value: unknown): value is Branch =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sections join, values and lists replace; a null takes a value away. */
function merge(low: Branch, high: Branch): Branch {
  const merged: Branch = { ...low };
  for (const [name, value] of Object.entries(high)) {
    const below = merged[name];
    if (value === null) delete merged[name];
    else merged[name] = isBranch(value) ? merge(isBranch(below) ? below : {}, value) : value;
  }
  return merged;
}

const at = (tree: Branch, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>(
      (value, name) => (isBranch(value) || Array.isArray(value) ? (value as Branch)[name] : undefined),
      tree,
    );

function set(tree: Branch, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop()!;
  let branch = tree;
  for (const name of names) {
    if (!isBranch(branch[name])) branch[name] = {};
    branch = branch[name] as Branch;
  }
  branch[last] = value;
}

function faultsOf(issue: z.core.$ZodIssue, tree: Branch): Fault[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = nearest(key, knownKeys(issue.path.map(String)));
      return {
        setting: [...issue.path, key].join('.'),
        problem: 'is not a setting',
        right: near ? `did you mean ${near}?` : 'one from config/default.yaml or docs/configuration.md',
      };
    });
  }
  const setting = settingName(valuePath(issue.path));
  const value = at(tree, path) ?? at(tree, valuePath(issue.path));
  if (value === undefined) return [{ setting, problem: 'is missing', right: issue.message }];
  const problem = isSecret(path) ? 'has a value that does not fit' : `is ${JSON.stringify(value)}`;
  return [{ setting, problem, right: issue.message }];
}

/** A fault in a plain list is told of the list: that is what has a name. */
const valuePath = (path: readonly PropertyKey[]): string => {
  const lists =
    /^(secrets|locales|proxy\.trusted|redis\.url|keys\.algorithms|tracing\.headers|tracing\.attributes)(\.\d+)?$/;
  return path.join('.').replace(lists, '$1');
};

function knownKeys(path: readonly string[]): string[] {
  let level: unknown = schema;
  for (const name of path) level = (level as { shape?: Record<string, unknown> } | undefined)?.shape?.[name];
  return Object.keys((level as { shape?: Record<string, unknown> } | undefined)?.shape ?? {});
}

/** The rules speak about faulty files as well: what did not fit is replaced by its default for the while. */
function withoutFaulty(tree: Branch, issues: z.core.$ZodIssue[], defaults: Branch): Tree | undefined {
  const mended = structuredClone(tree);
  for (const issue of issues) {
    const path = valuePath(issue.path).split('.').filter(Boolean);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) delete ((at(mended, path.join('.')) as Branch | undefined) ?? mended)[key];
    } else if (path.length > 0) set(mended, path.join('.'), at(defaults, path.join('.')) ?? stopgap[path.join('.')]);
  }
  const again = schema.safeParse(mended);
  return again.success ? again.data : undefined;
}

const stopgap: Record<string, unknown> = { issuer: 'https://localhost', secrets: 'x'.repeat(32) };
