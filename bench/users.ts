/**
 * A million people: made in minutes, then found, listed, read and patched by SCIM and added to over HTTP, each figure beside that of a
 * bare SQL query on the same database in the same run, in turn with it.
 *
 *     node bench/users.ts [--people 1000000] [--data directory, to keep them for the next run] [--rounds 300] [--only 'parts,of names']
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'pg';
import { stringify } from 'yaml';
import { createDb, migrate, startEmbedded } from '../src/platform/db/index.ts';
import { silentLog } from '../src/platform/index.ts';
import { groupId, learn, makePeople, organisationId, warm } from './support/people.ts';
import { answered, family, freePort, memoryOf, processorSeconds, start } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    people: { type: 'string', default: '1000000' },
    data: { type: 'string' },
    rounds: { type: 'string', default: '300' },
    only: { type: 'string' },
  },
});
const people = Number(values.people);
const rounds = Number(values.rounds);
const isAsked = (name: string) => (values.only ?? '').split(',').some((part) => name.includes(part));
/** What is measured is a process in service: each case is asked for by eight for a second before it counts. */
const warmUp = { connections: 8, seconds: 1 };
/** Quick cases are asked for more often than the rounds say: one slow answer of a few is no figure. */
const leastSeconds = 3;
/** People added a second by one process. */
const wanted = 500;
const connections = 32;

const home = mkdtempSync(join(tmpdir(), 'cardea-users-'));
// As root, the database's user has to reach what lies in it.
chmodSync(home, 0o711);
const data = values.data ?? join(home, 'data');
const embedded = await startEmbedded({ dataDir: data, log: silentLog, settings: { shared_buffers: '2GB' } });
const pool = new Pool({ connectionString: embedded.url, max: 32, application_name: 'bare' });
// The server ends before the last idle connection does.
pool.on('error', () => {});

const schema = await createDb({
  url: embedded.url,
  entities: [],
  migrations: new URL('../migrations', import.meta.url).pathname,
  log: silentLog,
});
await migrate(schema, silentLog);
await schema.close();
await forgetAdded();
const there = Number((await pool.query('select count(*) from user_account')).rows[0].count);
if (there < people) {
  const seconds = await makePeople(pool, people - there, (made) => void process.stderr.write(`… ${made} people\n`));
  console.log(`${people} people made in ${seconds.toFixed(0)} s`);
}
await learn(pool);
await warm(pool);

const port = await freePort();
// As behind a proxy that ends TLS; the settings are those of production, without a log line for each request.
const issuer = 'https://bench.example';
const secret = 'the secret of the benchmark, long enough';
const client = (client_id: string, scope: string) => ({
  ...{ client_id, client_secret: secret, scope, grant_types: ['client_credentials'] },
  ...{ redirect_uris: [], response_types: [] },
});
writeFileSync(
  join(home, 'bootstrap.yaml'),
  stringify({ clients: [client('api', 'users.read users.write'), client('scim', 'scim.read scim.write')] }),
);
writeFileSync(
  join(home, 'settings.yaml'),
  stringify({
    demo: { enabled: false },
    limits: {
      api_requests: { points: 1_000_000, window: '1m' },
      scim_requests: { points: 1_000_000, window: '1m' },
    },
  }),
);
const cardea = start(process.execPath, ['src/main.ts'], {
  ...{ NODE_ENV: 'production', CARDEA_TRUSTED_PROXIES: 'loopback', CARDEA_LOG_LEVEL: 'warn', HOST: '127.0.0.1' },
  // Nobody is sent a letter.
  SMTP_URL: 'smtp://127.0.0.1:9',
  ...{ PORT: String(port), CARDEA_ISSUER: issuer, CARDEA_DATA: join(home, 'cardea'), DATABASE_URL: embedded.url },
  ...{ CARDEA_SECRET: 'for-the-benchmark-only-and-long-enough-to-be-one' },
  ...{ CARDEA_CONFIG: join(home, 'settings.yaml'), CARDEA_BOOTSTRAP: join(home, 'bootstrap.yaml') },
});

const agent = new Agent({ keepAlive: true });
const ask = (method: string, path: string, token: string, body?: string, type = 'application/json') =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = { authorization: token, ...(body && { 'content-type': type }) };
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      agent,
      headers: { host: new URL(issuer).host, 'x-forwarded-proto': 'https', ...headers },
    });
    sent.once('error', reject).once('response', async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      resolve({ status: response.statusCode!, text });
    });
    sent.end(body);
  });
const tokenOf = async (id: string) => {
  const basic = `Basic ${btoa(`${id}:${encodeURIComponent(secret)}`)}`;
  const form = 'application/x-www-form-urlencoded';
  const answer = await ask('POST', '/token', basic, 'grant_type=client_credentials', form);
  return `Bearer ${(JSON.parse(answer.text) as { access_token: string }).access_token}`;
};

interface Case {
  name: string;
  /** Milliseconds within which 99 of 100 must be answered. */
  goal: number;
  path: (round: number) => string;
  scim?: boolean;
  sql: (round: number) => [string, unknown[]];
}

const columns =
  'id, state, email, user_name, name, given_name, family_name, profile, attributes, created_at, updated_at';
const where = (condition: string, order = 'created_at desc, id desc') =>
  `select ${columns} from user_account u where state <> 'Deleted' and ${condition} order by ${order} limit 50`;
const like = (word: string): [string, unknown[]] => [where(`search_text like '%' || $1 || '%'`), [word]];
const list = (query: string) => () => `/api/admin/users?${query}`;
const memberOf = (groups: string[]): [string, unknown[]] => [
  where('exists (select from group_member m where m.member_id = u.id and m.group_id = any($1))'),
  [groups],
];
const some = (words: string) => (round: number) => words.split(' ')[round % words.split(' ').length]!;
const rare = (round: number) => `u${((round * 7919) % (people / 2)) * 2}`;
const typed = some('lovelace hopper okafor virtanen perlman haddad ozturk moreau');
const common = some('anna maria muller schmidt thomas peter smith');
const mistyped = some('lovelase hoper kathrinne virtannen permlan jurgin');

const cases: Case[] = [
  { name: 'the first page', goal: 50, path: list(''), sql: () => [where('true'), []] },
  { name: 'by name', goal: 50, path: list('sort=name'), sql: () => [where('true', 'sort_name, id'), []] },
  {
    name: 'by last sign-in',
    goal: 50,
    path: list('sort=-last_sign_in_at'),
    sql: () => [where('last_sign_in_at is not null', 'last_sign_in_at desc, id desc'), []],
  },
  { name: 'a state', goal: 50, path: list('state=Suspended'), sql: () => [where(`state = 'Suspended'`), []] },
  {
    name: 'a state, by name',
    goal: 50,
    path: list('state=Suspended&sort=name'),
    sql: () => [where(`state = 'Suspended'`, 'sort_name, id'), []],
  },
  {
    name: 'a group of 900',
    goal: 50,
    path: (n) => `/api/admin/users?group=${groupId(2 + (n % 900))}`,
    sql: (n) => memberOf([groupId(2 + (n % 900))]),
  },
  { name: 'a group of 100,000', goal: 50, path: list(`group=${groupId(1)}`), sql: () => memberOf([groupId(1)]) },
  {
    name: 'a group with 10 inside',
    goal: 50,
    path: list(`group=${groupId(0)}&sort=name`),
    sql: () => memberOf(Array.from({ length: 10 }, (_, n) => groupId(2 + n))),
  },
  {
    name: 'an organisation of 2,500',
    goal: 50,
    path: (n) => `/api/admin/users?organisation=${organisationId(1 + (n % 190))}`,
    sql: (n) => [
      where('exists (select from organisation_member o where o.account_id = u.id and o.organisation_id = $1)'),
      [organisationId(1 + (n % 190))],
    ],
  },
  {
    name: 'signed in on a day',
    goal: 50,
    path: list('signed_in_from=2026-11-01T00:00:00Z&signed_in_to=2026-11-02T00:00:00Z'),
    sql: () => [
      where(`last_sign_in_at >= '2026-11-01' and last_sign_in_at < '2026-11-02'`, 'last_sign_in_at desc, id desc'),
      [],
    ],
  },
  { name: 'words many have', goal: 50, path: (n) => `/api/admin/users?q=${common(n)}`, sql: (n) => like(common(n)) },
  {
    name: 'words many have, by name',
    goal: 50,
    path: (n) => `/api/admin/users?sort=name&q=${common(n)}`,
    sql: (n) => [where(`search_text like '%' || $1 || '%'`, 'sort_name, id'), [common(n)]],
  },
  { name: 'words some have', goal: 50, path: (n) => `/api/admin/users?q=${typed(n)}`, sql: (n) => like(typed(n)) },
  { name: 'a word one has', goal: 50, path: (n) => `/api/admin/users?q=${rare(n)}`, sql: (n) => like(rare(n)) },
  { name: 'two letters', goal: 50, path: list('q=an'), sql: () => like(' an') },
  {
    name: 'a family name',
    goal: 50,
    path: (n) => `/api/admin/users?family_name=${typed(n)}`,
    sql: (n) => [where("search_key(family_name) = $1 and search_text like '%' || $1 || '%'"), [typed(n)]],
  },
  {
    name: 'mistyped words',
    goal: 50,
    path: (n) => `/api/admin/users?q=${mistyped(n)}`,
    sql: (n) => [`select ${columns} from user_account where $1 <% search_text limit 50`, [mistyped(n)]],
  },
  {
    name: 'two conditions nobody fits',
    goal: 50,
    path: list('state=Suspended&email_verified=true&sort=email'),
    sql: () => [where(`state = 'Suspended' and email_verified_at is not null`, 'email_key, id'), []],
  },
  {
    name: 'the figures',
    goal: 50,
    path: () => '/api/admin/users/analytics',
    sql: () => ['select state, count(*) from user_account group by state', []],
  },
  {
    name: 'SCIM userName eq',
    goal: 5,
    scim: true,
    path: (n) => `/scim/v2/Users?filter=${encodeURIComponent(`userName eq "${rare(n)}"`)}`,
    sql: (n) => [
      `select ${columns} from user_account where coalesce(user_name_key, email_key) = $1 and state <> 'Deleted'`,
      [rare(n)],
    ],
  },
];

/** Whom a run before has added. */
async function forgetAdded(): Promise<void> {
  const added = ['scim', 'made', 'bare'].map((domain) => `%@${domain}.example`);
  const query = (text: string, values: unknown[] = []) => pool.query({ text, values, query_timeout: 300_000 } as never);
  const { rowCount } = await query('delete from user_account where email like any($1)', [added]);
  if (rowCount) await query('vacuum analyze user_account');
}

/** The value that so large a share of all does not exceed (nearest rank). */
const at = (times: number[], share: number) =>
  times.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(times.length * share) - 1)]!;
const shown = (times: number[]) => `${at(times, 0.5).toFixed(1).padStart(7)} ${at(times, 0.99).toFixed(1).padStart(8)}`;
const timed = async (times: number[], work: () => Promise<unknown>) => {
  const from = performance.now();
  await work();
  times.push(performance.now() - from);
};

const seen = { ours: new Map<number, number>(), bare: new Map<number, number>() };

/** Milliseconds of processor time so far: of our process with its part of the database, and of the bare queries'. */
async function spent(): Promise<[number, number]> {
  const { rows } = await pool.query<{ pid: number; bare: boolean }>(
    `select pid, application_name = 'bare' as bare from pg_stat_activity where backend_type = 'client backend'`,
  );
  for (const { pid, bare } of [...rows, ...family(cardea.pid).map((pid) => ({ pid, bare: false }))])
    (bare ? seen.bare : seen.ours).set(pid, processorSeconds([pid]) ?? Number.NaN);
  // A connection that has ended since counts with what it had used when it was last seen.
  const sum = (all: Map<number, number>) => [...all.values()].reduce((total, seconds) => total + seconds * 1_000, 0);
  return [sum(seen.ours), sum(seen.bare)];
}

/** So many at a time, for so many seconds. */
async function together(parallel: number, seconds: number, work: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + seconds * 1_000;
  const go = async () => {
    while (performance.now() < until) await work();
  };
  await Promise.all(Array.from({ length: parallel }, go));
}

interface Rate {
  perSecond: number;
  times: number[];
  /** Milliseconds for one. */
  processor: [ours: number, bare: number];
}

/** How many a second, by so many at a time, after some seconds to warm up. @param each how many one piece of work makes */
async function rate(parallel: number, work: (n: number) => Promise<unknown>, each = 1): Promise<Rate> {
  let next = 0;
  const run = async (seconds: number, times: number[]) => {
    const from = performance.now();
    await together(parallel, seconds, () => timed(times, () => work(next++)));
    return (times.length * each) / ((performance.now() - from) / 1_000);
  };
  await run(3, []);
  const before = await spent();
  const times: number[] = [];
  const perSecond = await run(10, times);
  const after = await spent();
  const of = (index: 0 | 1) => (after[index] - before[index]) / (times.length * each);
  return { perSecond, times, processor: [of(0), of(1)] };
}

const scimType = 'application/scim+json';

/** One member comes and goes, of the group that has a tenth of all people: what it takes, and what it leaves in memory. */
async function bigGroup(token: string): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from user_account u where state = 'Active' and not exists (
       select from group_member m where m.group_id = $1 and m.member_id = u.id) limit 50`,
    [groupId(1)],
  );
  const times: number[] = [];
  const patch = async (operation: object) => {
    const body = { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [operation] };
    const { status, text } = await ask('PATCH', `/scim/v2/Groups/${groupId(1)}`, token, JSON.stringify(body), scimType);
    if (status !== 204) throw new Error(`${status} ${text}`);
  };
  const mebibytes = () => (memoryOf(cardea.pid)?.rss ?? Number.NaN) / 2 ** 20;
  const before = mebibytes();
  for (let round = 0; round < Math.max(rounds, 50); round++) {
    const { id } = rows[round % rows.length]!;
    await timed(times, () => patch({ op: 'add', path: 'members', value: [{ value: id }] }));
    await timed(times, () => patch({ op: 'remove', path: `members[value eq "${id}"]` }));
  }
  const members = (await pool.query('select count(*) from group_member where group_id = $1', [groupId(1)])).rows[0]
    .count;
  return (
    `\nPATCH of a group of ${members}: p50 ${at(times, 0.5).toFixed(1)} p99 ${at(times, 0.99).toFixed(1)} ms; ` +
    `memory ${before.toFixed(0)} → ${mebibytes().toFixed(0)} MiB`
  );
}

/** People added by as many connections as a directory's sender or an import has, and by a bare insert of a row. */
async function adding(scim: string, api: string): Promise<void> {
  const mark = Date.now().toString(36);
  const post = async (status: number, ...asked: Parameters<typeof ask>) => {
    const answer = await ask(...asked);
    if (answer.status !== status) throw new Error(`${answer.status} ${answer.text}`);
    return answer;
  };
  const scimPerson = (n: string) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    ...{ userName: `${n}@scim.example`, externalId: n, active: true, displayName: `Made ${n}` },
    name: { givenName: 'Made', familyName: `No ${n}` },
    emails: [{ value: `${n}@scim.example`, type: 'work', primary: true }],
  });
  const bulkSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
  const operations = 50;

  const bare = await rate(connections, (n) =>
    pool.query({
      name: 'bare-insert',
      text: `insert into user_account (id, state, state_changed_at, email, email_key, name, created_at, updated_at)
        values (gen_random_uuid(), 'Active', now(), $1, $1, $2, now(), now())`,
      values: [`${mark}.${n}@bare.example`, `Bare ${n}`],
    }),
  );
  const ours: [string, Rate][] = [
    [
      'POST /scim/v2/Users',
      await rate(connections, (n) =>
        post(201, 'POST', '/scim/v2/Users', scim, JSON.stringify(scimPerson(`${mark}.${n}`)), scimType),
      ),
    ],
    [
      'POST /api/admin/users',
      await rate(connections, (n) => {
        const who = `${mark}.${n}`;
        const person = { email: `${who}@made.example`, name: `Made ${n}`, given_name: 'Made', family_name: `No ${n}` };
        return post(201, 'POST', '/api/admin/users', api, JSON.stringify(person));
      }),
    ],
    [
      `POST /scim/v2/Bulk of ${operations}`,
      await rate(
        connections / 2,
        async (n) => {
          const Operations = Array.from({ length: operations }, (_, at) => ({
            ...{ method: 'POST', path: '/Users', bulkId: String(at) },
            data: scimPerson(`${mark}.b${n}.${at}`),
          }));
          const body = JSON.stringify({ schemas: [bulkSchema], Operations });
          const { text } = await post(200, 'POST', '/scim/v2/Bulk', scim, body, scimType);
          const made = (JSON.parse(text) as { Operations: { status: string }[] }).Operations;
          if (!made.every(({ status }) => status === '201')) throw new Error(text.slice(0, 500));
        },
        operations,
      ),
    ],
  ];
  console.log(`\nPeople added, one process, ${connections} connections (load ${loadavg()[0]!.toFixed(1)}):\n`);
  console.log(`${''.padEnd(28)} a second   of bare      p50      p99  processor`);
  const line = (name: string, { perSecond, times }: Rate, processor: number, more = '') =>
    console.log(
      `${name.padEnd(28)} ${perSecond.toFixed(0).padStart(8)} ${`× ${(perSecond / bare.perSecond).toFixed(2)}`.padStart(9)}  ` +
        `${shown(times)} ${processor.toFixed(2).padStart(10)}   ${more}`,
    );
  for (const [name, measured] of ours) {
    const met = measured.perSecond > wanted;
    if (!met) missed++;
    line(name, measured, measured.processor[0], met ? `goal ${wanted}` : `MISSED: ${wanted}`);
  }
  line('a bare insert', bare, bare.processor[1]);
}

let missed = 0;
try {
  await answered(port, '/health/ready', cardea);
  const [api, scim] = [await tokenOf('api'), await tokenOf('scim')];
  console.log(`load ${loadavg()[0]!.toFixed(1)}; ${rounds} rounds or ${leastSeconds} seconds each; milliseconds\n`);
  console.log(
    'Processor: time of our process and of the database for it; it hardly moves with what else the machine does.\n',
  );
  console.log(`${''.padEnd(28)}     p50      p99  processor     SQL p50      p99  processor`);
  for (const { name, goal, path, scim: isScim, sql } of cases.filter((one) => isAsked(one.name))) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    let round = 0;
    const askOurs = async () => {
      const answer = await ask('GET', path(round++), isScim ? scim : api);
      if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text.slice(0, 300)}`);
    };
    await together(warmUp.connections, warmUp.seconds, askOurs);
    for (const n of [1, 2]) await pool.query(...sql(n));
    const before = await spent();
    // In turn, so that what else the machine does meets both.
    const atLeast = performance.now() + leastSeconds * 1_000;
    for (let n = 0; n < rounds || performance.now() < atLeast; n++) {
      await timed(ours, askOurs);
      // A query that takes seconds has said enough after a few.
      if (theirs.length < 20 || at(theirs, 0.5) < 200) await timed(theirs, () => pool.query(...sql(n)));
    }
    const after = await spent();
    const [processor, sqlProcessor] = [after[0] - before[0], after[1] - before[1]];
    const met = at(ours, 0.99) < goal;
    if (!met) missed++;
    console.log(
      `${name.padEnd(28)} ${shown(ours)} ${(processor / ours.length).toFixed(1).padStart(10)}     ${shown(theirs)} ` +
        `${(sqlProcessor / theirs.length).toFixed(1).padStart(10)}   ${met ? '' : `MISSED: ${goal}`}`,
    );
  }

  if (isAsked('PATCH of a group')) console.log(await bigGroup(scim));
  if (isAsked('people added')) await adding(scim, api);
} catch (error) {
  console.error(error, cardea.said().slice(-2_000));
  missed++;
} finally {
  agent.destroy();
  await cardea.stop();
  await pool.end();
  await embedded.stop();
  rmSync(home, { recursive: true, force: true });
}
process.exitCode = missed > 0 ? 1 : 0;
