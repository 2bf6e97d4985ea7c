import type { IncomingMessage } from 'node:http';

/**
 * A caller that reads no answer before it has sent everything would find its connection reset instead of being told
 * that it sent too much (RFC 9112, section 9.6). So what is too much is read and dropped, up to here.
 */
const patience = 32 * 1024 * 1024;

/**
 * Reads a whole body.
 * @param most bytes that are kept
 * @returns undefined when there is more than that
 */
export async function readBytes(req: IncomingMessage, most: number): Promise<Buffer | undefined> {
  if (Number(req.headers['content-length']) > most + patience) return undefined;
  let chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most + patience) return undefined;
    if (size <= most) chunks.push(chunk);
    else chunks = [];
  }
  return size > most ? undefined : Buffer.concat(chunks, size);
}
