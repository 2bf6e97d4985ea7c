import { errors, type Provider } from 'oidc-provider';

type Unique = (issuer: string, jti: string, expiresAt: number) => Promise<boolean>;

/**
 * DPoP proofs and client assertions count once. The engine looks for the mark and writes it when it finds none; of
 * many at once the store lets one write and throws for the others (`createReplayAdapter`). Told as the engine tells a
 * mark that it found, so that each endpoint refuses the late ones in its own words: `invalid_dpop_proof` with 401 at
 * userinfo, `invalid_client` for an assertion.
 */
export function refuseLateReplays(provider: Provider): void {
  const models = provider.ReplayDetection as unknown as { unique: Unique };
  const engine = models.unique.bind(models);
  models.unique = async (...proof) => {
    try {
      return await engine(...proof);
    } catch (error) {
      if (error instanceof errors.InvalidGrant) return false;
      throw error;
    }
  };
}
