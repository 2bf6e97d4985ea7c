import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Clock } from '../platform/index.ts';
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

/**
 * Several tabs, or a request sent again after a lost answer, present one refresh token within seconds. For that short
 * window the same client with the same key is given the same answer again; after it, a second use is a theft and ends
 * the grant (RFC 9700, section 4.14.2).
 *
 * ```
 *   engine ──▶ token unused ──▶ rotates ──▶ answer kept for the window ──▶ used and succeeded
 *          └─▶ token used ──▶ within the window, same client and key ──▶ the kept answer
 *                         └─▶ otherwise ──▶ grant ended, invalid_grant
 * ```
 */
export function answerRetriedRefreshes(
  provider: Provider,
  options: {
    sessions: Pick<Sessions, 'fleeting' | 'usedRefreshToken' | 'tradeRefreshToken'>;
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

  /** Of a race each keeps an answer, but only the winner's is ever asked for: by the token that it brought. */
  const nameOf = (used: string, successor: string) => `${used} ${successor}`;

  /** The answer is there before the token is used (`tradeRefreshToken`); whoever is kept waiting is so by the store. */
  const kept = async (value: string): Promise<Answer | undefined> => {
    // The engine is not shown such a use (`createSessions`): it would end the grant, also of a retry that came a moment
    // after we had looked.
    const used = await sessions.usedRefreshToken(value);
    if (!used?.successor || clock.now().getTime() - used.at.getTime() >= windowSeconds * 1000) return undefined;
    return fleeting.get<Answer>(kind, nameOf(value, used.successor));
  };

  wrapGrant(
    provider,
    'refresh_token',
    (engine: Step): Step =>
      async (ctx, next) => {
        const value = ctx.oidc.params?.refresh_token;
        if (typeof value !== 'string') return engine(ctx, next);

        const answerAgain = async (): Promise<boolean> => {
          const answer = await kept(value);
          const now = await proved(ctx);
          if (answer?.clientId !== now.clientId || answer.jkt !== now.jkt || answer.certificate !== now.certificate)
            return false;
          ctx.body = answer.body;
          return true;
        };

        // The use of the token, its successor and the answer for retries stand or fall together: a store lost half-way
        // must not leave a token used whose successor nobody was given.
        const keep = async (successor: string) => {
          const answer: Answer = { ...(await proved(ctx)), body: ctx.body };
          await fleeting.put(kind, nameOf(value, successor), answer, windowSeconds);
        };
        try {
          await sessions.tradeRefreshToken(async () => engine(ctx, next), keep);
        } catch (refused) {
          // Nothing else is wrong with the request: the engine looks at the proof of the key, its replay included, before.
          if (refused instanceof RefreshTokenUsed && (await answerAgain())) return;
          throw refused;
        }
      },
  );
}
