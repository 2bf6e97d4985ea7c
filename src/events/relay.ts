import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, type Log, secondsAfter, together, type Vault } from '../platform/index.ts';
import { inSpan } from '../platform/spans.ts';
import { outboxWake, payloadContext } from './outbox.ts';

/** What a consumer is told beside the payload. */
export interface Delivery {
  /** The same at every try: a receiver can tell a repetition by it. */
  id: string;
  /** 1 at the first try. */
  attempt: number;
  createdAt: Date;
  /** Aborted when the time for this try is up. */
  signal: AbortSignal;
}

/** Does what a message asks for; may be called more than once for one message. Throwing means "try again later". */
export type Consume<P = never> = (payload: P, delivery: Delivery) => Promise<void>;

export interface ConsumerOptions {
  consume: Consume;
  /** Seconds one try may take. Default 30. */
  timeoutSeconds?: number;
  /** Most messages in flight per process. Default 5. */
  concurrency?: number;
  /** Given up after so many tries … Default 100. */
  attempts?: number;
  /** … or so many days, whichever comes first. Default 3. */
  days?: number;
}

/** Thrown by a consumer: no later try can succeed, park the message now. */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable';
}

export interface Relay {
  start(): void;
  /** Takes nothing more and waits for what is in flight. */
  stop(): Promise<void>;
}

interface Message {
  id: string;
  message: string;
  key: string | null;
  payload: string;
  sealed: boolean;
  created_at: string;
  attempts: number;
}

/** How long a killed process's message stays taken beyond the consumer's own time; also covers clocks that disagree. */
const leaseMarginSeconds = 30;

/**
 * Delivers what the outbox holds. Any number of processes may run one: a message is taken by moving its `due_at` past
 * the time its delivery may last (`for update skip locked`), and removed only once it is delivered. So a process that
 * is killed loses nothing; the message falls due again. Every topic has a loop of its own.
 *
 * ```
 *  due ──take──▶ leased ──delivered──▶ (removed, payload and all)
 *   ▲              │ failed: due again after a pause that doubles │ killed: due again when the lease ends
 *   └──────────────┘──── too often, too long or Undeliverable ──▶ parked
 * ```
 */
export function createRelay(deps: {
  db: Db;
  clock: Clock;
  log: Log;
  vault: Vault;
  bus: Pick<Bus, 'subscribe'>;
  consumers: Record<string, Consume | ConsumerOptions>;
  /** Seconds between looks at the table when nobody wakes the relay. Default 2. */
  pollSeconds?: number;
}): Relay {
  const lanes = new Map(
    Object.entries(deps.consumers).map(([topic, consumer]) => [
      topic,
      createLane(topic, typeof consumer === 'function' ? { consume: consumer } : consumer, deps),
    ]),
  );
  deps.bus.subscribe(outboxWake, (topic) => {
    if (topic === 'reconnected') for (const lane of lanes.values()) lane.wake();
    return lanes.get(topic)?.wake();
  });
  return {
    start: () => {
      for (const lane of lanes.values()) lane.start();
    },
    stop: async () => {
      await Promise.all([...lanes.values()].map((lane) => lane.stop()));
    },
  };
}

function createLane(
  topic: string,
  consumer: ConsumerOptions,
  deps: Parameters<typeof createRelay>[0],
): { start(): void; stop(): Promise<void>; wake(): boolean } {
  const { db, clock, log, vault, pollSeconds = 2 } = deps;
  const { timeoutSeconds = 30, concurrency = 5, attempts: mostAttempts = 100, days = 3 } = consumer;
  const inFlight = new Set<Promise<void>>();
  const bell = createBell();
  let running = false;
  let loop: Promise<void> = Promise.resolve();
  let outOfReach = false;

  /** Takes what is due. Of the messages with one key only the first still there can be taken. */
  const take = (most: number) =>
    db.query<Message>(
      `with due as (
         select id from outbox o
          where topic = $1 and parked_at is null and due_at <= $2
            and (key is null or not exists (
              select 1 from outbox e where e.topic = o.topic and e.key = o.key and e.id < o.id and e.parked_at is null))
          order by due_at, id limit $3 for update skip locked)
       update outbox o set due_at = $4, attempts = attempts + 1 from due where o.id = due.id
       returning o.id, o.message, o.key, o.payload, o.sealed, o.created_at, o.attempts`,
      [topic, clock.now(), most, secondsAfter(clock.now(), timeoutSeconds + leaseMarginSeconds)],
      'outbox-take',
    );

  const hand = async (taken: Message) => {
    const text = taken.sealed ? vault.open(taken.payload, payloadContext(topic, taken.message)) : taken.payload;
    const time = new AbortController();
    const delivery = {
      id: taken.message,
      attempt: taken.attempts,
      createdAt: new Date(taken.created_at),
      signal: time.signal,
    };
    const timer = setTimeout(() => time.abort(new Error('the consumer took too long')), timeoutSeconds * 1000);
    const late = new Promise<never>((_, reject) => {
      time.signal.addEventListener('abort', () => reject(time.signal.reason), { once: true });
    });
    try {
      const consume = async () => consumer.consume(JSON.parse(text) as never, delivery);
      const handed = inSpan(`deliver ${topic}`, { kind: 'consumer', root: true }, consume);
      await Promise.race([handed, late]);
    } finally {
      clearTimeout(timer);
    }
  };

  // `attempts` tells whether the lease is still ours: whoever takes the message after us raises it.
  const settle = async (taken: Message, error: unknown) => {
    const now = clock.now();
    const age = now.getTime() - new Date(taken.created_at).getTime();
    const failure = withoutAddresses(error);
    const facts = { topic, message: taken.message, attempt: taken.attempts, failure };
    if (error instanceof Undeliverable || taken.attempts >= mostAttempts || age >= days * 86_400_000) {
      log.error(facts, 'a message was parked');
      await db.query('update outbox set parked_at = $3, failure = $4 where id = $1 and attempts = $2', [
        taken.id,
        taken.attempts,
        now,
        failure,
      ]);
      return;
    }
    const pause = pauseAfter(taken.attempts);
    log.warn({ ...facts, retryInSeconds: Math.round(pause) }, 'a message was not delivered');
    await db.query('update outbox set due_at = $3, failure = $4 where id = $1 and attempts = $2', [
      taken.id,
      taken.attempts,
      secondsAfter(now, pause),
      failure,
    ]);
  };

  const remove = together<Message, unknown>(
    (delivered) =>
      db.query(
        `delete from outbox o using unnest($1::bigint[], $2::int[]) as d (id, attempts)
          where o.id = d.id and o.attempts = d.attempts`,
        [delivered.map(({ id }) => id), delivered.map(({ attempts }) => attempts)],
        'outbox-remove',
      ),
    { atOnce: 1 },
  );

  const deliver = async (taken: Message) => {
    try {
      await hand(taken);
    } catch (error) {
      return settle(taken, error);
    }
    await remove(taken);
  };

  const track = (taken: Message) => {
    const delivery = deliver(taken)
      // The store is away: the lease will end by itself and the message be delivered again.
      .catch((error: unknown) => log.warn({ err: error, topic, message: taken.message }, 'a delivery was not noted'))
      .finally(() => {
        // Otherwise everything that was due is under way already.
        const mayBeMore = inFlight.size >= concurrency || taken.key !== null;
        inFlight.delete(delivery);
        if (mayBeMore) bell.ring();
      });
    inFlight.add(delivery);
  };

  const takeOrComplain = async (most: number): Promise<Message[]> => {
    try {
      const taken = await take(most);
      outOfReach = false;
      return taken;
    } catch (error) {
      if (!outOfReach) log.warn({ err: error, topic }, 'the outbox is out of reach');
      outOfReach = true;
      return [];
    }
  };

  const run = async () => {
    while (running) {
      const free = concurrency - inFlight.size;
      const taken = free > 0 ? await takeOrComplain(free) : [];
      taken.forEach(track);
      if (taken.length < free || free === 0) await bell.heard(pollSeconds * 1000 * (0.75 + Math.random() / 2));
    }
    await Promise.all(inFlight);
  };

  return {
    start() {
      if (running) return;
      running = true;
      loop = run();
    },
    async stop() {
      running = false;
      bell.ring();
      await loop;
    },
    wake() {
      bell.ring();
      return running && inFlight.size < concurrency;
    },
  };
}

/** Waits for a ring or for time to pass; a ring while nobody waits is kept. */
function createBell(): { ring(): void; heard(milliseconds: number): Promise<void> } {
  let rung = false;
  let wakeUp = () => {};
  return {
    ring() {
      rung = true;
      wakeUp();
    },
    async heard(milliseconds) {
      if (!rung) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, milliseconds);
        wakeUp = resolve;
        await promise;
        clearTimeout(timer);
      }
      rung = false;
    },
  };
}

/** Seconds: 5, 10, 20 … one hour, half of it by chance, so that what failed together does not come back together. */
const pauseAfter = (attempts: number): number =>
  Math.min(3_600, 5 * 2 ** Math.min(attempts - 1, 20)) * (0.5 + Math.random() / 2);

/** A mail server's refusal repeats the address; what is kept and logged must not. */
function withoutAddresses(error: unknown): string {
  const { code, message } = error instanceof Error ? (error as Error & { code?: unknown }) : { message: String(error) };
  const words = message.replaceAll(/[^\s<>"'(),;:]+@[^\s<>"'(),;]+/gu, '[address]').slice(0, 300);
  return code === undefined ? words : `${String(code)}: ${words}`;
}
