import type { IncomingMessage } from 'node:http';
import { postedProof } from './callers.ts';

/** A longer body is the engine's, which has its own limit. */
const longestBody = 16_384;

const formType = /^application\/x-www-form-urlencoded\s*(;\s*charset=utf-8\s*)?$/i;

/**
 * Whether the request is of the common kind. Whatever is out of the ordinary (other origins, other types, answers as
 * JWT, encodings, bodies of unknown length) is the engine's to understand or refuse.
 * @param host the issuer's
 * @param isTrusted whether the sender may say by which host it was asked
 */
export function isPlain(
  request: IncomingMessage,
  host: string,
  isTrusted: (request: IncomingMessage) => boolean,
): boolean {
  const { headers } = request;
  const length = Number(headers['content-length']);
  return (
    (headers['x-forwarded-host'] ?? headers.host) === host &&
    (headers['x-forwarded-host'] === undefined || isTrusted(request)) &&
    length > 0 &&
    length <= longestBody &&
    headers.origin === undefined &&
    headers['content-encoding'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    !headers.accept?.includes('introspection') &&
    formType.test(headers['content-type'] ?? '')
  );
}

/** The whole body, of the length that was announced; undefined when the caller is gone before its end. */
export function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    // Also after the end, where it changes nothing.
    request.on('close', () => resolve(undefined));
    request.on('error', () => resolve(undefined));
  });
}

/** Lets the engine read a body that was read already. */
export function readAgain(request: IncomingMessage, body: Buffer): void {
  Object.defineProperties(request, {
    readable: { value: true },
    iterator: {
      value: async function* () {
        yield body;
      },
    },
  });
}

export interface Asked {
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
export function readAsked(authorization: string | undefined, body: string): Asked | undefined {
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
