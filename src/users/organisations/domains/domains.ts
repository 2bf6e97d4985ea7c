import type { Events } from '../../../events/index.ts';
import { type Db, isDuplicate } from '../../../platform/db/index.ts';
import { type Bus, type Clock, isId, type Log, Refusal, randomToken } from '../../../platform/index.ts';
import type { By } from '../../users.ts';
import { type Organisation, organisationTopic } from '../organisations.ts';
import { createHolders } from './holder.ts';
import { createRecheck } from './recheck.ts';
import { type DomainRow, domainOf, isThere, type OrganisationDomain, type ResolveTxt, shown } from './record.ts';

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

/** That an organisation may claim. */
const most = 100;

export function createOrganisationDomains(ports: DomainPorts): OrganisationDomains {
  const { db, bus, clock, events, resolveTxt } = ports;

  const rowOf = async (organisationId: string, domain: string | undefined): Promise<DomainRow> => {
    const [row] =
      domain && isId(organisationId)
        ? await db.query<DomainRow>('select * from organisation_domain where organisation_id = $1 and domain = $2', [
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
  const settle = async (organisationId: string, row: DomainRow, checkedAt: Date | null, by: By) => {
    try {
      return await db.transact(async () => {
        // One organisation holds a domain. Asked first, since whoever broke the index could not go on in its transaction.
        await db.lock(`domain:${row.domain}`);
        const [held] = await db.query<DomainRow & { organisation_id: string }>(
          'select * from organisation_domain where domain = $1 and proved_at is not null',
          [row.domain],
        );
        if (held?.organisation_id === organisationId) return shown(held);
        if (held) throw new Refusal('domain.taken', { kind: 'conflict' });
        // The token as well: it is another one when the domain was removed and claimed again meanwhile.
        const [proved] = await db.query<DomainRow>(
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

  const recheck = createRecheck({
    ...ports,
    async lost(organisationId, domain) {
      await changed('organisation.domain_lost', organisationId, domain, { actor: { kind: 'system' } });
      await ports.lost?.(organisationId, domain);
    },
  });

  return {
    organisationOfDomain: createHolders(ports),
    recheck,

    async list(organisationId) {
      if (!isId(organisationId)) return [];
      const rows = await db.query<DomainRow>(
        'select * from organisation_domain where organisation_id = $1 order by domain',
        [organisationId],
      );
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
        const made = await db.query<DomainRow>(
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
        there = await isThere(resolveTxt, row);
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
  };
}
