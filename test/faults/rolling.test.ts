import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBalancer } from '../support/balancer.ts';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { bootstrap, clients, createPerson, ORDERS, STOCK } from '../support/seeds.ts';
import { type TokenClient, times, tokenClient } from '../support/token-client.ts';

// Processes come and go under load: politely, when a new version is rolled out, and by kill -9.

let balancer: Awaited<ReturnType<typeof startBalancer>>;
/** Serves nobody here: it keeps the database and the settings that the others share. */
let owner: Cardea;
let serving: Cardea[];
let web: TokenClient;
let service: TokenClient;
let orders: TokenClient;

const another = () => startCardea({ beside: owner, env: { CARDEA_DRAIN: '3s' } });

beforeAll(async () => {
  balancer = await startBalancer();
  owner = await startCardea({
    bootstrap,
    env: { CARDEA_ISSUER: balancer.url },
    settings: { demo: { enabled: false } },
  });
  serving = [await another(), await another()];
  balancer.before(...serving);
  await balancer.watch();
  web = tokenClient(balancer.url, clients.web);
  service = tokenClient(balancer.url, clients.service);
  orders = tokenClient(balancer.url, clients.orders);
}, 90_000);
afterAll(async () => {
  await Promise.all(serving?.map((one) => one.stop()) ?? []);
  await owner?.stop();
  await balancer?.stop();
});

/** Chains of refreshes, each traded for the next, that go on until told to end. */
async function startChains(count: number, failed: (status: number | string) => void) {
  const person = createPerson();
  await web.code({ person });
  const chains: string[] = [];
  for (let nth = 0; nth < count; nth++)
    chains.push((await web.signIn({ person, parameters: { scope: 'openid offline_access' } })).refresh_token);
  let running = true;
  let trades = 0;
  const loops = chains.map(async (_, nth) => {
    while (running) {
      const { status, body } = await web
        .refresh(chains[nth]!)
        .catch((error: Error) => ({ status: error.message, body: {} as Record<string, unknown> }));
      if (status !== 200) failed(status);
      else {
        chains[nth] = String(body.refresh_token);
        trades += 1;
      }
    }
  });
  return {
    chains,
    trades: () => trades,
    async stop() {
      running = false;
      await Promise.all(loops);
    },
  };
}

it('a rolling restart under load costs no request', async () => {
  const failures: unknown[] = [];
  const chains = await startChains(4, (status) => failures.push({ refresh: status }));
  let running = true;
  let served = 0;
  const person = createPerson();
  await web.code({ person });
  const ask = async (what: string, work: () => Promise<{ status: number }>) => {
    while (running) {
      const { status } = await work().catch((error: Error) => ({ status: error.message }));
      if (status === 200) served += 1;
      else failures.push({ [what]: status });
    }
  };
  const loops = [
    ask('opaque', () => service.credentials({ resource: STOCK, scope: 'stock:read' })),
    ask('jwt', () => service.credentials({ resource: ORDERS, scope: 'orders:read' })),
    ask('code', async () => web.redeem(await web.code({ person }))),
    ask('pages', async () => ({ status: (await createPerson().open(web.authorizeUrl())).status })),
  ];
  const servedBefore = balancer.served.slice();
  for (const nth of [0, 1]) {
    const old = serving[nth]!;
    expect(await old.stop()).toBe(0);
    serving[nth] = await another();
    balancer.before(...serving);
    // Until the balancer has seen that it is ready, and some requests went there.
    const before = balancer.served[nth] ?? 0;
    await expect.poll(() => (balancer.served[nth] ?? 0) - before, { timeout: 20_000 }).toBeGreaterThan(20);
  }
  running = false;
  await Promise.all([...loops, chains.stop()]);
  expect(failures).toEqual([]);
  expect(served).toBeGreaterThan(50);
  expect(chains.trades()).toBeGreaterThan(20);
  for (const nth of [0, 1]) expect(balancer.served[nth]).toBeGreaterThan(servedBefore[nth] ?? 0);
}, 120_000);

it('kill -9 of one under load loses no grant that was given and lets nothing be used twice', async () => {
  const chains = await startChains(8, () => undefined);
  const person = createPerson();
  await web.code({ person });
  // Codes of one session share a grant, and a code that comes twice ends it: those are another person's.
  const careless = createPerson();
  await web.code({ person: careless });
  const codes = await Promise.all(
    Array.from({ length: 24 }, (_, nth) => web.code({ person: nth % 2 ? careless : person })),
  );
  const accepted: string[] = [];
  const uses = codes.map(async (code, nth) => {
    await sleep(nth * 10);
    // Every other one twice at once; where two come, the tokens of the first are ended as well (RFC 6749, section 4.1.2).
    const answers = await times(1 + (nth % 2), () =>
      web.redeem(code).catch(() => ({ status: 0, body: {} as Record<string, unknown> })),
    );
    const good = answers.filter(({ status }) => status === 200);
    if (answers.length === 1 && good[0]) accepted.push(String(good[0].body.access_token));
    return good.length;
  });
  await sleep(120);
  const victim = serving[1]!;
  process.kill(victim.pid, 'SIGKILL');
  const used = await Promise.all(uses);
  expect(Math.max(...used)).toBe(1);
  await sleep(500);
  await chains.stop();

  // Whoever got no answer asks again with what they had, and gets the one that was lost.
  for (const token of chains.chains) expect(await web.refresh(token)).toMatchObject({ status: 200 });
  expect(accepted.length).toBeGreaterThan(0);
  for (const token of accepted) expect(await web.userinfo(token)).toMatchObject({ status: 200 });
  // A code whose answer was lost may be unused still.
  for (const code of codes.filter((_, nth) => used[nth] === 1).slice(0, 8))
    expect((await web.redeem(code)).status).toBe(400);
  const { body } = await service.credentials({ resource: ORDERS, scope: 'orders:read' });
  expect(await orders.introspect(String(body.access_token))).toMatchObject({ active: true });
  await victim.stop();
  serving = [serving[0]!];
}, 90_000);
