/**
 * Holds the plan of the house against the code: rooms import only rooms on a lower line and only through their door,
 * doors do not know each other, and there are no circles, types included. Run by `npm run check`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const source = resolve(import.meta.dirname, '../../src');

/** From the roof down; what stands together on a line does not know each other, except below `ground`. */
const lines = [
  ['main', 'cli'],
  ['process', 'commands', 'health'],
  ['announce', 'demo'],
  ['app'],
  ['provision', 'measures'],
  ['oidc', 'introspection', 'signin', 'account', 'setup', 'mailbox', 'scim', 'api'],
  ['transfer'],
  ['credentials', 'federation'],
  ['users', 'front'],
  ['sessions', 'clients', 'keys'],
  ['mail'],
  ['events'],
  ['platform'],
];
const lineOf = new Map(lines.flatMap((rooms, line) => rooms.map((room) => [room, line] as const)));

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
  .map((entry) => join(entry.parentPath, entry.name));

const roomOf = (file: string): string => relative(source, file).split('/')[0]!.replace(/\.ts$/, '');
const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)].map(([, path]) =>
    resolve(dirname(file), path!),
  );

const faults: string[] = [];
for (const file of files) {
  const room = roomOf(file);
  const name = relative(source, file);
  if (!lineOf.has(room)) faults.push(`${name}: the room ${room} has no line in the plan`);
  for (const imported of importsOf(file)) {
    const other = roomOf(imported);
    if (other === room) continue;
    const path = relative(source, imported);
    if ((lineOf.get(other) ?? -1) <= (lineOf.get(room) ?? -1)) faults.push(`${name} imports ${path}: not downhill`);
    // The ground has several doors: a folder's index, or a file that stands by itself.
    const isDoor =
      other === 'platform'
        ? path.split('/').length === 2 || path.endsWith('/index.ts')
        : !path.includes('/') || path === `${other}/index.ts`;
    if (!isDoor) faults.push(`${name} imports ${path}: not through the door of ${other}`);
  }
}

/** Depth-first over all imports; a file met again while it is still open closes a circle. */
const state = new Map<string, 'open' | 'done'>();
const walk = (file: string, path: string[]): void => {
  if (state.get(file) === 'done' || file.endsWith('.test.ts')) return;
  if (state.get(file) === 'open') {
    const circle = [...path.slice(path.indexOf(file)), file].map((each) => relative(source, each));
    faults.push(`a circle: ${circle.join(' → ')}`);
    return;
  }
  state.set(file, 'open');
  for (const imported of importsOf(file)) walk(imported, [...path, file]);
  state.set(file, 'done');
};
for (const file of files) walk(file, []);

if (faults.length > 0) {
  console.error(`The house is not as planned:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  process.exit(1);
}
console.log(`The house is as planned: ${files.length} files, imports run downhill, no circles.`);
