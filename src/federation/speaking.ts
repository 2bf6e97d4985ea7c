import type { Keys } from '../keys/index.ts';
import type { Settings } from '../platform/config/index.ts';
import { type Clock, type Log, Refusal } from '../platform/index.ts';
import { type Call, createCall } from '../platform/outbound.ts';
import { createBreaker } from './breaker.ts';
import type { Provider } from './definition.ts';
import { asRefusal, isUnreachable, shortly } from './faults.ts';
import type { Providers } from './providers.ts';
import { elsewhere } from './upstreams/elsewhere.ts';
import type { Upstream } from './upstreams/upstream.ts';

/** How providers are spoken to: each by what knows its kind, in bounded time, and not at all for a while when it is away. */
export function createSpeaking(deps: {
  clock: Clock;
  log: Log;
  keys: Pick<Keys, 'current'>;
  providers: Pick<Providers, 'onChange'>;
  settings: Pick<Settings, 'issuer' | 'outbound' | 'federation'>;
}) {
  const { clock, log, keys, providers, settings } = deps;
  const attempt = createBreaker({ clock });
  const { timeout } = settings.outbound;
  const moved = elsewhere(settings.federation.endpoints);
  const call: Call = moved.call(createCall(settings.outbound));

  const redirectUriOf = (id: string) => `${settings.issuer}/federation/${id}/callback`;
  let upstreams = new Map<string, Promise<Upstream>>();
  providers.onChange(() => {
    upstreams = new Map();
  });

  /** Loaded where it is wanted: what speaks to providers is not needed to start, nor where there are none. */
  const build = async (provider: Provider): Promise<Upstream> => {
    if (provider.kind === 'oidc') {
      const { createOidcUpstream } = await import('./upstreams/oidc.ts');
      return createOidcUpstream({ provider, call, clock, keys, timeout });
    }
    const { createSocialUpstream } = await import('./upstreams/social.ts');
    return createSocialUpstream({ provider, call, clock, redirectUri: redirectUriOf(provider.id) });
  };
  const upstreamOf = (provider: Provider): Promise<Upstream> => {
    const known = upstreams.get(provider.id) ?? build(provider);
    upstreams.set(provider.id, known);
    return known;
  };

  const speak = async <T>(provider: Provider, work: (upstream: Upstream) => Promise<T>): Promise<T> => {
    try {
      return await attempt(
        provider.id,
        async () => within(2 * timeout, async () => work(await upstreamOf(provider))),
        isUnreachable,
      );
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code !== 'federation.denied')
        log.warn({ provider: provider.id, refusal: refusal.code, ...shortly(refusal.cause ?? error) }, 'a provider');
      throw new Refusal(refusal.code, {
        kind: refusal.kind,
        details: { provider: provider.name, id: provider.id },
        cause: refusal.cause ?? error,
      });
    }
  };

  return {
    /** Where the provider sends the browser back to. @param id of the provider */
    redirectUriOf,
    /** Where the browser is sent, in place of a provider's own address when something stands in for it. */
    address: moved.address,
    /** Asks a provider something: bounded, and what goes wrong becomes an expected "no". */
    speak,
  };
}

/** Everything together: several calls, each in time, must not add up to a page that hangs. @param seconds for all of it */
async function within<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException('the provider took too long', 'TimeoutError')), seconds * 1000);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
