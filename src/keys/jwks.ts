import type { JWK } from 'jose';
import { sha256 } from '../platform/index.ts';

export interface JwksResponse {
  status: 200 | 304;
  headers: Record<string, string>;
  /** Empty with 304. */
  body: string;
}

/**
 * The answer of the JWKS endpoint (RFC 7517, section 5).
 * @param ifNoneMatch the request's header (RFC 9110, section 13.1.2)
 */
export function jwksResponse(
  publicJwks: { keys: readonly JWK[] },
  maxAgeSeconds: number,
  ifNoneMatch?: string,
): JwksResponse {
  const body = JSON.stringify(publicJwks);
  const etag = `"${sha256(body)}"`;
  const known = ifNoneMatch?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*');
  const headers = { ETag: etag, 'Cache-Control': `public, max-age=${maxAgeSeconds}` };
  if (known) return { status: 304, headers, body: '' };
  return { status: 200, headers: { ...headers, 'Content-Type': 'application/jwk-set+json; charset=utf-8' }, body };
}
