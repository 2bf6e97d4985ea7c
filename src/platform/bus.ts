import { Client } from 'pg';
import type { Db } from './db/index.ts';
import type { Log } from './log.ts';

type Listener = (message: string) => unknown;

/**
 * Tells the other processes that something changed. Best effort: whoever listens keeps a version check or a periodic
 * reload behind it, so that a lost message costs time and never correctness.
 */
export interface Bus {
  /** Inside a transaction the message leaves at its commit. @param message at most 7,000 bytes, no secrets */
  publish(topic: string, message?: string): Promise<void>;
  /** Tells this process alone, at once. @returns whether a listener has taken it on, so that nobody else need be told */
  offer(topic: string, message: string): boolean;
  /**
   * `listener` also hears this process's own messages, and `'reconnected'` after a gap in which some may have been lost. It
   * returns true for what it has taken on.
   */
  subscribe(topic: string, listener: Listener): void;
  close(): Promise<void>;
}

const channel = 'cardea';
const retryAfterMilliseconds = 1_000;

/** A bus over PostgreSQL's LISTEN/NOTIFY, which carries a message exactly when its transaction commits. */
export async function createBus(options: { url: string; db: Db; log: Log }): Promise<Bus> {
  const { db, log } = options;
  const listeners = new Map<string, Set<Listener>>();
  let client: Client | undefined;
  let closed = false;

  const tell = (topic: string, message: string): boolean => {
    let taken = false;
    for (const listener of listeners.get(topic) ?? []) {
      try {
        if (listener(message) === true) taken = true;
      } catch (error) {
        log.error({ err: error, topic }, 'a listener on the bus failed');
      }
    }
    return taken;
  };

  const tellAll = (message: string) => {
    for (const topic of listeners.keys()) tell(topic, message);
  };

  /** Until it succeeds; whichever try that is, messages may have been lost meanwhile. */
  const later = () => {
    const retry = (error: unknown) => {
      log.warn({ err: error }, 'the bus is out of reach');
      if (!closed) later();
    };
    setTimeout(() => connect().then(() => tellAll('reconnected'), retry), retryAfterMilliseconds).unref();
  };

  const connect = async () => {
    const fresh = new Client({ connectionString: options.url, keepAlive: true });
    const reconnect = () => {
      if (closed || client !== fresh) return;
      client = undefined;
      later();
    };
    fresh.on('error', reconnect);
    fresh.on('end', reconnect);
    fresh.on('notification', ({ payload = '' }) => {
      const at = payload.indexOf(' ');
      tell(payload.slice(0, at), payload.slice(at + 1));
    });
    await fresh.connect();
    await fresh.query(`listen ${channel}`);
    client = fresh;
  };
  await connect();

  return {
    async publish(topic, message = '') {
      await db.query('select pg_notify($1, $2)', [channel, `${topic} ${message}`], 'notify');
    },
    offer: tell,
    subscribe(topic, listener) {
      listeners.set(topic, (listeners.get(topic) ?? new Set()).add(listener));
    },
    async close() {
      closed = true;
      await client?.end();
    },
  };
}
