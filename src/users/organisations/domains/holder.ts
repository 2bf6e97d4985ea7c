import type { Db } from '../../../platform/db/index.ts';
import type { Bus } from '../../../platform/index.ts';
import { type Organisation, type OrganisationRow, organisationOf, organisationTopic } from '../organisations.ts';
import { domainOf } from './record.ts';

/** The organisation that has proved a domain, in any spelling, with its policy; from memory. */
export function createHolders({ db, bus }: { db: Db; bus: Pick<Bus, 'subscribe'> }) {
  const kept = new Map<string, { organisation: Organisation | undefined; until: number }>();
  let generation = 0;
  bus.subscribe(organisationTopic, () => {
    generation++;
    kept.clear();
  });

  return async (text: string): Promise<Organisation | undefined> => {
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
  };
}
