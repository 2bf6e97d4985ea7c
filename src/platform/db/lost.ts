import type { Pool, PoolClient } from 'pg';

type Query = (...args: unknown[]) => unknown;

/**
 * Gives back what nobody else does. A transaction whose `begin` or `rollback` fails, as when the server restarts, never
 * releases its connection (Kysely's controlled transactions); each such loss would leave the pool one connection poorer, until
 * a process that lives through some restarts has none and is unavailable for ever.
 *
 * A statement that had no answer in time ends its connection: nobody knows what is still going on there.
 */
export function releaseLost(pool: Pool): void {
  const seen = new WeakSet<PoolClient>();
  // Not `connect`: MikroORM has connected by the time we are given the pool.
  pool.on('acquire', (client) => {
    if (seen.has(client)) return;
    seen.add(client);
    endAfterTimeout(client);
    client.once('end', () => {
      try {
        client.release(true);
      } catch {
        // Whoever had it has released it.
      }
      // Whoever still has it may release it, too.
      client.release = () => {};
    });
  });
}

function endAfterTimeout(client: PoolClient): void {
  const plain = client.query.bind(client) as Query;
  const look = (error: unknown) => {
    if (error instanceof Error && error.message === 'Query read timeout') {
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    }
  };
  (client as { query: Query }).query = (...args) => {
    const answer = args.at(-1);
    if (typeof answer === 'function') {
      return plain(...args.slice(0, -1), (error: unknown, result: unknown) => {
        look(error);
        (answer as Query)(error, result);
      });
    }
    const result = plain(...args);
    if (result instanceof Promise) result.catch(look);
    return result;
  };
}
