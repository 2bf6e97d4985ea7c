import { Pool } from 'pg';
import { steps as introspections } from './introspection.ts';
import { type Bench, goalMode, type Row } from './support/bench.ts';
import { fillSessions } from './support/fill.ts';
import { learn, makePeople } from './support/people.ts';
import type { Target } from './support/place.ts';
import { jars, tokens } from './support/prepare.ts';
import { compare } from './support/rounds.ts';
import { steps as userinfos } from './userinfo.ts';

const goal = 0.8;

export const bench: Bench = {
  about: 'A million people and 10,000 live sessions in the store, beside a Cardea whose store is empty',
  async run({ place, pace, connections, quick, progress }) {
    const mode = place.hasRedis ? goalMode : { store: 'postgres' as const, processes: 1 };
    const [people, sessions] = quick ? [100_000, 10_000] : [1_000_000, 10_000];
    const env = await place.surroundings({ ...mode, key: 'full' });
    const full = await place.cardeaIn(env, mode);
    const empty = await place.cardea(mode);

    progress(`${people} people are made`);
    const pool = new Pool({ connectionString: env.DATABASE_URL, max: 4 });
    try {
      const took = await makePeople(pool, people, () => {});
      await learn(pool);
      await tokens(full, 64, 'opaque');
      await fillSessions({ pool, redis: env.REDIS_URL, sessions });
      progress(`${people} people made in ${took.toFixed(0)} s, and ${sessions} sessions with what belongs to them`);
    } finally {
      await pool.end();
    }

    const loads: [string, Parameters<typeof compare>[1]][] = [
      ['introspection, opaque', async (target) => ({ connections, steps: await introspections(target, 'opaque') })],
      ['userinfo', async (target) => ({ connections, steps: await userinfos(target) })],
      [
        'refresh with rotation',
        async (target) => ({
          connections,
          steps: [{ kind: 'refresh' }],
          tokens: (await tokens(target, 4 * connections)).map(({ refresh_token }) => refresh_token),
        }),
      ],
      [
        'code with a session',
        async (target) => ({ connections, steps: [{ kind: 'code' }], jars: await jars(target, connections * 2) }),
      ],
    ];
    const rows: Row[] = [];
    for (const [name, prepare] of loads) {
      progress(`full: ${name}`);
      const [ours, other] = (await compare([full, empty], prepare, pace)) as [Figured, Figured];
      const ratio = ours.rate / other.rate;
      rows.push({
        ...{ bench: `full: ${name}`, mode: full.name, unit: '/s', ours: ours.rate, reference: other.rate, ratio },
        ...{ p50: ours.p50, p99: ours.p99, referenceP50: other.p50, referenceP99: other.p99 },
        failures: ours.failures + other.failures,
        note: `${people} people and ${sessions} sessions; the reference is the same Cardea with 64 people.`,
        rounds: { ours: ours.rates, reference: other.rates },
        goal: { wanted: `≥ × ${goal}`, met: ratio >= goal },
      });
    }
    await full.stop();
    return rows;
  },
};

type Figured = Awaited<ReturnType<typeof compare>>[number] & { target: Pick<Target, 'name'> };
