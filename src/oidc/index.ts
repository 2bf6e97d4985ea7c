/**
 * The protocol: OpenID Connect and OAuth 2.0 as the engine speaks them, and everything the engine asks of the house.
 * Knows the sign-in pages only by their URL; what is asked there, and how it is proved, is `signin`'s business.
 */
export { logoutTopic, queueLogout } from './back-channel-logout.ts';
export { claimsByScope } from './claims.ts';
export { authorizationRequests, protocolPaths, routes, serviceRequests } from './configuration.ts';
export type { TokenEndpoints } from './engine-internals.ts';
export { grantMissing, type Missing } from './grants.ts';
export { home } from './home.ts';
export type { ProtocolMeasure } from './listening.ts';
export { createOidc, type Oidc } from './oidc.ts';
export { createOrganisationRequests } from './organisations.ts';
export { createPairwise } from './pairwise.ts';
export { createScreens, type Screens } from './screens.ts';
export { type Decided, issueServiceTokensShortly } from './service-tokens.ts';
export { answerUserinfoShortly } from './userinfo.ts';
