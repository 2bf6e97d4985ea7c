import { AsyncLocalStorage } from 'node:async_hooks';
import { type EntityManager, type EntitySchema, MikroORM, type Options } from '@mikro-orm/postgresql';
import type { CompiledQuery } from 'kysely';
import type { ClientBase, Pool, PoolClient } from 'pg';
import type { Log } from '../log.ts';
import { isTracing } from '../spans.ts';
import { storeFault } from './fault.ts';
import { createReplica, type ReplicaSettings, type ReplicaState } from './replica.ts';
import { traceStatements } from './traced.ts';
import { gather, inTransaction } from './transaction.ts';

export type { EntityManager };

export interface Db {
  /** The open transaction's unit of work, which begins when it is first asked for; outside one a fresh fork, for reading. */
  em(): EntityManager;
  /**
   * Runs `work` in a transaction, or in the open one if there is one (no savepoint: all or nothing), and flushes
   * the unit of work before the commit. Hashing, parsing and calls out belong before it.
   */
  transact<T>(work: () => Promise<T>): Promise<T>;
  /** Stands for the open transaction: for whoever keeps something by it. @throws when none is open */
  transaction(): object;
  /** Runs in the open transaction as the last thing before its commit; what it throws rolls everything back. */
  beforeCommit(work: () => Promise<void>): void;
  /** Runs once the outermost transaction has committed; at once when none is open. Not run after a rollback. */
  afterCommit(work: () => void | Promise<void>): void;
  /**
   * A plain statement with `$1` parameters, in the open transaction if there is one.
   * @param name prepares it once on each connection: for hot statements whose text never varies
   */
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]>;
  /**
   * A plain statement whose answer may be some seconds old: for lists, searches and figures, never for what decides about
   * access or is changed by what was read. Asked of the replica if there is one and it is well, else as `query`, as always
   * in an open transaction.
   */
  late<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Undefined without a replica. */
  replica(): ReplicaState | undefined;
  /** Waits for the advisory lock `name` and holds it until the open transaction ends. */
  lock(name: string): Promise<void>;
  readonly pool: Pool;
  readonly orm: MikroORM;
  close(): Promise<void>;
}

interface OpenTransaction {
  client: PoolClient;
  /** The connection is its own only while it is open; then it is the next one's. */
  state: 'open' | 'done' | 'undone';
  em?: EntityManager;
  beforeCommit: (() => Promise<void>)[];
  afterCommit: (() => void | Promise<void>)[];
}

/**
 * @param options.entities every room's entities
 * @param options.migrations folder of the migrations
 * @param options.connections most connections this process holds
 * @param options.answerWithin seconds in which the server must have answered a statement, else it counts as out of
 *   reach: a network that loses everything without a word would hold a request for ever. Not for migrations
 * @param options.replica a copy for what may lag
 * @throws Refusal `store.unavailable` from every call while the server cannot be reached
 */
export async function createDb(options: {
  url: string;
  entities: EntitySchema[];
  migrations: string;
  log: Log;
  connections?: number;
  answerWithin?: number;
  replica?: ReplicaSettings | undefined;
}): Promise<Db> {
  const orm = await MikroORM.init({
    clientUrl: options.url,
    driverOptions: poolOptions(options),
    entities: options.entities,
    pool: { min: 0, max: options.connections ?? 20 },
    migrations: { path: options.migrations, pathTs: options.migrations, snapshot: false, tableName: 'migration' },
    discovery: { warnWhenNoEntities: false },
    logger: (message) => options.log.debug(message),
  } as Options);
  const pool = await orm.em.getConnection('write').getNativeClient();
  if (isTracing()) traceStatements(pool);
  const replica =
    options.replica &&
    (await createReplica({
      settings: options.replica,
      primary: pool,
      options: { ...poolOptions(options), max: options.connections ?? 20 },
      log: options.log,
    }));
  const open = new AsyncLocalStorage<OpenTransaction>();

  const runAfterCommit = async (works: OpenTransaction['afterCommit']) => {
    for (const work of works) {
      // The commit stands whatever happens here: a failure is logged, never turned into a refusal of what was done.
      await open
        .exit(async () => work())
        .catch((error: unknown) => options.log.error({ err: error }, 'work after commit failed'));
    }
  };

  /** An entity manager on the transaction's connection. Of a transaction MikroORM asks nothing but this. */
  const unitOfWork = (open: OpenTransaction): EntityManager => {
    const em = orm.em.fork();
    const transaction = {
      isTransaction: true,
      async executeQuery({ sql, parameters }: CompiledQuery) {
        if (open.state !== 'open') throw new Error('the transaction is over');
        const { rows, rowCount } = await open.client.query(sql, [...parameters]);
        return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
      },
    };
    em.setTransactionContext(transaction as never);
    return em;
  };

  /**
   * The transaction that is open here. What was begun in one and comes after its end is outside it; after a rollback it is
   * not done at all, as a part of what was taken back.
   */
  const current = (): OpenTransaction | undefined => {
    const transaction = open.getStore();
    if (transaction?.state === 'undone') throw new Error('the transaction has been rolled back');
    return transaction?.state === 'open' ? transaction : undefined;
  };

  const demandOpen = (): OpenTransaction => {
    const joined = current();
    if (!joined) throw new Error('there is no open transaction');
    return joined;
  };

  const db: Db = {
    orm,
    pool,
    em() {
      const joined = current();
      if (!joined) return orm.em.fork();
      joined.em ??= unitOfWork(joined);
      return joined.em;
    },
    async transact(work) {
      if (current()) return work();
      const beforeCommit: OpenTransaction['beforeCommit'] = [];
      const afterCommit: OpenTransaction['afterCommit'] = [];
      const whole = async (client: PoolClient) => {
        const transaction: OpenTransaction = { client, state: 'open', beforeCommit, afterCommit };
        try {
          const result = await open.run(transaction, async () => {
            const result = await work();
            await transaction.em?.flush();
            for (const last of beforeCommit) await last();
            await transaction.em?.flush();
            return result;
          });
          transaction.state = 'done';
          return result;
        } catch (error) {
          transaction.state = 'undone';
          throw error;
        }
      };
      const result = await storeFault(() => inTransaction(pool, whole));
      await runAfterCommit(afterCommit);
      return result;
    },
    transaction: demandOpen,
    beforeCommit(work) {
      demandOpen().beforeCommit.push(work);
    },
    afterCommit(work) {
      const joined = open.getStore();
      if (joined && joined.state !== 'done') joined.afterCommit.push(work);
      else void runAfterCommit([work]);
    },
    async query<Row>(sql: string, params: readonly unknown[] = [], name?: string) {
      return storeFault(async () => {
        await current()?.em?.flush();
        const statement = { text: sql, values: [...params], ...(name && { name }) };
        const joined = current();
        if (joined) gather(joined.client);
        return (await (joined?.client ?? pool).query(statement)).rows as Row[];
      });
    },
    async late<Row>(sql: string, params: readonly unknown[] = []) {
      const answer = replica && !current() ? await replica.query<Row>(sql, params) : undefined;
      return answer ?? db.query<Row>(sql, params);
    },
    replica: () => replica?.state,
    async lock(name) {
      demandOpen();
      await db.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [name]);
    },
    async close() {
      await replica?.close();
      await orm.close(true);
    },
  };
  return db;
}

/**
 * A request wants a row or a page of them: starting workers or a compiler takes longer than that. And pages are in memory
 * or on a disk without a head, where one is as near as the next.
 */
const plannedForRequests = 'set jit = off; set max_parallel_workers_per_gather = 0; set random_page_cost = 1.1';

/** A socket folder in the URL (`?host=/path`) is something pg knows and MikroORM's URL reader does not. */
function poolOptions({ url, answerWithin }: { url: string; answerWithin?: number }): Record<string, unknown> {
  return {
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    pipeline: true,
    onConnect: (client: ClientBase) => client.query(plannedForRequests),
    ...(answerWithin ? { query_timeout: answerWithin * 1_000 } : {}),
  };
}
