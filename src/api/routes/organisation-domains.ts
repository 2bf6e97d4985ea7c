import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { challengeName, domainOf, type OrganisationDomain } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, moment, shown, text } from '../schemas.ts';
import { at, createOrganisationAccess, managerRefusals, reads, section, writes } from './organisation-access.ts';

const domain = z
  .strictObject({
    domain: z.string(),
    proved_at: moment().nullable(),
    checked_at: moment().nullable(),
    record: z
      .strictObject({ name: z.string(), type: z.literal('TXT'), value: z.string() })
      .describe('What the DNS has to say, here or at the domain itself'),
  })
  .meta({ id: 'OrganisationDomain' });

const showDomain = ({ domain, record, provedAt, checkedAt }: OrganisationDomain) => ({
  domain,
  proved_at: shown.moment(provedAt),
  checked_at: shown.moment(checkedAt),
  record: { name: challengeName(domain), type: 'TXT' as const, value: record },
});

const byDomain = byId.extend({ domain: text(253) });

/** The domains of an organisation, and what proves them. */
export function organisationDomainRoutes(ports: ApiPorts): Route[] {
  const { organisations } = ports;
  const { domains } = organisations;
  const access = createOrganisationAccess(ports);

  return [
    route({
      method: 'GET',
      path: `${at}/domains`,
      ...{ ...reads, summary: 'List the domains of an organisation' },
      params: byId,
      answer: z.strictObject({ items: z.array(domain) }),
      refusals: managerRefusals,
      async handle({ params, caller }) {
        await access.demandMayRead(caller, params.id);
        return { body: { items: (await domains.list(params.id)).map(showDomain) } };
      },
    }),
    route({
      method: 'PUT',
      path: `${at}/domains/{domain}`,
      ...{ ...writes, summary: 'Claim a domain' },
      details: 'It counts for nothing until it is proved by the TXT record of the answer.',
      params: byDomain,
      answer: domain,
      refusals: [...managerRefusals, 'domain.malformed', 'domain.too_many'],
      async handle({ params, by, caller }) {
        await access.demandMayWrite(caller, params.id);
        return { body: showDomain(await domains.claim(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'POST',
      path: `${at}/domains/{domain}/prove`,
      ...{ ...writes, summary: 'Prove a domain' },
      details: 'Looks for the TXT record now. It is looked at again every day.',
      params: byDomain,
      answer: domain,
      refusals: [...managerRefusals, 'domain.unknown', 'domain.unproved', 'domain.taken', 'domain.unreachable'],
      async handle({ params, by, caller }) {
        await access.demandMayWrite(caller, params.id);
        return { body: showDomain(await domains.prove(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'POST',
      path: `${at}/domains/{domain}/vouch`,
      ...{ section, scopes: ['directory.write'], summary: 'Vouch for a domain', dangerous: true, inPerson: true },
      details:
        'Takes your word in place of the record: whoever has an address there signs in as the organisation says.',
      params: byDomain,
      answer: domain,
      refusals: ['domain.unknown', 'domain.taken'],
      async handle({ params, by }) {
        await domains.vouch(params.id, params.domain, by);
        const listed = await domains.list(params.id);
        return { body: showDomain(listed.find(({ domain }) => domain === domainOf(params.domain))!) };
      },
    }),
    route({
      method: 'DELETE',
      path: `${at}/domains/{domain}`,
      ...{ ...writes, summary: 'Give up a domain' },
      params: byDomain,
      refusals: [...managerRefusals, 'domain.unknown'],
      async handle({ params, by, caller }) {
        await access.demandMayWrite(caller, params.id);
        if (!(await domains.remove(params.id, params.domain, by)))
          throw new Refusal('domain.unknown', { kind: 'missing' });
        return {};
      },
    }),
  ];
}
