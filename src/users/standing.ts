import type { Db } from '../platform/db/index.ts';
import { type CacheReads, isId, remembered, type Stops } from '../platform/index.ts';

export interface Standing {
  /**
   * Whether the account may be given something to hold. Inside a transaction it also keeps the account from being
   * stopped until that transaction ends: stopping locks the row for update, so nothing is born after a stop.
   */
  mayHold(accountId: string): Promise<boolean>;
  /** Whether what the account holds is good at this moment; takes no lock. */
  stands(accountId: string): Promise<boolean>;
  /** The same from memory, as of the caller's last `stops.catchUp`. */
  isKnownToStand(accountId: string): Promise<boolean>;
  cacheReads(): CacheReads;
  /** Whether the account stands and is an administrator's; takes no lock. */
  administers(accountId: string): Promise<boolean>;
}

/** The question every token and session hangs on, apart from `createUsers` because `sessions` needs the answer first. */
export function createStanding({ db, stops }: { db: Db; stops?: Stops }): Standing {
  const ask = async (accountId: string, rest: '' | 'for share' | 'and administrator') => {
    if (!isId(accountId)) return false;
    const statement = `select 1 from user_account where id = $1 and state = 'Active' ${rest}`;
    return (await db.query(statement, [accountId], `standing ${rest}`)).length === 1;
  };
  const known = remembered<true>({
    stops,
    topic: 'holder',
    // Who comes back is to be let in at once, and nobody tells of that.
    keepMissing: false,
    maxAge: 30_000,
    most: 50_000,
    load: async (accountId) => (await ask(accountId, '')) || undefined,
  });
  return {
    isKnownToStand: async (accountId) => (await known.get(accountId)) ?? false,
    cacheReads: known.reads,
    mayHold: (accountId) => ask(accountId, 'for share'),
    stands: (accountId) => ask(accountId, ''),
    administers: (accountId) => ask(accountId, 'and administrator'),
  };
}
