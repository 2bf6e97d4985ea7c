import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { cardeaCommand, told } from '../support/command.ts';
import { eventually } from '../support/ground.ts';

// The operator's way: files in, files out, and a power cut in between.

let cardea: Cardea;
const home = mkdtempSync(join(tmpdir(), 'cardea-import-'));
beforeAll(async () => {
  cardea = await startCardea({ settings: { demo: { enabled: false } } });
});
afterAll(async () => {
  await cardea.stop();
  rmSync(home, { recursive: true, force: true });
});

const file = (name: string, content: string) => {
  const path = join(home, name);
  writeFileSync(path, content);
  return path;
};
const root = join(import.meta.dirname, '../..');

describe('cardea users import', () => {
  it('reads a file by its map, says what it would do, does it, and tells what became of each row', async () => {
    const csv = file('people.csv', 'Mail,Full name\nada@example.com,Ada\nbroken,Nobody\ngrace@example.com,Grace\n');
    const map = file('map.yaml', 'fields:\n  email: Mail\n  name: Full name\n  emailVerified: { value: true }\n');
    const args = ['users', 'import', csv, '--from', 'csv', '--map', map];
    const dry = await told(cardea, ...args, '--dry-run');
    expect(dry).toMatchObject({ state: 'done', dryRun: true, tally: { created: 2, failed: 1 } });
    expect(await cardea.sql('select 1 from user_account')).toEqual([]);
    const real = await told(cardea, ...args);
    expect(real).toMatchObject({ state: 'done', tally: { created: 2, failed: 1 } });
    expect(real.failures).toEqual([
      { position: 3, outcome: 'failed', code: 'import.field_malformed', details: { field: 'email' } },
    ]);
    const { stdout } = await cardeaCommand(cardea, ['users', 'import-report', real.id]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ line, outcome }) => [line, outcome])).toEqual([
      [2, 'created'],
      [3, 'failed'],
      [4, 'created'],
    ]);
    const wrong = await cardeaCommand(cardea, ['users', 'import', csv, '--from', 'elsewhere']);
    expect(wrong.code).toBe(2);
  });

  it('takes standard input, and gives all of it back to a file of its owner’s alone', async () => {
    const row = { email: 'in@example.com', passwordHash: '{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr' };
    const { code } = await cardeaCommand(cardea, ['users', 'import', '-'], { input: `${JSON.stringify(row)}\n` });
    expect(code).toBe(0);
    const path = join(home, 'out.ndjson');
    expect((await cardeaCommand(cardea, ['users', 'export', '--secrets', '--output', path])).code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const people = (text: string) => text.split('\n').filter((line) => line.startsWith('{"type":"user"'));
    const lines = people(readFileSync(path, 'utf8'));
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toContain(row.passwordHash);
    const plain = await cardeaCommand(cardea, ['users', 'export']);
    expect(plain.stdout).not.toContain('SSHA');
    expect(people(plain.stdout)).toHaveLength(3);
    const [audit] = await cardea.sql<{ data: object }>(
      `select data from audit_event where type = 'users.exported' order by id limit 1`,
    );
    expect(audit!.data).toEqual({ count: 3, secrets: true, format: 'ndjson' });
  });

  it('killed in the middle, it is gone on with where it was: everybody once, every line told once', async () => {
    // No process that serves: what goes on is the command itself.
    const beside = await startCardea({ settings: { demo: { enabled: false } } });
    const { env, sql } = beside;
    await sleep(200);
    process.kill(beside.pid, 'SIGSTOP');
    try {
      const count = 6_000;
      const rows = Array.from({ length: count }, (_, at) =>
        JSON.stringify({ email: `p${at}@example.com`, name: `P ${at}` }),
      );
      const path = file('many.ndjson', rows.join('\n'));
      const { PATH = '', HOME = '' } = process.env;
      const child = spawn(process.execPath, ['src/cli.ts', 'users', 'import', path], {
        cwd: root,
        env: { PATH, HOME, ...env },
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const made = async () =>
        (await sql<{ count: number }>('select count(*)::int as count from user_account'))[0]!.count;
      while ((await made()) < 1_000 && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await ended;
      const before = await made();
      expect(before).toBeLessThan(count);
      const [task] = await sql<{ id: string; state: string }>('select id, state from task');
      expect(task!.state).toBe('running');
      // The lease of the dead: half a minute that a test need not wait for.
      await sql('update task set lease_until = now()');
      const done = await told(beside, 'users', 'import-resume', task!.id);
      expect(done).toMatchObject({ state: 'done', tally: { created: count }, failed: 0 });
      expect(await made()).toBe(count);
      const [results] = await sql('select count(*)::int as rows, count(distinct item)::int as people from task_result');
      expect(results).toEqual({ rows: count, people: count });
      const [events] = await sql(`select count(*)::int as count from audit_event where type = 'user.created'`);
      expect(events).toEqual({ count });
    } finally {
      process.kill(beside.pid, 'SIGCONT');
      await beside.stop();
    }
  });

  it('killed with the server that may have had it, it is gone on with by another one, without being asked to', async () => {
    const main = await startCardea({ settings: { demo: { enabled: false } } });
    const other = await startCardea({ beside: main });
    const count = 5_000;
    const rows = Array.from({ length: count }, (_, at) => JSON.stringify({ email: `q${at}@example.com` }));
    const { PATH = '', HOME = '' } = process.env;
    try {
      // Only those that will be killed can have taken it up.
      process.kill(main.pid, 'SIGSTOP');
      const child = spawn(process.execPath, ['src/cli.ts', 'users', 'import', file('q.ndjson', rows.join('\n'))], {
        cwd: root,
        env: { PATH, HOME, ...main.env },
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const made = async () =>
        (await main.sql<{ count: number }>('select count(*)::int as count from user_account'))[0]!.count;
      while ((await made()) < 500 && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await Promise.all([ended, other.kill()]);
      expect(await made()).toBeLessThan(count);
      await main.sql(`update task set lease_until = now() where state = 'running'`);
      process.kill(main.pid, 'SIGCONT');
      await eventually(async () => expect(await main.sql('select state from task')).toEqual([{ state: 'done' }]), {
        timeout: 60_000,
        interval: 100,
      });
      const [told] = await main.sql(
        'select count(*)::int as rows, count(distinct item)::int as people from task_result',
      );
      expect([await made(), told]).toEqual([count, { rows: count, people: count }]);
    } finally {
      process.kill(main.pid, 'SIGCONT');
      await main.stop();
    }
  });
});
