import { scopesInWords } from '../../clients/index.ts';
import { profileClaims } from '../../users/index.ts';
import { at, type ClientShown, type Common, shown } from './frame.ts';

/** The last questions: do you agree, as whom, for which organisation. */

/** Claims in words (`claim.<name>`). */
const KNOWN_CLAIMS = new Set<string>([
  ...['name', 'given_name', 'family_name', ...profileClaims, 'locale', 'updated_at'],
  ...['email', 'email_verified', 'phone_number', 'phone_number_verified', 'address'],
]);

export interface Asked {
  code?: string;
  detail?: string;
  /** When there are no words for it. */
  text?: string;
}

/**
 * Do you agree? POST /signin/:uid/consent {decision: 'allow' | 'deny'}
 * @param input.scopes OpenID Connect scopes not granted yet
 * @param input.claims single claims asked for beyond them
 * @param input.resources scopes of resource servers, with what their owner says of each
 */
export function consentPage(
  input: Common & {
    client: ClientShown;
    /** Who is about to agree: the address, as signed in. */
    account: string;
    scopes: string[];
    claims?: string[];
    resources?: { name: string; scopes: { name: string; description?: string | undefined }[] }[];
  },
) {
  const own: Asked[] = input.scopes
    .filter((scope) => scope !== 'openid')
    .map((scope) =>
      scopesInWords.has(scope) ? { code: `scope.${scope}`, detail: `scope.${scope}.detail` } : { text: scope },
    );
  const single: Asked[] = (input.claims ?? []).map((claim) =>
    KNOWN_CLAIMS.has(claim) ? { code: `claim.${claim}` } : { text: claim },
  );
  const groups = [
    { items: [{ code: 'scope.openid', detail: 'scope.openid.detail' }, ...own, ...single] as Asked[] },
    ...(input.resources ?? []).map(({ name, scopes }) => ({
      name,
      items: scopes.map((scope): Asked => ({ text: scope.description || scope.name })),
    })),
  ];
  return {
    ...shown('consent', input, []),
    titleParams: { client: input.client.name },
    groups,
    account: input.account,
    change: at(input.uid, '/accounts'),
  };
}

/** Which account? POST /signin/:uid/accounts {account: 'continue' | 'other'} */
export function accountsPage(input: Common & { account: { name?: string | undefined; email: string } }) {
  const label = input.account.name || input.account.email;
  return {
    ...shown('accounts', input, []),
    account: { ...input.account, label, initial: ([...label][0] ?? '•').toUpperCase() },
  };
}

/** In which organisation? POST /signin/:uid/organization {organization: id} */
export function organizationPage(input: Common & { account: string; places: { id: string; name: string }[] }) {
  return {
    ...shown('organization', input, []),
    account: input.account,
    change: at(input.uid, '/accounts'),
    places: input.places.map((place) => ({ ...place, initial: ([...place.name][0] ?? '•').toUpperCase() })),
  };
}
