import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';

/** What a person has allowed an application, apart from any grant: a new session need not ask again. */
export interface ConsentRecord {
  scopes: string[];
  claims: string[];
  resourceScopes: Record<string, string[]>;
}

export interface Consents {
  of(accountId: string, clientId: string): Promise<ConsentRecord | undefined>;
  /** Adds to what was allowed before. */
  give(accountId: string, clientId: string, allowed: ConsentRecord): Promise<void>;
  /** @returns whether there was one */
  withdraw(accountId: string, clientId: string): Promise<boolean>;
  listOf(accountId: string): Promise<(ConsentRecord & { clientId: string; givenAt: Date })[]>;
}

const union = (a: string[] = [], b: string[] = []) => [...new Set([...a, ...b])];

export function createConsents({ db, clock }: { db: Db; clock: Clock }): Consents {
  const of: Consents['of'] = async (accountId, clientId) => {
    const [row] = await db.query<{ scopes: string[]; claims: string[]; resource_scopes: Record<string, string[]> }>(
      'select scopes, claims, resource_scopes from consent where account_id = $1 and client_id = $2',
      [accountId, clientId],
    );
    return row && { scopes: row.scopes, claims: row.claims, resourceScopes: row.resource_scopes };
  };
  return {
    of,
    give: (accountId, clientId, allowed) =>
      db.transact(async () => {
        await db.lock(`consent:${accountId}:${clientId}`);
        const before = await of(accountId, clientId);
        const resources = union(Object.keys(before?.resourceScopes ?? {}), Object.keys(allowed.resourceScopes));
        const resourceScopes = Object.fromEntries(
          resources.map((resource) => [
            resource,
            union(before?.resourceScopes[resource], allowed.resourceScopes[resource]),
          ]),
        );
        await db.query(
          `insert into consent (account_id, client_id, scopes, claims, resource_scopes, given_at) values ($1,$2,$3,$4,$5,$6)
           on conflict (account_id, client_id) do update
             set scopes = excluded.scopes, claims = excluded.claims,
                 resource_scopes = excluded.resource_scopes, given_at = excluded.given_at`,
          [
            accountId,
            clientId,
            union(before?.scopes, allowed.scopes),
            union(before?.claims, allowed.claims),
            JSON.stringify(resourceScopes),
            clock.now(),
          ],
        );
      }),
    async withdraw(accountId, clientId) {
      const rows = await db.query('delete from consent where account_id = $1 and client_id = $2 returning 1', [
        accountId,
        clientId,
      ]);
      return rows.length === 1;
    },
    async listOf(accountId) {
      const rows = await db.query<{
        client_id: string;
        scopes: string[];
        claims: string[];
        resource_scopes: Record<string, string[]>;
        given_at: string;
      }>('select client_id, scopes, claims, resource_scopes, given_at from consent where account_id = $1', [accountId]);
      return rows.map((row) => ({
        clientId: row.client_id,
        scopes: row.scopes,
        claims: row.claims,
        resourceScopes: row.resource_scopes,
        givenAt: new Date(row.given_at),
      }));
    },
  };
}
