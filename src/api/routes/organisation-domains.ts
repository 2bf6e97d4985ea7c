import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { challengeName, type OrganisationDomain } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, shown, text } from '../schemas.ts';
import { demandPlace, forManagers, section } from './organisations.ts';

const domain = z
  .strictObject({
    domain: z.string(),
    record: z.strictObject({ name: z.string(), type: z.literal('TXT'), value: z.string() }).describe('What proves it'),
    proved_at: moment().nullable(),
    checked_at: moment().nullable().describe('A proved domain is looked at again every day'),
    failures: z.number().int().describe('Looks in a row that did not find the record; at four the domain is lost'),
  })
  .meta({ id: 'Domain' });

const show = ({ domain, record, provedAt, checkedAt, failures }: OrganisationDomain) => ({
  domain,
  record: { name: challengeName(domain), type: 'TXT' as const, value: record },
  proved_at: shown.moment(provedAt),
  checked_at: shown.moment(checkedAt),
  failures,
});

const ofDomain = z.strictObject({ id: id(), domain: text(253) });
const shared = ['organisation.unknown', 'organisation.not_manager'] as const;

/** The domains of an organisation: people with addresses there sign in as it says. */
export function organisationDomainRoutes(ports: ApiPorts): Route[] {
  const { domains } = ports.organisations;
  const change = { section, scopes: ['directory.write'], or: forManagers, params: ofDomain } as const;

  return [
    route({
      method: 'GET',
      path: '/organisations/{id}/domains',
      ...{ section, summary: 'List the domains of an organisation', scopes: ['directory.read'], or: forManagers },
      params: byId,
      answer: z.strictObject({ items: z.array(domain) }),
      refusals: shared,
      async handle({ params, caller }) {
        await demandPlace(ports, caller, params.id, 'directory.read');
        return { body: { items: (await domains.list(params.id)).map(show) } };
      },
    }),
    route({
      method: 'PUT',
      path: '/organisations/{id}/domains/{domain}',
      ...{ ...change, summary: 'Claim a domain' },
      details: 'It counts for nothing until it is proved: put the record into the DNS, then have it looked for.',
      answer: domain,
      refusals: [...shared, 'domain.malformed', 'domain.too_many'],
      async handle({ params, caller, by }) {
        await demandPlace(ports, caller, params.id, 'directory.write');
        return { body: show(await domains.claim(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'POST',
      path: '/organisations/{id}/domains/{domain}/prove',
      ...{ ...change, summary: 'Look for the proof of a domain' },
      answer: domain,
      refusals: [...shared, 'domain.unknown', 'domain.unproved', 'domain.taken', 'domain.unreachable'],
      async handle({ params, caller, by }) {
        await demandPlace(ports, caller, params.id, 'directory.write');
        return { body: show(await domains.prove(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/organisations/{id}/domains/{domain}',
      ...{ ...change, summary: 'Let a domain go' },
      refusals: [...shared, 'domain.unknown'],
      async handle({ params, caller, by }) {
        await demandPlace(ports, caller, params.id, 'directory.write');
        if (!(await domains.remove(params.id, params.domain, by)))
          throw new Refusal('domain.unknown', { kind: 'missing' });
        return {};
      },
    }),
  ];
}
