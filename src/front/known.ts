import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clients } from '../clients/index.ts';
import { addressKey, type CacheReads, type Clock, randomToken, type Stops } from '../platform/index.ts';

/** What the engine found of a client by exactly what proved it. */
export interface Known<T> {
  value: T;
  clientId: string;
  provedAt: number;
  /** When the first of the client's secrets ends; what was proved may have been that one. */
  until: number;
  /** What it was found from, besides the client. */
  names: readonly string[];
}

/**
 * What was found before, by exactly what asked for it. The engine authenticates a client and decides; asked again with the
 * same proof from the same address in the next half minute, it would find the same, unless the client or what it was found
 * from was changed. (From another address the engine may keep even a right secret waiting, so that nobody can guess on.)
 */
export interface KnownProofs<T> {
  find(request: IncomingMessage, proof: string): Known<T> | undefined;
  /** Whether it is still good, as of the last `stops.catchUp`. */
  isGood(known: Known<T>): boolean;
  /**
   * Call before a request goes to the engine: what the engine then finds is at least as new as that.
   * @param proof undefined: nothing is to be remembered of it
   */
  began(request: IncomingMessage, proof: string | undefined): Promise<void>;
  /**
   * The engine let the client in. Nothing is remembered of a request that did not begin here, nor of a client that proves
   * itself anew each time (assertions, certificates).
   * @param alsoFrom names under which stops tell of what else it was found from
   */
  remember(request: IncomingMessage, clientId: string, value: T, alsoFrom?: string[]): Promise<void>;
  forgetAll(): void;
  reads(): CacheReads;
}

/** Milliseconds; less than a stop is remembered (`stops/heard.ts`). */
const maxAge = 30_000;
const most = 10_000;

export function createKnown<T>({
  clients,
  stops,
  clock,
  addressOf,
  keepsWaiting,
}: {
  clients: Clients;
  stops: Stops;
  clock: Clock;
  addressOf: (request: IncomingMessage) => string;
  /** Whether the engine refuses what proves the client, from there: who guesses on must not be told that they were right. */
  keepsWaiting: (clientId: string, address: string) => boolean;
}): KnownProofs<T> {
  const known = new Map<string, Known<T>>();
  const beginnings = new WeakMap<IncomingMessage, { key: string; at: number }>();
  // Secrets are not kept in the clear, nor as hashes that would mean anything elsewhere.
  const salt = randomToken();
  const keyOf = (request: IncomingMessage, proof: string) =>
    hash('sha256', `${salt} ${addressKey(addressOf(request))} ${proof}`, 'base64');
  let hits = 0;
  let misses = 0;

  const isGood = ({ clientId, provedAt, until, names }: Known<T>): boolean =>
    provedAt + maxAge > performance.now() &&
    until > clock.now().getTime() &&
    stops.mayUse(provedAt, [`client:${clientId}`, ...names]);

  return {
    find(request, proof) {
      const key = keyOf(request, proof);
      const found = known.get(key);
      if (found && isGood(found) && !keepsWaiting(found.clientId, addressOf(request))) {
        hits++;
        return found;
      }
      misses++;
      if (found) known.delete(key);
      return undefined;
    },
    isGood,
    async began(request, proof) {
      // The engine will look at what is remembered of the client.
      await stops.catchUp().catch(() => {});
      if (proof !== undefined) beginnings.set(request, { key: keyOf(request, proof), at: performance.now() });
    },
    async remember(request, clientId, value, names = []) {
      const began = beginnings.get(request);
      const client = began && (await clients.find(clientId));
      const method = client?.metadata.token_endpoint_auth_method ?? 'client_secret_basic';
      if (!client || !method.startsWith('client_secret_')) return;
      const now = clock.now().getTime();
      const ends = client.secrets.map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
      const until = Math.min(...ends.filter((end) => end > now), Number.POSITIVE_INFINITY);
      if (known.size >= most) known.delete(known.keys().next().value!);
      known.set(began!.key, { value, clientId, provedAt: began!.at, until, names });
    },
    forgetAll: () => known.clear(),
    reads: () => ({ hits, misses, kept: known.size }),
  };
}
