import { Resolver } from 'node:dns/promises';
import type { Events } from '../../events/index.ts';
import type { Mail } from '../../mail/index.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Bus, Clock, Log } from '../../platform/index.ts';
import type { FactsReader } from '../roles/facts.ts';
import type { Roles } from '../roles/roles.ts';
import { createOrganisationDomains, type OrganisationDomains } from './domains/domains.ts';
import type { ResolveTxt } from './domains/record.ts';
import { createInvitations, type Invitations } from './invitations.ts';
import { createManaging, type Managing, managePermission } from './managing.ts';
import { createOrganisationMembers, type OrganisationMembers } from './members.ts';
import { createOrganisationRecords, organisationTopic, type Organisations as Records } from './organisations.ts';
import { combined, noPolicy, type OrganisationPolicy } from './policy.ts';

/** Organisations with all that belongs to them. */
export interface Organisations extends Records {
  members: OrganisationMembers;
  invitations: Invitations;
  domains: OrganisationDomains;
  managing: Managing;
  /**
   * How this sign-in has to go: by the organisation that the application asks for, and by the one that has proved the
   * domain of the person's address. Both hold. It follows from what was typed alone, so that it tells nothing of who
   * has an account.
   */
  policyFor(asked: { organisation?: string | undefined; email?: string | undefined }): Promise<OrganisationPolicy>;
  /** Whether any organisation says how to sign in: where none does, nobody's address need be looked up. From memory. */
  hasRules(): Promise<boolean>;
  /** Periodic work: domains are looked at again, old invitations removed. */
  maintain(signal?: AbortSignal): Promise<void>;
}

/** TXT records by the machine's own name servers. */
export function createResolver({ timeout = 5_000 } = {}): ResolveTxt {
  const resolver = new Resolver({ timeout, tries: 2 });
  return (name) => resolver.resolveTxt(name);
}

export function createOrganisations(deps: {
  db: Db;
  bus: Bus;
  clock: Clock;
  log: Log;
  events: Pick<Events, 'record'>;
  mail: Pick<Mail, 'send'>;
  facts: Pick<FactsReader, 'factsOf'>;
  roles: Pick<Roles, 'list'>;
  resolveTxt?: ResolveTxt;
  /** The page of a person's organisations. */
  home: string;
  /** Where the letter of an invitation leads. */
  invitationLink(token: string): string;
  /** Seconds. */
  invitationLife: number;
}): Organisations {
  const { db, mail, resolveTxt = createResolver() } = deps;
  const records = createOrganisationRecords(deps);
  const members = createOrganisationMembers(deps);

  /** Those who look after it hear that a domain is gone: its members with that permission, else the administrators. */
  const lost = async (organisationId: string, domain: string): Promise<void> => {
    const [place] = await db.query<{ display_name: string }>('select display_name from organisation where id = $1', [
      organisationId,
    ]);
    const people = await db.query<{ email: string; locale: string | null }>(
      `with keepers as (
         select h.account_id as id from organisation_member_role h join role r on r.id = h.role_id
         where h.organisation_id = $1 and $2 = any(r.permissions))
       select email, locale from user_account u
       where state = 'Active' and email is not null and email_verified_at is not null
         and (u.id in (select id from keepers) or (u.administrator and not exists (select 1 from keepers))) limit 20`,
      [organisationId, managePermission],
    );
    for (const { email, locale } of people) {
      const params = { place: place?.display_name ?? '', domain, link: deps.home };
      await mail.send('domain-lost', { to: email, locale: locale ?? 'en', params });
    }
  };

  let rules: { any: boolean; until: number } | undefined;
  deps.bus.subscribe(organisationTopic, () => {
    rules = undefined;
  });

  const domains = createOrganisationDomains({ ...deps, resolveTxt, lost });
  const invitations = createInvitations({ ...deps, members, link: deps.invitationLink, life: deps.invitationLife });

  return {
    ...records,
    members,
    invitations,
    domains,
    managing: createManaging({ ...deps, members }),
    async policyFor({ organisation, email }) {
      const asked = organisation === undefined ? undefined : await records.called(organisation);
      const at = email?.lastIndexOf('@') ?? -1;
      const own = at > 0 ? await domains.organisationOfDomain(email!.slice(at + 1)) : undefined;
      return [asked, own].reduce((policy, place) => (place ? combined(policy, place.policy) : policy), noPolicy);
    },
    async hasRules() {
      if (rules && rules.until > performance.now()) return rules.any;
      const rows = await db.query(
        `select 1 from organisation where (policy->'mfa')::boolean or policy ? 'methods' limit 1`,
      );
      rules = { any: rows.length > 0, until: performance.now() + 30_000 };
      return rules.any;
    },
    async maintain(signal) {
      await domains.recheck(signal);
      await invitations.tidy();
    },
  };
}
