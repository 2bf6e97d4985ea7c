import type { Pool, PoolClient } from 'pg';
import { inSpan } from '../spans.ts';

type Query = (...args: unknown[]) => unknown;

/** A span for each statement on the pool's connections: what it does and to which table, never its text or values. */
export function traceStatements(pool: Pool): void {
  const seen = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (seen.has(client)) return;
    seen.add(client);
    const plain = client.query.bind(client) as Query;
    (client as { query: Query }).query = (...args) => {
      const [statement] = args as [string | { text?: string; submit?: unknown; callback?: unknown }];
      const text = typeof statement === 'string' ? statement : statement.text;
      // Cursors and the like run on a connection by themselves.
      if (text === undefined || (typeof statement === 'object' && (statement.submit || statement.callback)))
        return plain(...args);
      const name = summaryOf(text);
      const options = {
        kind: 'client',
        attributes: { 'db.system.name': 'postgresql', 'db.query.summary': name },
      } as const;
      const answer = args.at(-1);
      if (typeof answer !== 'function') return inSpan(name, options, () => plain(...args) as Promise<unknown>);
      const told = (...result: unknown[]) => void (answer as Query)(...result);
      inSpan(name, options, () => {
        return new Promise((resolve, reject) => {
          plain(...args.slice(0, -1), (error: Error | undefined, result: unknown) =>
            error ? reject(error) : resolve(result),
          );
        });
      }).then(
        (result) => told(undefined, result),
        (error) => told(error),
      );
      return undefined;
    };
  });
}

/** As `select user_account`: both are words of ours. */
export function summaryOf(text: string): string {
  const verb = /^\s*(?:with\b.*?\)\s*)?(select|insert|update|delete|begin|commit|rollback|listen|set)\b/is.exec(
    text,
  )?.[1];
  const table = /\b(?:from|into|update)\s+(?:only\s+)?(?:"?public"?\.)?"?([a-z_][a-z0-9_]*)"?/i.exec(text)?.[1];
  return [verb?.toLowerCase() ?? 'statement', verb && table].filter(Boolean).join(' ');
}
