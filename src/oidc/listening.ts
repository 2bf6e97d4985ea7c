import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AppState } from '../platform/http/index.ts';
import type { Log } from '../platform/index.ts';

/** The engine's events that tell of a refusal. Others carry tokens in the clear and are not listened to. */
const refusals = [
  'authorization.error',
  'grant.error',
  'introspection.error',
  'revocation.error',
  'userinfo.error',
  'pushed_authorization_request.error',
  'device_authorization.error',
  'end_session.error',
  'end_session_confirm.error',
  'code_verification.error',
  'device_resume.error',
];

/** For counting: called while the engine answers, so nothing in it may wait. */
export interface ProtocolMeasure {
  tokensIssued(grantType: string): void;
  /** @param endpoint as the engine's events call it @param error the code of RFC 6749 and its kin */
  refused(endpoint: string, error: string): void;
}

/** Tells of every grant that led to tokens and of every refusal. */
export function measureEngine(provider: Provider, measure: ProtocolMeasure): void {
  provider.on('grant.success', (ctx: KoaContextWithOIDC) => measure.tokensIssued(String(ctx.oidc.params?.grant_type)));
  for (const name of refusals) {
    provider.on(name as 'server_error', (_ctx: KoaContextWithOIDC, error: Error & { error?: string }) =>
      measure.refused(name.replace(/\.error$/, ''), error.error ?? 'other'),
    );
  }
}

/** Writes the engine's refusals and faults to the log; errors by name, since descriptions may quote what was sent. */
export function logEngine(provider: Provider, log: Log): void {
  const logOf = (ctx: KoaContextWithOIDC): Log => (ctx.state as Partial<AppState>).log?.() ?? log;
  for (const name of refusals) {
    provider.on(name as 'server_error', (ctx: KoaContextWithOIDC, error: Error & { error?: string }) => {
      const client = ctx.oidc?.client?.clientId;
      logOf(ctx).info({ event: name, error: error.error ?? error.message, client }, 'the protocol refused a request');
    });
  }
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    logOf(ctx).error({ err: error }, 'the protocol engine failed');
  });
}
