import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceNames } from '../../src/transfer/index.ts';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { told } from '../support/command.ts';
import { signIn } from '../support/flows.ts';
import { createWalker } from '../support/walker.ts';

// What docs/guides/import.md shows is done as it stands there: its files, its commands, and the passwords behind them.

const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/import.md'), 'utf8');
const blocks = [...guide.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(([, language, name, text]) => ({
  language,
  name,
  text: text!,
}));
const home = mkdtempSync(join(tmpdir(), 'cardea-guide-'));

/** The commands of the sections that show their files. */
const commands = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => text.trim().split('\n'))
  .filter((line) => line.startsWith('cardea users import ') && line.includes('--from'));

let cardea: Cardea;
beforeAll(async () => {
  for (const { name, text } of blocks) if (name) writeFileSync(join(home, name), text);
  cardea = await startCardea();
});
afterAll(async () => {
  await cardea?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('the guide to importing', () => {
  it('shows every product that is understood with a file', () => {
    const shown = commands.map((command) => /--from (\w+)/.exec(command)![1]!);
    expect(sourceNames.filter((name) => !['cardea', 'cognito', 'okta', ...shown].includes(name))).toEqual([]);
  });

  it.each(commands)('%s', async (command) => {
    const shown = new Set(blocks.map(({ name }) => name));
    const words = command.split(/\s+/).slice(1);
    const done = await told(cardea, ...words.map((word) => (shown.has(word) ? join(home, word) : word)));
    expect([done.state, done.failures]).toEqual(['done', []]);
    expect(done.done).toBeGreaterThan(0);
  });

  it('leaves everybody in the groups they were in', async () => {
    const groups = await cardea.sql<{ name: string; members: number }>(
      `select display_name as name, count(m)::int as members from user_group g left join group_member m on m.group_id = g.id
         group by g.id order by 1`,
    );
    expect(groups).toEqual([
      { name: 'Engineers', members: 3 },
      { name: 'Owners', members: 1 },
    ]);
  });

  it.each([
    ['kc-ada@example.com', 'correct horse'],
    ['a0-ada@example.com', 'correct horse'],
    ['fb-ada@example.com', 'user1password'],
    ['wp-ada@example.com', 'test12345'],
    ['wp-grace@example.com', 'admin'],
    ['dj-ada@example.com', 'lètmein'],
    ['an-ada@example.com', 'my password'],
    ['rb-ada@example.com', 'correct horse'],
    ['ld-ada@example.com', 'testing123'],
  ])('%s signs in with the password from there, which is argon2id from then on', async (email, password) => {
    const walker = await createWalker('plain client', { browser: undefined });
    await walker.open(`${cardea.demo}/sign-in`);
    const view = await signIn(walker, { email, password });
    expect(view.url.pathname).not.toContain('password');
    await walker.close();
    const [row] = await cardea.sql<{ hash: string }>(
      'select hash from password join user_account on id = user_id where email_key = $1',
      [email],
    );
    expect(row!.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });
});
