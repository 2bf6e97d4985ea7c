import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clients } from '../clients/index.ts';
import { type CacheReads, type Clock, randomToken, type Stops } from '../platform/index.ts';
import type { Caller } from './answer.ts';

export interface KnownCaller extends Caller {
  provedAt: number;
  /** When the first of the client's secrets ends; what was proved may have been that one. */
  until: number;
}

/**
 * Who asked before, by exactly what proved it. The engine authenticates a caller; asking again with the same proof in
 * the next half minute is answered without it, unless the client was changed since.
 */
export interface KnownCallers {
  find(proof: string): KnownCaller | undefined;
  /** Whether the proof is still good, as of the last `stops.catchUp`. */
  isGood(caller: KnownCaller): boolean;
  /** Notes when a request goes to the engine: what the engine knew of the client is at least as new as that. */
  began(request: IncomingMessage): void;
  /** The engine let the caller in. @param proof `undefined` for what is proved anew each time (assertions, certificates) */
  remember(request: IncomingMessage, caller: Caller, proof: string | undefined): Promise<void>;
  reads(): CacheReads;
}

/** Milliseconds; less than a stop is remembered (`stops/heard.ts`). */
const maxAge = 30_000;
const most = 10_000;

/** The proof of a secret that came in the body, told apart from any header. */
export const postedProof = (clientId: string, secret: string): string => JSON.stringify([clientId, secret]);

export function createKnownCallers({
  clients,
  stops,
  clock,
}: {
  clients: Clients;
  stops: Stops;
  clock: Clock;
}): KnownCallers {
  const known = new Map<string, KnownCaller>();
  const beginnings = new WeakMap<IncomingMessage, number>();
  // Secrets are not kept in the clear, nor as hashes that would mean anything elsewhere.
  const salt = randomToken();
  const keyOf = (proof: string) => hash('sha256', salt + proof, 'base64');
  let hits = 0;
  let misses = 0;

  const isGood = ({ clientId, provedAt, until }: KnownCaller): boolean =>
    provedAt + maxAge > performance.now() &&
    until > clock.now().getTime() &&
    stops.mayUse(provedAt, [`client:${clientId}`]);

  return {
    find(proof) {
      const key = keyOf(proof);
      const found = known.get(key);
      if (found && isGood(found)) {
        hits++;
        return found;
      }
      misses++;
      if (found) known.delete(key);
      return undefined;
    },
    isGood,
    began(request) {
      beginnings.set(request, performance.now());
    },
    async remember(request, caller, proof) {
      const provedAt = beginnings.get(request);
      const client = proof === undefined || provedAt === undefined ? undefined : await clients.find(caller.clientId);
      // Whose answers are encrypted is answered by the engine.
      if (!client || caller.isPublic || client.metadata.introspection_encrypted_response_alg) return;
      const now = clock.now().getTime();
      const ends = client.secrets.map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
      const until = Math.min(...ends.filter((end) => end > now), Number.POSITIVE_INFINITY);
      if (known.size >= most) known.delete(known.keys().next().value!);
      known.set(keyOf(proof!), { ...caller, provedAt: provedAt!, until });
    },
    reads: () => ({ hits, misses, kept: known.size }),
  };
}
