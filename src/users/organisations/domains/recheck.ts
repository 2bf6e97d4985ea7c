import type { Db } from '../../../platform/db/index.ts';
import { type Clock, type Log, secondsAfter } from '../../../platform/index.ts';
import { type DomainRow, isThere, type ResolveTxt } from './record.ts';

/** Seconds between two looks at a proved domain. */
const recheckAfter = 24 * 60 * 60;
/** So many looks in a row without the record, and the domain is the organisation's no more: a slip is mended meanwhile. */
const mostFailures = 4;

/**
 * Looks again at what was proved a day ago or longer: for a job.
 * @param ports.lost in the transaction in which a domain ceases to be the organisation's
 */
export function createRecheck(ports: {
  db: Db;
  clock: Clock;
  log: Log;
  resolveTxt: ResolveTxt;
  lost(organisationId: string, domain: string): Promise<void>;
}) {
  const { db, clock, log, resolveTxt, lost } = ports;

  const lookAgain = async (organisationId: string, row: DomainRow): Promise<void> => {
    let there: boolean;
    try {
      there = await isThere(resolveTxt, row);
    } catch (error) {
      // Silence proves nothing, either way.
      log.warn({ err: error, organisation: organisationId }, 'a domain could not be looked at');
      return;
    }
    await db.transact(async () => {
      const [after] = await db.query<DomainRow>(
        `update organisation_domain set checked_at = $3, failures = case when $4 then 0 else failures + 1 end,
           proved_at = case when $4 or failures + 1 < $5 then proved_at end
         where organisation_id = $1 and domain = $2 and proved_at is not null returning *`,
        [organisationId, row.domain, clock.now(), there, mostFailures],
      );
      if (!after || after.proved_at) return;
      await lost(organisationId, row.domain);
    });
  };

  return async (signal?: AbortSignal): Promise<void> => {
    const due = await db.query<DomainRow & { organisation_id: string }>(
      `select * from organisation_domain where proved_at is not null and checked_at <= $1 order by checked_at limit 1000`,
      [secondsAfter(clock.now(), -recheckAfter)],
    );
    for (const row of due) {
      if (signal?.aborted) return;
      await lookAgain(row.organisation_id, row);
    }
  };
}
