import { errors, type Grant, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { mfa, satisfies } from '../credentials/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock } from '../platform/index.ts';
import { allows, type Organisation, type OrganisationPolicy, type Organisations, type Users } from '../users/index.ts';

const { Check, Prompt } = interactionPolicy;

// An application asks for an organisation by the parameter `organization` (its id or name), or by the scope of that name
// and leaves the choice to the person. Which one it is goes from the request into the code, and from there to every token
// of the chain, as a request for the claim `org_id` of that value (OpenID Connect Core 1.0, section 5.5.1): the engine
// carries it. Two tabs of one application may so be in two organisations, on one grant.

type Claims = Record<string, Record<string, unknown> | undefined>;

/** What the engine keeps with a token of the chain. */
interface Carrier {
  claims?: Claims | undefined;
  extra?: Record<string, unknown> | undefined;
}

/** The id of the organisation that a token or code is for. */
export function organisationIn(token: Carrier | undefined): string | undefined {
  const { value } = (token?.claims?.id_token?.org_id ?? {}) as { value?: unknown };
  const id = value ?? token?.extra?.org_id;
  return typeof id === 'string' ? id : undefined;
}

/** What becomes of a request. */
interface Settled {
  state: 'none' | 'given' | 'choose' | 'refused';
  organisation?: Organisation | undefined;
  /** How the person has to be signed in for this request. */
  policy?: OrganisationPolicy | undefined;
}

const settled = new WeakMap<KoaContextWithOIDC, Settled>();

const orgClaims = ['org_id', 'org_name', 'org_roles', 'org_permissions'];
const targets = ['id_token', 'userinfo'] as const;

const named = (ctx: KoaContextWithOIDC): string | undefined => {
  const { organization } = ctx.oidc.params as { organization?: string };
  if (organization) return organization;
  const claims = ctx.oidc.claims as Claims;
  const values = targets.map((target) => (claims[target]?.org_id as { value?: unknown } | undefined)?.value);
  const value = values.find((each) => each !== undefined);
  return value === undefined ? undefined : String(value);
};

/** Takes out what the request said of organisations, and puts in what was found true. */
function write(ctx: KoaContextWithOIDC, organisation: Organisation | undefined): void {
  const claims = ctx.oidc.claims as Claims;
  for (const target of targets) {
    const kept = Object.entries(claims[target] ?? {}).filter(([name]) => !orgClaims.includes(name));
    const asked = organisation ? { org_id: { value: organisation.id }, org_name: null, org_roles: null } : {};
    if (kept.length > 0 || organisation) claims[target] = { ...Object.fromEntries(kept), ...asked };
    else delete claims[target];
  }
}

export interface OrganisationRequestPorts {
  db: Db;
  clock: Clock;
  users: Pick<Users, 'byId'>;
  organisations: Pick<Organisations, 'called' | 'members' | 'policyFor' | 'hasRules'>;
}

/** How a request for an organisation is settled: which one it is, whether the person may, what is asked of them first. */
export function createOrganisationRequests({ db, clock, users, organisations }: OrganisationRequestPorts) {
  const { members } = organisations;

  const chosenBefore = async (grant: Grant | undefined): Promise<string | undefined> => {
    if (!grant?.jti) return undefined;
    const [row] = await db.query<{ organisation_id: string }>(
      'select organisation_id from organisation_choice where grant_id = $1',
      [grant.jti],
    );
    return row?.organisation_id;
  };

  const remember = (grant: Grant, organisation: Organisation) =>
    db.query(
      `insert into organisation_choice (grant_id, organisation_id, chosen_at) values ($1, $2, $3)
       on conflict (grant_id) do update set organisation_id = excluded.organisation_id, chosen_at = excluded.chosen_at`,
      [grant.jti, organisation.id, clock.now()],
    );

  const byChoice = async (ctx: KoaContextWithOIDC, grant: Grant | undefined): Promise<Settled> => {
    const { result, prompts, account } = ctx.oidc;
    const places = await members.organisationsOf(account!.accountId);
    const answer = (result as { organization?: { id?: string } } | undefined)?.organization?.id;
    const chosen = places.find(({ id }) => id === answer);
    if (chosen) {
      if (grant?.jti) await remember(grant, chosen);
      return { state: 'given', organisation: chosen };
    }
    if (places.length <= 1) return places[0] ? { state: 'given', organisation: places[0] } : { state: 'none' };
    // The application wants the person to choose: an organisation, too.
    const before = prompts.has('select_account') ? undefined : await chosenBefore(grant);
    const again = places.find(({ id }) => id === before);
    return again ? { state: 'given', organisation: again } : { state: 'choose' };
  };

  const decide = async (ctx: KoaContextWithOIDC, grant: Grant | undefined): Promise<Settled> => {
    const name = named(ctx);
    if (name === undefined)
      return ctx.oidc.requestParamScopes.has('organization') ? byChoice(ctx, grant) : { state: 'none' };
    const organisation = name.length <= 100 ? await organisations.called(name) : undefined;
    // One that does not exist and one that the person is not in look the same.
    const isMember = organisation && (await members.isMember(organisation.id, ctx.oidc.account!.accountId));
    return isMember ? { state: 'given', organisation } : { state: 'refused' };
  };

  return {
    /** Once the person and the grant are known, before any prompt is checked. */
    async settle(ctx: KoaContextWithOIDC, grant: Grant | undefined): Promise<void> {
      const found = await decide(ctx, grant);
      const { organisation } = found;
      write(ctx, organisation);
      if (organisation && grant) {
        const before = JSON.stringify(grant.openid);
        grant.addOIDCClaims([
          'org_id',
          'org_name',
          ...(ctx.oidc.requestParamScopes.has('organization') ? ['org_roles'] : []),
        ]);
        if (JSON.stringify(grant.openid) !== before) await grant.save();
      }
      if (await organisations.hasRules()) {
        const user = await users.byId(ctx.oidc.account!.accountId);
        found.policy = await organisations.policyFor({
          organisation: organisation?.id,
          email: user?.email ?? undefined,
        });
      }
      settled.set(ctx, found);
    },

    /** Nobody holds anything for an organisation that they are not in any more. */
    stillIn: async (token: Carrier | undefined, accountId: string): Promise<boolean> => {
      const id = organisationIn(token);
      return id === undefined || members.isMember(id, accountId);
    },

    /** Choices that no grant can stand behind any more. @param before the age of the oldest grant */
    tidy: (before: Date) => db.query('delete from organisation_choice where chosen_at < $1', [before]),
  };
}

export type OrganisationRequests = ReturnType<typeof createOrganisationRequests>;

const isSignedIn = (ctx: KoaContextWithOIDC) => Boolean(ctx.oidc.session?.accountId);

/** Checks of the prompt `login`: whoever is signed in is so in a way that the organisation allows. */
export const policyChecks = () => [
  new Check(
    'organization_mfa',
    'the organization requires two factors',
    'unmet_authentication_requirements',
    (ctx) => isSignedIn(ctx) && settled.get(ctx)?.policy?.mfa === true && !satisfies(ctx.oidc.session?.acr, [mfa]),
  ),
  new Check('organization_method', 'the organization requires another way of signing in', 'login_required', (ctx) => {
    const policy = settled.get(ctx)?.policy;
    return isSignedIn(ctx) && policy !== undefined && !allows(policy, ctx.oidc.session?.amr ?? []);
  }),
];

/** After the person is known and before they agree to anything: in which organisation? */
export const organisationPrompt = () =>
  new Prompt(
    { name: 'organization', requestable: false },
    new Check('not_a_member', 'the person is not a member', 'access_denied', (ctx) => {
      if (settled.get(ctx)?.state === 'refused')
        throw new errors.AccessDenied('the person is not a member of the organization');
      return Check.NO_NEED_TO_PROMPT;
    }),
    new Check(
      'organization_choice',
      'an organization must be chosen',
      'interaction_required',
      (ctx) => settled.get(ctx)?.state === 'choose',
    ),
  );
