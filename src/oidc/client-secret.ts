import { Provider } from 'oidc-provider';
import type { Clients } from '../clients/index.ts';
import { addressKey, type Budget, exceeded, type Limits } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { TooMany } from './too-many.ts';

/** Whom this process keeps waiting, and whom it knows to have been right; the oldest give way. */
const most = 20_000;
/** An address from which a client proved itself is known for so long after the last time, give or take a day. */
const knownSeconds = 30 * 86_400;
const refreshMilliseconds = 86_400_000;

interface Waiting {
  budget: Budget;
  /** Milliseconds, as `performance.now()` tells them. */
  until: number;
}

export interface SecretBudgets {
  clientFailures: Budget;
  clientFailuresPair: Budget;
  clientFailuresEverywhere: Budget;
}

/**
 * Client secrets are kept by hash, several at a time: the engine's comparison with a single clear one gives way.
 *
 * Wrong ones are counted for all processes together: by client and address, by address, and by client for all addresses
 * that it never proved itself from. The last stops guessing from many addresses, and a stranger who uses it up keeps no
 * service waiting: those come from addresses that are known, which only their own failures cost anything.
 * A right secret costs no count, so that the way of honest services stays short.
 */
export function createSecretCheck(options: {
  clients: Clients;
  limits: Limits;
  budgets: SecretBudgets;
  fleeting: Sessions['fleeting'];
}) {
  const { clients, limits, budgets, fleeting } = options;
  const waiting = new Map<string, Waiting>();
  const rightAt = new Map<string, number>();
  const kind = 'client-address';

  const keep = <T>(map: Map<string, T>, key: string, value: T) => {
    map.delete(key);
    if (map.size >= most) map.delete(map.keys().next().value!);
    map.set(key, value);
  };

  const refusal = ({ budget, until }: Waiting) =>
    new TooMany(
      exceeded(budget, Math.max(1, (until - performance.now()) / 1000)),
      'too many failed attempts, try again later',
    );

  const waits = (budget: Budget, key: string): Waiting | undefined => {
    if (waiting.size === 0) return undefined;
    const name = `${budget.name} ${key}`;
    const found = waiting.get(name);
    if (!found || found.until > performance.now()) return found;
    waiting.delete(name);
    return undefined;
  };

  const isKnown = async (pair: string): Promise<boolean> =>
    rightAt.has(pair) || (await fleeting.get(kind, pair)) !== undefined;

  const note = (pair: string) => {
    const last = rightAt.get(pair);
    if (last !== undefined && last + refreshMilliseconds > performance.now()) return;
    keep(rightAt, pair, performance.now());
    // Not waited for: lost, it costs a place among the known, and the next process tries again.
    fleeting.put(kind, pair, true, knownSeconds).catch(() => {});
  };

  const fail = async (clientId: string, address: string, pair: string): Promise<void> => {
    const counted: [Budget, string][] = [
      [budgets.clientFailuresPair, pair],
      [budgets.clientFailures, address],
    ];
    if (!(await isKnown(pair))) counted.push([budgets.clientFailuresEverywhere, clientId]);
    const counts = await Promise.all(counted.map(([budget, key]) => limits.take(budget, key)));
    let longest: Waiting | undefined;
    for (const [index, { allowed, retryAfter }] of counts.entries()) {
      if (allowed) continue;
      const [budget, key] = counted[index]!;
      const wait = { budget, until: performance.now() + retryAfter * 1000 };
      keep(waiting, `${budget.name} ${key}`, wait);
      if (!longest || longest.until < wait.until) longest = wait;
    }
    if (longest) throw refusal(longest);
  };

  const ownWait = (clientId: string, address: string) => waits(budgets.clientFailuresPair, `${address} ${clientId}`);

  const isRight = async (clientId: string, presented: string): Promise<boolean> => {
    const address = addressKey(Provider.ctx?.ip ?? '');
    const pair = `${address} ${clientId}`;
    const own = ownWait(clientId, address);
    if (own) throw refusal(own);
    const others = waits(budgets.clientFailures, address) ?? waits(budgets.clientFailuresEverywhere, clientId);
    if (others && !(await isKnown(pair))) throw refusal(others);
    const right = await clients.hasSecret(clientId, presented);
    if (right) note(pair);
    else await fail(clientId, address, pair);
    return right;
  };

  return {
    check(provider: Provider): void {
      Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
        value(this: { clientId: string }, presented: string) {
          return isRight(this.clientId, presented);
        },
      });
    },
    keepsWaiting: (clientId: string, ip: string): boolean => ownWait(clientId, addressKey(ip)) !== undefined,
  };
}
