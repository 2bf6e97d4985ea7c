import type { ResourceServer } from '../clients/index.ts';
import type { Settings } from '../platform/config/index.ts';

/** The scopes of our own APIs, in words for the consent page. */
const scopes = {
  'account.read': 'See your account',
  'account.write': 'Change your account',
  'users.read': 'See all accounts',
  'users.write': 'Change all accounts',
  'directory.read': 'See groups, roles, organisations and custom fields',
  'directory.write': 'Change groups, roles, organisations and custom fields',
  'organisations.manage': 'Look after the organisations that you manage',
  'scim.read': 'See users and groups by SCIM',
  'scim.write': 'Change users and groups by SCIM',
};

export type OwnScope = keyof typeof scopes;

/**
 * Whether it opens only what is the business of the person behind the token: their account, or the organisations in which
 * they have the permission to manage it. The others reach everybody's.
 */
export const isPersonal = (scope: OwnScope): boolean =>
  scope.startsWith('account.') || scope === 'organisations.manage';

/** The audience of the tokens that open our own APIs, REST and SCIM alike. */
export const ownApiIdentifier = (issuer: string): string => `${issuer}/api`;

/**
 * Our own APIs as a resource server of the house: made of the settings at each start, kept in no table. Nobody is given
 * its scopes but clients whose metadata (`scope`) names them.
 */
export const ownApi = (settings: Pick<Settings, 'issuer' | 'branding' | 'keys'>): ResourceServer => ({
  identifier: ownApiIdentifier(settings.issuer),
  name: settings.branding.name,
  scopes,
  tokenFormat: 'jwt',
  signingAlg: settings.keys.algorithms[0],
  clientIds: [],
  scopesByName: true,
});
