import { ownPage } from './own-pages.ts';

/**
 * POST /account/organisations/leave {organisation} · /accept {invitation} · /decline {invitation}
 * @param input.unproved invitations wait until the address is proved
 */
export function organisationsPage(input: {
  places: { id: string; name: string; since: Date; roles: string[] }[];
  invitations: { id: string; name: string; until: Date }[];
  unproved?: boolean;
  done?: string | undefined;
}) {
  return { ...ownPage('organisations', 'organisations', input), ...input };
}

/**
 * The link of an invitation. `mine`: POST /account/organisations/accept {invitation}; `nobody` is signed in:
 * POST /account/invitation/sign-in {token} and /account/invitation/join {token}; `other`: somebody else is.
 * @param input.join whether one can get an account here
 */
export function invitationPage(input: {
  state: 'mine' | 'other' | 'nobody' | 'sent' | 'expired';
  token?: string;
  id?: string;
  name?: string;
  address?: string;
  /** Who is signed in. */
  account?: string | undefined;
  join?: boolean;
}) {
  const { state, token } = input;
  return {
    page: 'account/invitation',
    title: `account.invitation.${state === 'expired' ? 'expired' : 'open'}.title`,
    ...input,
    languageUrl: token ? `/account/invitation?token=${encodeURIComponent(token)}` : (false as const),
  };
}
