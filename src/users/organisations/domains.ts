import { domainToASCII } from 'node:url';
import type { Events } from '../../events/index.ts';
import { type Db, isDuplicate } from '../../platform/db/index.ts';
import {
  type Bus,
  type Clock,
  isId,
  type Log,
  Refusal,
  randomToken,
  sameBytes,
  secondsAfter,
} from '../../platform/index.ts';
import type { By } from '../users.ts';
import { type Organisation, type OrganisationRow, organisationOf, organisationTopic } from './organisations.ts';

/** Asks the DNS for TXT records: each of several strings. Throws as `node:dns` does. */
export type ResolveTxt = (name: string) => Promise<string[][]>;

export interface OrganisationDomain {
  domain: string;
  /** What the TXT record has to say, at {@link challengeName} or at the domain itself. */
  record: string;
  provedAt: Date | undefined;
  checkedAt: Date | undefined;
  /** Checks in a row that did not find the record any more. */
  failures: number;
}

export interface OrganisationDomains {
  list(organisationId: string): Promise<OrganisationDomain[]>;
  /**
   * Says that the domain is the organisation's; it counts for nothing until it is proved. Any number may say so.
   * @throws Refusal `domain.malformed` (invalid), `organisation.unknown` (missing), `domain.too_many` (conflict)
   */
  claim(organisationId: string, domain: string, by: By): Promise<OrganisationDomain>;
  /**
   * Looks for the record now. One organisation holds a domain: who proves it first.
   * @throws Refusal `domain.unknown` (missing), `domain.unproved` (conflict): the record is not there,
   *   `domain.taken` (conflict), `domain.unreachable` (unavailable): the DNS does not answer
   */
  prove(organisationId: string, domain: string, by: By): Promise<OrganisationDomain>;
  /**
   * Takes the operator's word in place of the record. It is not looked at again.
   * @throws Refusal `domain.unknown` (missing), `domain.taken` (conflict)
   */
  vouch(organisationId: string, domain: string, by: By): Promise<void>;
  /** @returns whether there was one */
  remove(organisationId: string, domain: string, by: By): Promise<boolean>;
  /** The organisation that has proved the domain (in any spelling), with its policy; from memory. */
  organisationOfDomain(domain: string): Promise<Organisation | undefined>;
  /** Looks again at what was proved a day ago or longer: for a job. Calls {@link DomainPorts.lost} for what is lost. */
  recheck(signal?: AbortSignal): Promise<void>;
}

export interface DomainPorts {
  db: Db;
  bus: Bus;
  clock: Clock;
  log: Log;
  events: Pick<Events, 'record'>;
  resolveTxt: ResolveTxt;
  /** In the transaction in which the domain ceases to be the organisation's. */
  lost?: (organisationId: string, domain: string) => Promise<void>;
}

/** Seconds between two looks at a proved domain. */
const recheckAfter = 24 * 60 * 60;
/** So many looks in a row without the record, and the domain is the organisation's no more: a slip is mended meanwhile. */
const mostFailures = 4;
const most = 100;
const prefix = 'cardea-domain-verification=';

export const challengeName = (domain: string): string => `_cardea-challenge.${domain}`;

/** In A-labels, as the DNS has it. @returns undefined for what is no domain that somebody could own */
export function domainOf(text: string): string | undefined {
  // Node would take the beginning for the whole, as of a URL.
  if (/[/?#\\]/.test(text)) return undefined;
  const domain = domainToASCII(text.trim().replace(/\.$/, '')).toLowerCase();
  const label = /^[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?$/;
  const labels = domain.split('.');
  if (domain.length > 230 || labels.length < 2 || !labels.every((each) => label.test(each))) return undefined;
  // An address, not a name.
  return /^\d+$/.test(labels.at(-1)!) ? undefined : domain;
}

interface Row {
  domain: string;
  token: string;
  proved_at: string | null;
  checked_at: string | null;
  failures: number;
}

const shown = (row: Row): OrganisationDomain => ({
  domain: row.domain,
  record: prefix + row.token,
  provedAt: row.proved_at ? new Date(row.proved_at) : undefined,
  checkedAt: row.checked_at ? new Date(row.checked_at) : undefined,
  failures: row.failures,
});

/** The DNS says that there is no such record, as opposed to saying nothing. */
const isNo = (error: unknown): boolean => ['ENOTFOUND', 'ENODATA'].includes((error as { code?: string })?.code ?? '');

export function createOrganisationDomains(ports: DomainPorts): OrganisationDomains {
  const { db, bus, clock, log, events, resolveTxt, lost } = ports;
  const kept = new Map<string, { organisation: Organisation | undefined; until: number }>();
  let generation = 0;
  bus.subscribe(organisationTopic, () => {
    generation++;
    kept.clear();
  });

  /** @throws what the DNS throws when neither place can be asked */
  const isThere = async ({ domain, token }: Row): Promise<boolean> => {
    let silent: unknown;
    for (const name of [challengeName(domain), domain]) {
      try {
        const records = await resolveTxt(name);
        if (records.some((parts) => sameBytes(parts.join('').trim(), prefix + token))) return true;
      } catch (error) {
        if (!isNo(error)) silent = error;
      }
    }
    if (silent) throw silent;
    return false;
  };

  const rowOf = async (organisationId: string, domain: string | undefined): Promise<Row> => {
    const [row] =
      domain && isId(organisationId)
        ? await db.query<Row>('select * from organisation_domain where organisation_id = $1 and domain = $2', [
            organisationId,
            domain,
          ])
        : [];
    if (!row) throw new Refusal('domain.unknown', { kind: 'missing' });
    return row;
  };

  const changed = (
    type: `organisation.domain_${'claimed' | 'proved' | 'lost' | 'removed'}`,
    organisationId: string,
    domain: string,
    by: By,
  ) =>
    bus
      .publish(organisationTopic, organisationId)
      .then(() => events.record({ type, ...by, data: { organisation: organisationId, domain } }));

  /** @param checkedAt of one that was looked at, and will be again */
  const settle = async (organisationId: string, row: Row, checkedAt: Date | null, by: By) => {
    try {
      return await db.transact(async () => {
        // One organisation holds a domain. Asked first, since whoever broke the index could not go on in its transaction.
        await db.lock(`domain:${row.domain}`);
        const [held] = await db.query<Row & { organisation_id: string }>(
          'select * from organisation_domain where domain = $1 and proved_at is not null',
          [row.domain],
        );
        if (held?.organisation_id === organisationId) return shown(held);
        if (held) throw new Refusal('domain.taken', { kind: 'conflict' });
        // The token as well: it is another one when the domain was removed and claimed again meanwhile.
        const [proved] = await db.query<Row>(
          `update organisation_domain set proved_at = $4, checked_at = $5, failures = 0
           where organisation_id = $1 and domain = $2 and token = $3 returning *`,
          [organisationId, row.domain, row.token, clock.now(), checkedAt],
        );
        if (!proved) throw new Refusal('domain.unknown', { kind: 'missing' });
        await changed('organisation.domain_proved', organisationId, row.domain, by);
        return shown(proved);
      });
    } catch (error) {
      if (isDuplicate(error, 'organisation_domain_proved')) throw new Refusal('domain.taken', { kind: 'conflict' });
      throw error;
    }
  };

  const lookAgain = async (organisationId: string, row: Row): Promise<void> => {
    let there: boolean;
    try {
      there = await isThere(row);
    } catch (error) {
      // Silence proves nothing, either way.
      log.warn({ err: error, organisation: organisationId }, 'a domain could not be looked at');
      return;
    }
    await db.transact(async () => {
      const [after] = await db.query<Row>(
        `update organisation_domain set checked_at = $3, failures = case when $4 then 0 else failures + 1 end,
           proved_at = case when $4 or failures + 1 < $5 then proved_at end
         where organisation_id = $1 and domain = $2 and proved_at is not null returning *`,
        [organisationId, row.domain, clock.now(), there, mostFailures],
      );
      if (!after || after.proved_at) return;
      await changed('organisation.domain_lost', organisationId, row.domain, { actor: { kind: 'system' } });
      await lost?.(organisationId, row.domain);
    });
  };

  return {
    async list(organisationId) {
      if (!isId(organisationId)) return [];
      const rows = await db.query<Row>('select * from organisation_domain where organisation_id = $1 order by domain', [
        organisationId,
      ]);
      return rows.map(shown);
    },

    claim: (organisationId, text, by) =>
      db.transact(async () => {
        const domain = domainOf(text);
        if (!domain) throw new Refusal('domain.malformed', { kind: 'invalid' });
        const [place] = isId(organisationId)
          ? await db.query<{ domains: number }>(
              `select (select count(*)::int from organisation_domain d where d.organisation_id = o.id) as domains
               from organisation o where id = $1 for update`,
              [organisationId],
            )
          : [];
        if (!place) throw new Refusal('organisation.unknown', { kind: 'missing' });
        if (place.domains >= most) throw new Refusal('domain.too_many', { kind: 'conflict' });
        const made = await db.query<Row>(
          `insert into organisation_domain (organisation_id, domain, token, created_at) values ($1, $2, $3, $4)
           on conflict do nothing returning *`,
          [organisationId, domain, randomToken(), clock.now()],
        );
        if (made.length > 0) await changed('organisation.domain_claimed', organisationId, domain, by);
        return shown(made[0] ?? (await rowOf(organisationId, domain)));
      }),

    async prove(organisationId, text, by) {
      const row = await rowOf(organisationId, domainOf(text));
      if (row.proved_at) return shown(row);
      let there: boolean;
      try {
        there = await isThere(row);
      } catch (error) {
        throw new Refusal('domain.unreachable', { kind: 'unavailable', cause: error });
      }
      if (!there) throw new Refusal('domain.unproved', { kind: 'conflict' });
      return settle(organisationId, row, clock.now(), by);
    },

    async vouch(organisationId, text, by) {
      const row = await rowOf(organisationId, domainOf(text));
      if (!row.proved_at) await settle(organisationId, row, null, by);
    },

    remove: (organisationId, text, by) =>
      db.transact(async () => {
        const domain = domainOf(text);
        if (!domain || !isId(organisationId)) return false;
        const removed = await db.query(
          'delete from organisation_domain where organisation_id = $1 and domain = $2 returning 1',
          [organisationId, domain],
        );
        if (removed.length === 0) return false;
        await changed('organisation.domain_removed', organisationId, domain, by);
        return true;
      }),

    async organisationOfDomain(text) {
      const domain = domainOf(text);
      if (!domain) return undefined;
      const known = kept.get(domain);
      if (known && known.until > performance.now()) return known.organisation;
      const started = generation;
      const [row] = await db.query<OrganisationRow>(
        `select o.* from organisation_domain d join organisation o on o.id = d.organisation_id
         where d.domain = $1 and d.proved_at is not null`,
        [domain],
      );
      const organisation = row && organisationOf(row);
      if (started === generation) {
        // Strangers type what they like: bounded, oldest out.
        if (kept.size >= 10_000) kept.delete(kept.keys().next().value!);
        kept.set(domain, { organisation, until: performance.now() + 30_000 });
      }
      return organisation;
    },

    async recheck(signal) {
      const due = await db.query<Row & { organisation_id: string }>(
        `select * from organisation_domain where proved_at is not null and checked_at <= $1 order by checked_at limit 1000`,
        [secondsAfter(clock.now(), -recheckAfter)],
      );
      for (const row of due) {
        if (signal?.aborted) return;
        await lookAgain(row.organisation_id, row);
      }
    },
  };
}
