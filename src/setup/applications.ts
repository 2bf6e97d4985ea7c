import type { ClientMetadata } from '../clients/index.ts';

/** What an application of each kind is registered as. */
const kinds: Record<string, Partial<ClientMetadata>> = {
  web: { application_type: 'web', token_endpoint_auth_method: 'client_secret_basic' },
  spa: { application_type: 'web', token_endpoint_auth_method: 'none' },
  native: { application_type: 'native', token_endpoint_auth_method: 'none' },
  service: { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
};

export type ApplicationKind = 'web' | 'spa' | 'native' | 'service';

export const isApplicationKind = (kind: string | undefined): kind is ApplicationKind =>
  kind !== undefined && Object.hasOwn(kinds, kind);

/** @param input.redirectUris needed for all kinds but services */
export function metadataOf(input: {
  name: string;
  kind: ApplicationKind;
  redirectUris: string[];
}): Omit<ClientMetadata, 'client_id'> {
  const { name, kind, redirectUris } = input;
  return {
    client_name: name,
    redirect_uris: redirectUris,
    post_logout_redirect_uris: [...new Set(redirectUris.flatMap(originOf))],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    first_party: true,
    ...kinds[kind],
    ...(kind === 'service' ? { post_logout_redirect_uris: [] } : {}),
  };
}

/** Where a signed-out person lands: the application's front page. Custom schemes have none. */
const originOf = (uri: string): string[] =>
  /^https?:/.test(uri) && URL.canParse(uri) ? [new URL(uri).origin, `${new URL(uri).origin}/`] : [];
