import type { ProtocolMeasure } from '../oidc/index.ts';
import type { Metrics } from '../platform/metrics/index.ts';

const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
];

/** Tokens, refusals and introspections, as the protocol's endpoints tell of them. */
export function measureProtocol(metrics: Metrics) {
  const grants = metrics.counter('token_grants_total', 'Requests to the token endpoint that led to tokens.', [
    'grant_type',
  ]);
  const refusals = metrics.counter(
    'protocol_refusals_total',
    'Requests the protocol refused, by endpoint and error code.',
    ['endpoint', 'error'],
  );
  const introspections = metrics.counter(
    'introspections_total',
    'Answers to whether a token is live. A token that is no JWT counts as opaque.',
    ['token', 'answer'],
  );
  // There from the start: a rate over a series that begins at 1 misses the first.
  for (const grant_type of grantTypes) grants({ grant_type }, 0);
  for (const token of ['opaque', 'jwt']) {
    for (const answer of ['active', 'inactive']) introspections({ token, answer }, 0);
  }
  refusals({ endpoint: 'grant', error: 'invalid_client' }, 0);
  refusals({ endpoint: 'grant', error: 'invalid_grant' }, 0);

  const protocol: ProtocolMeasure = {
    tokensIssued: (grantType) => grants({ grant_type: grantType }),
    refused: (endpoint, error) => refusals({ endpoint, error }),
  };
  return {
    protocol,
    introspected: (token: 'opaque' | 'jwt', active: boolean) =>
      introspections({ token, answer: active ? 'active' : 'inactive' }),
  };
}
