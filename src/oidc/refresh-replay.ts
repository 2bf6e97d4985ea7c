import { setTimeout as wait } from 'node:timers/promises';
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { type Clock, sha256 } from '../platform/index.ts';
import { RefreshTokenUsed, type Sessions } from '../sessions/index.ts';
import { dpopKey, type Step, wrapGrant } from './engine-internals.ts';
import type { CertificateOf } from './mutual-tls.ts';

interface Answer {
  clientId: string;
  /** Thumbprints of the DPoP key and of the certificate that the answered request proved. */
  jkt?: string | undefined;
  certificate?: string | undefined;
  body: unknown;
}

const isRefusal = (error: unknown): error is errors.OIDCProviderError =>
  error instanceof errors.OIDCProviderError && error.statusCode < 500;

/**
 * Several tabs, or a request sent again after a lost answer, present one refresh token within seconds. For that short
 * window the same client with the same key is given the same answer again; after it, a second use is a theft and ends
 * the grant (RFC 9700, section 4.14.2).
 *
 * ```
 *   engine ──▶ token unused ──▶ rotates ──▶ answer kept for the window
 *          └─▶ token used ──▶ within the window, same client and key ──▶ the kept answer
 *                         └─▶ otherwise ──▶ grant ended, invalid_grant
 * ```
 */
export function answerRetriedRefreshes(
  provider: Provider,
  options: {
    sessions: Pick<Sessions, 'fleeting' | 'refreshTokenUsedAt' | 'atomically'>;
    clock: Clock;
    windowSeconds: number;
    certificateOf: CertificateOf;
  },
): void {
  const { sessions, clock, windowSeconds, certificateOf } = options;
  const { fleeting } = sessions;
  const kind = 'refresh-answer';

  const proved = async (ctx: KoaContextWithOIDC): Promise<Omit<Answer, 'body'>> => ({
    clientId: ctx.oidc.client!.clientId,
    jkt: await dpopKey(provider, ctx),
    certificate: certificateOf(ctx)?.thumbprint,
  });

  const keep = async (ctx: KoaContextWithOIDC, id: string) => {
    const answer: Answer = { ...(await proved(ctx)), body: ctx.body };
    await fleeting.put(kind, id, answer, windowSeconds);
  };

  /** The winner of a race may still be writing its answer; wait for it a moment. */
  const kept = async (id: string): Promise<Answer | undefined> => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const found = await fleeting.get<Answer>(kind, id);
      if (found) return found;
      await wait(50);
    }
    return undefined;
  };

  // The engine is not shown such a use (`createSessions`): it would end the grant, also of a retry that came a moment
  // after we had looked.
  const usedWithinWindow = async (value: string): Promise<boolean> => {
    const usedAt = await sessions.refreshTokenUsedAt(value);
    return usedAt !== undefined && clock.now().getTime() - usedAt.getTime() < windowSeconds * 1000;
  };

  wrapGrant(
    provider,
    'refresh_token',
    (engine: Step): Step =>
      async (ctx, next) => {
        const value = ctx.oidc.params?.refresh_token;
        if (typeof value !== 'string') return engine(ctx, next);
        const id = sha256(value);

        const answerAgain = async (): Promise<boolean> => {
          if (!(await usedWithinWindow(value))) return false;
          const answer = await kept(id);
          const now = await proved(ctx);
          if (answer?.clientId !== now.clientId || answer.jkt !== now.jkt || answer.certificate !== now.certificate)
            return false;
          ctx.body = answer.body;
          return true;
        };

        // The use of the token, its successor and the answer for retries stand or fall together: a store lost half-way
        // must not leave a token used whose successor nobody was given. A refusal stands with what it ended.
        const refused = await sessions.atomically(async () => {
          try {
            await engine(ctx, next);
            await keep(ctx, id);
            return undefined;
          } catch (error) {
            if (isRefusal(error)) return error;
            throw error;
          }
        });
        if (!refused) return;
        // Nothing else is wrong with the request: the engine looks at the proof of the key, its replay included, before.
        if (refused instanceof RefreshTokenUsed && (await answerAgain())) return;
        throw refused;
      },
  );
}
