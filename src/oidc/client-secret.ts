import { errors, Provider } from 'oidc-provider';
import type { Clients } from '../clients/index.ts';
import { addressKey, type Budget, type Limits } from '../platform/index.ts';

/** So many wrong secrets came from one address that it has to wait. */
class TooManyFailures extends errors.OIDCProviderError {
  constructor(retryAfter: number) {
    super(429, 'temporarily_unavailable');
    this.error_description = 'too many failed attempts, try again later';
    Provider.ctx?.set('retry-after', String(Math.ceil(retryAfter)));
  }
}

/** Addresses that this process keeps waiting; the oldest give way. */
const most = 10_000;

/**
 * Client secrets are kept by hash, several at a time: the engine's comparison with a single clear one gives way. Wrong
 * ones are counted by address for all processes together; a right one costs no count, so that the way of honest
 * services stays short.
 */
export function createSecretCheck(options: { clients: Clients; limits: Limits; failures: Budget }) {
  const { clients, limits, failures } = options;
  const waiting = new Map<string, number>();

  const fail = async (address: string): Promise<void> => {
    const { allowed, retryAfter } = await limits.take(failures, address);
    if (allowed) return;
    if (waiting.size >= most) waiting.delete(waiting.keys().next().value!);
    waiting.set(address, performance.now() + retryAfter * 1000);
    throw new TooManyFailures(retryAfter);
  };

  const isRight = async (clientId: string, presented: string): Promise<boolean> => {
    const address = addressKey(Provider.ctx?.ip ?? '');
    const until = waiting.get(address);
    if (until !== undefined) {
      if (until > performance.now()) throw new TooManyFailures((until - performance.now()) / 1000);
      waiting.delete(address);
    }
    const right = await clients.hasSecret(clientId, presented);
    if (!right) await fail(address);
    return right;
  };

  return (provider: Provider): void => {
    Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
      value(this: { clientId: string }, presented: string) {
        return isRight(this.clientId, presented);
      },
    });
  };
}
