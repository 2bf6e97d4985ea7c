import type { Configuration } from 'oidc-provider';

type Fetch = NonNullable<Configuration['fetch']>;

/**
 * How the engine calls out (`jwks_uri`, `sector_identifier_uri`, back-channel logout). It hands over a dispatcher that
 * drops connections to private addresses, whatever name led there; passing it on is what keeps a client's metadata from
 * making us probe our own network. Only configuration lets it go, for applications that really live there.
 * @param settings.timeout seconds
 */
export function createFetch(settings: { allowPrivateAddresses: boolean; timeout: number }): Fetch {
  return (url, options) => {
    const { dispatcher, ...rest } = options as RequestInit & { dispatcher?: unknown };
    return globalThis.fetch(url, {
      ...rest,
      ...(settings.allowPrivateAddresses ? {} : { dispatcher }),
      signal: AbortSignal.timeout(settings.timeout * 1000),
    });
  };
}

/** Bytes of an answer that are read at most; a key set of a hundred keys is smaller. */
export const bodyLimits = { jwks_uri: 256 * 1024, sector_identifier_uri: 64 * 1024 };
