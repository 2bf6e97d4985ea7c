import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** A longer body is the engine's, which has its own limit. */
const longestBody = 16_384;

const formType = /^application\/x-www-form-urlencoded\s*(;\s*charset=utf-8\s*)?$/i;

/**
 * Whether the request is of the common kind. Whatever is out of the ordinary (other origins, encodings, bodies of unknown
 * length, proofs of a key, certificates) is the engine's to understand or refuse.
 * @param host the issuer's
 * @param isTrusted whether the sender may say by which host it was asked
 */
export function isPlain(
  request: IncomingMessage,
  host: string,
  isTrusted: (request: IncomingMessage) => boolean,
): boolean {
  const { headers } = request;
  return (
    (headers['x-forwarded-host'] ?? headers.host) === host &&
    (headers['x-forwarded-host'] === undefined || isTrusted(request)) &&
    headers.origin === undefined &&
    headers.dpop === undefined &&
    !showsCertificate(request) &&
    headers['content-encoding'] === undefined &&
    headers['transfer-encoding'] === undefined
  );
}

/**
 * Who shows a certificate may be known by it. (Asked for before the body is read: Node was seen to end the connection of a
 * forged one otherwise, where it is to be told 401.)
 */
const showsCertificate = ({ socket }: IncomingMessage): boolean =>
  socket instanceof TLSSocket && socket.getPeerCertificate().raw !== undefined;

/**
 * Takes a target in absolute form for what it is in origin form (RFC 9112, section 3.2.2), if it names this host. One that
 * names another is left for whoever refuses it.
 */
export function inOriginForm(request: IncomingMessage, host: string): void {
  if (request.url?.startsWith('/')) return;
  const target = URL.parse(request.url ?? '');
  if (target?.host === host) request.url = `${target.pathname}${target.search}`;
}

/** Whether a form comes with it, of a length that was announced. */
export function isForm({ headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length']);
  return length > 0 && length <= longestBody && formType.test(headers['content-type'] ?? '');
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
  Object.defineProperties(request, { readable: { value: true }, iterator: { value: () => [body] } });
}
