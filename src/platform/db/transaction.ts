import type { Writable } from 'node:stream';
import type { Pool, PoolClient } from 'pg';

/**
 * Runs `work` between `begin` and `commit` on a connection of its own. `begin` is sent along with the first statement
 * (pipelining), so that it costs no round trip.
 * @throws whatever `work` throws, rolled back; and where the server rolled back what was to be committed, as it does after
 *   a statement whose failure `work` has swallowed
 */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    gather(client);
    const begun = client.query('begin');
    begun.catch(() => {});
    const result = await work(client);
    await begun;
    const { command } = await client.query('commit');
    if (command !== 'COMMIT') throw new Error('a statement failed, so that the transaction could not be committed');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failed: Error) => {
      broken = failed;
    });
    throw error;
  } finally {
    // A connection on which not even a rollback succeeds is nobody's any more.
    client.release(broken);
  }
}

/** What is sent to the server until whatever is at hand waits is sent in one piece: each piece wakes its process. */
export function gather(client: PoolClient): void {
  const { stream } = (client as PoolClient & { connection: { stream: Writable } }).connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
