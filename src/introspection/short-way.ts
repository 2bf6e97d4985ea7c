import { isForm, type KnownProofs, type ShortWay } from '../front/index.ts';
import type { Rate } from '../platform/index.ts';
import type { Caller, createAnswer } from './answer.ts';

/** Callers whom the engine let in, by exactly what proved them. */
export type KnownCallers = KnownProofs<Caller>;

/** Introspection without the engine: one token, asked about by a caller who is known. */
export function introspectShortly(ports: {
  /** Of the endpoint. */
  path: string;
  answer: ReturnType<typeof createAnswer>;
  callers: KnownCallers;
  /** How much a client may ask for. */
  rate: Rate;
}): ShortWay {
  const { path, answer, callers, rate } = ports;
  return {
    method: 'POST',
    path,
    // Who wants a JWT for an answer (RFC 9701) says so; what has to be weighed is the engine's to read.
    takes: (request) => isForm(request) && !/introspection|application\/\*|q=/i.test(request.headers.accept ?? ''),
    leave: (request, body) => callers.began(request, readAsked(request.headers.authorization, body)?.proof),
    async answer(request, body) {
      const asked = readAsked(request.headers.authorization, body);
      const caller = asked && callers.find(request, asked.proof);
      if (!caller || (asked.clientId ?? caller.clientId) !== caller.clientId) return undefined;
      const due = rate.demand(caller.clientId);
      if (due) await due;
      const given = await answer(caller.value, asked.token);
      // By now it is known what was stopped: the caller, perhaps.
      return callers.isGood(caller) ? given : undefined;
    },
  };
}

/** The proof of a secret that came in the body, told apart from any header. */
const postedProof = (clientId: string, secret: string): string => JSON.stringify([clientId, secret]);

interface Asked {
  token: string;
  /** What proves who asks: the header, or the secret in the body. */
  proof: string;
  /** Named in the body beside the proof; must be who is proved. */
  clientId: string | undefined;
}

const decode = (text: string): string => {
  if (!text.includes('%') && !text.includes('+')) return text;
  return decodeURIComponent(text.replaceAll('+', ' '));
};

/** Reads the parameters; undefined for anything but one token and one proof by a secret. */
function readAsked(authorization: string | undefined, body: string): Asked | undefined {
  let token: string | undefined;
  let clientId: string | undefined;
  let secret: string | undefined;
  let hint: string | undefined;
  try {
    for (const pair of body.split('&')) {
      const at = pair.indexOf('=');
      if (at < 0) return undefined;
      const name = pair.slice(0, at);
      const value = decode(pair.slice(at + 1));
      if (name === 'token' && token === undefined) token = value;
      else if (name === 'client_id' && clientId === undefined) clientId = value;
      else if (name === 'client_secret' && secret === undefined) secret = value;
      else if (name === 'token_type_hint' && hint === undefined) hint = value;
      else return undefined;
    }
  } catch {
    return undefined;
  }
  if (!token || (secret !== undefined) === (authorization !== undefined)) return undefined;
  if (authorization !== undefined) return { token, clientId, proof: authorization };
  return clientId ? { token, clientId, proof: postedProof(clientId, secret!) } : undefined;
}
