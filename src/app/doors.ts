import type Router from '@koa/router';
import { createAccount } from '../account/index.ts';
import { createApi } from '../api/index.ts';
import { rememberedCookieName } from '../credentials/index.ts';
import { createKnown } from '../front/index.ts';
import {
  createAnswer,
  createBearer,
  createTokenEndpoints,
  type KnownCallers,
  ownApi,
  withOrigin,
} from '../introspection/index.ts';
import { createMailbox } from '../mailbox/index.ts';
import {
  createOidc,
  createOrganisationRequests,
  createPairwise,
  createScreens,
  type Decided,
  grantMissing,
  home,
  type Oidc,
} from '../oidc/index.ts';
import { createAddressOf, createCsrf, createPresenter } from '../platform/http/index.ts';
import { addressKey, createRate } from '../platform/index.ts';
import { createScim } from '../scim/index.ts';
import { createSetup } from '../setup/index.ts';
import { createSignin } from '../signin/index.ts';
import type { Domain } from './domain.ts';
import type { Ground } from './ground.ts';

/** What speaks a protocol or shows a page: asks the domain, and shows the answer. Doors do not know each other. */
export async function createDoors(ground: Ground, domain: Domain) {
  const { settings, issuer, log, vault, limits, stops, views, measures } = ground;
  const { credentials, keys, users, consents, tokenFacts, mailbox } = domain;
  // What rooms ask for by name; a door's own things come after it.
  const house = { ...credentials, ...domain, ...ground };

  const csrf = createCsrf({ vault, https: issuer.startsWith('https:') });
  const present = createPresenter({ views, csrf, https: issuer.startsWith('https:') });
  const screens = createScreens({ present, users });
  await keys.start();
  await stops.catchUp().catch((error: unknown) => log.warn({ err: error }, 'nothing is answered from memory yet'));

  const organisationRequests = createOrganisationRequests(house);
  const known = {
    ...house,
    addressOf: createAddressOf(settings.proxy.trusted),
    keepsWaiting: (clientId: string, address: string) => oidc.keepsWaiting(clientId, address),
  };
  const callers: KnownCallers = createKnown(known);
  const serviceTokens = createKnown<Decided>(known);
  const clientRequests = createRate({ limits, budget: credentials.budgets.clientRequests });
  const answer = createAnswer({
    ...house,
    facts: tokenFacts,
    subject: (accountId, clientId) => oidc.subjectOf(accountId, clientId),
    answered: measures?.introspected,
  });
  const oidc: Oidc = createOidc({
    ...house,
    ownApi: ownApi(settings),
    organisationRequests,
    userCodes: credentials.budgets.userCodes,
    clientFailures: credentials.budgets,
    clientRequests,
    serviceTokens,
    pairwise: await createPairwise(house),
    screens,
    locales: views.locales,
    tokenEndpoints: createTokenEndpoints({ ...house, answer, callers, rate: clientRequests }),
    suffices: (ctx, session) =>
      credentials.factors.suffices({
        ...session,
        device: ctx.cookies.get(rememberedCookieName(issuer), { signed: false }),
      }),
    jwtCustomizer: withOrigin,
    measure: measures?.protocol,
    cameBy: domain.federation.noteSession,
  });

  const { provider, certificateOf, validateClient } = oidc;
  const pages = { ...house, provider, present, csrf };
  const signin = createSignin({
    ...pages,
    countRegistration: async (ip) => void (await limits.demand(credentials.budgets.registrations, addressKey(ip))),
    grantConsent: (input) => grantMissing(provider(), { consents, ...input }),
  });
  const account = createAccount(pages);
  const setup = createSetup({ ...pages, validateClient });
  const bearer = createBearer({ ...house, provider, certificateOf });
  const scim = createScim({ ...house, bearer });
  const api = createApi({ ...house, present, bearer });

  const routers: Router[] = [
    signin.router,
    signin.providerRouter,
    account.router,
    setup.router,
    scim.router,
    api.router,
  ];
  routers.push(home(pages));
  if (mailbox) routers.push(createMailbox({ mailbox, present, settings }));
  return { oidc, answer, callers, serviceTokens, clientRequests, organisationRequests, screens, setup, api, routers };
}

export type Doors = Awaited<ReturnType<typeof createDoors>>;
