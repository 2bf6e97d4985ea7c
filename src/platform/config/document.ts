import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { z } from 'zod';
import { schema } from './schema.ts';
import { configVariable, variables } from './variables.ts';

// Writes docs/configuration.md out of the schema: node src/platform/config/document.ts > docs/configuration.md

const head = `# Configuration

Cardea reads its settings once, at the start, checks them whole, and refuses to start while anything is wrong, telling
every fault at once. \`npm run cardea config\` shows what holds, with secrets masked.

From low to high: \`config/default.yaml\`, \`config/<NODE_ENV>.yaml\`, the YAML file named by \`${configVariable}\`, the
environment. Sections join; values and lists replace; \`null\` takes a value away. Relative paths begin where Cardea is
started. Times are seconds, or a number with s, m, h or d: \`15m\`, \`30d\`.

With nothing set you get a development machine: the embedded PostgreSQL and a generated secret in \`var/\`, a mailbox
page instead of a mail server, and the demo application. \`NODE_ENV=production\` refuses all of these, and plain http;
it needs at least:

\`\`\`sh
NODE_ENV=production
CARDEA_ISSUER=https://id.example.com
CARDEA_SECRET_FILE=/run/secrets/cardea_secret     # openssl rand -base64 48
DATABASE_URL=postgresql://cardea:…@db.example.com/cardea
SMTP_URL=smtps://user:…@smtp.example.com
\`\`\`

The embedded database is refused in production as well, until a file of yours says \`database: { embedded: true }\`: it
serves one machine, and nobody but you makes its back-ups.

## The environment

Each variable is also read from the file named by the same name with \`_FILE\` behind it (not both), except where it says
"no file". An empty variable counts as one that is not set. An unknown \`CARDEA_…\` is a fault.

| variable | setting | |
| --- | --- | --- |
| \`${configVariable}\` | | A YAML file of your own (no file) |
`;

/** The page as text. */
export function configurationPage(): string {
  const defaults: unknown = parse(readFileSync(join(import.meta.dirname, '../../../config/default.yaml'), 'utf8'));
  const environment = variables.map(({ name, path, plain }) => {
    return `| \`${name}\` | \`${path}\` | ${describe(find(path))}${plain ? ' (no file)' : ''} |`;
  });
  return `${head}${environment.join('\n')}\n\n## All settings\n\n${pageText(defaults)}\n`;
}

type Section = z.ZodObject<z.core.$ZodLooseShape>;

const isSection = (value: unknown): value is Section => typeof value === 'object' && value !== null && 'shape' in value;

const describe = (leaf: z.ZodType) => (leaf.description ?? '').replaceAll('|', '\\|');

const find = (path: string): z.ZodType =>
  path.split('.').reduce<z.ZodType>((at, name) => (at as Section).shape[name] as z.ZodType, schema);

function pageText(defaults: unknown): string {
  const entries = Object.entries(schema.shape) as [string, z.ZodType][];
  const plain = table(
    entries.filter(([, leaf]) => !isSection(leaf)).flatMap(([name, leaf]) => rows(leaf, [name], defaults)),
  );
  const sections = entries
    .filter(([, leaf]) => isSection(leaf))
    .map(([name, leaf]) => `### ${name}\n\n${describe(leaf)}.\n\n${table(rows(leaf, [name], defaults))}`);
  return [plain, ...sections].join('\n\n');
}

const table = (lines: string[]) =>
  `| setting | default | | what is right |\n| --- | --- | --- | --- |\n${lines.join('\n')}`;

function rows(leaf: z.ZodType, path: string[], defaults: unknown): string[] {
  // Budgets are written on one line in the files as well.
  const isBudget = isSection(leaf) && 'points' in leaf.shape;
  if (isSection(leaf) && !isBudget) {
    return Object.entries(leaf.shape).flatMap(([name, inner]) => rows(inner as z.ZodType, [...path, name], defaults));
  }
  const value = path.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], defaults);
  const preset = value === undefined ? '' : `\`${stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()}\``;
  const right = isBudget ? 'points and window' : whatIsRight(leaf);
  return [`| \`${path.join('.')}\` | ${preset} | ${describe(leaf)} | ${right} |`];
}

/** What the schema itself answers to something that is never right. */
function whatIsRight(leaf: z.ZodType): string {
  const answer = leaf.safeParse({});
  return (answer.success ? '' : (answer.error.issues[0]?.message ?? ''))
    .replace(/^a time: .*(?=\()/, 'a time ')
    .replaceAll('|', '\\|');
}

if (import.meta.main) process.stdout.write(configurationPage());
