/**
 * Client metadata by its registered names (OpenID Connect Dynamic Client Registration 1.0, section 2; RFC 7591 and
 * those that add to it), and ours.
 */
export interface ClientMetadata {
  client_id: string;
  client_name?: string;
  redirect_uris?: string[];
  post_logout_redirect_uris?: string[];
  grant_types?: string[];
  response_types?: string[];
  token_endpoint_auth_method?: string;
  application_type?: 'web' | 'native';
  logo_uri?: string;
  client_uri?: string;
  policy_uri?: string;
  tos_uri?: string;
  /**
   * The scopes of APIs that the client may be given for itself, and those of our own APIs that it may be given at all;
   * they are given to nobody else (RFC 7591, section 2). OpenID scopes among them limit what it may ask of people.
   */
  scope?: string;
  /** The organisation's own application: its people are not asked for consent. */
  first_party?: boolean;
  /** Its people prove two factors at every sign-in to it. */
  require_mfa?: boolean;
  /** By which providers its people may come, in the order of their buttons; all that are not hidden when it says nothing. */
  identity_providers?: string[];
  /** By SCIM it sees and changes only the users and groups of this domain, which are those it has made. */
  provisioning_domain?: string;
  /** Whether the e-mail addresses it sets by SCIM count as proved, because a directory vouches for them; they do unless it says no. */
  provisioned_addresses_verified?: boolean;
  /** Whether SCIM takes `base64(client_id:client_secret)` for a token: some senders know nothing but a token that stays. */
  provisioning_by_secret?: boolean;
  [name: string]: unknown;
}

/** Names that are ours and not the engine's; told to it as extra metadata. */
export const ownClientMetadata = [
  'first_party',
  'require_mfa',
  'identity_providers',
  'provisioning_domain',
  'provisioned_addresses_verified',
  'provisioning_by_secret',
] as const;

/** Methods by which a client proves itself with a secret that both sides know. */
const secretMethods = ['client_secret_basic', 'client_secret_post'];

/** `client_secret_basic` is the default method (RFC 7591, section 2). */
export const usesSecret = (metadata: ClientMetadata): boolean =>
  secretMethods.includes(metadata.token_endpoint_auth_method ?? 'client_secret_basic');

/** The scopes that the client's metadata names. */
export const scopesNamedBy = ({ scope }: Pick<ClientMetadata, 'scope'>): string[] =>
  typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [];
