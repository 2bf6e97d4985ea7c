import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * As much of S3 as an object store asks of it, with requests checked by Signature Version 4 as the specification has it:
 * written from the other side, so that a slip in the client does not go unseen.
 */
export async function startS3(options: { bucket: string; accessKeyId: string; secretAccessKey: string }) {
  const { bucket, accessKeyId, secretAccessKey } = options;
  const kept = new Map<string, Buffer>();
  let silent = false;

  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    if (silent) return;
    const answer = (status: number, code = '') =>
      response
        .writeHead(status, { 'content-type': 'application/xml' })
        .end(code && `<Error><Code>${code}</Code></Error>`);
    if (!isSigned(request, body, accessKeyId, secretAccessKey)) return answer(403, 'SignatureDoesNotMatch');
    const [, first, ...rest] = decodeURIComponent(new URL(request.url!, 'http://s3').pathname).split('/');
    if (first !== bucket) return answer(404, 'NoSuchBucket');
    const name = rest.join('/');
    if (request.method === 'PUT') {
      kept.set(name, body);
      return answer(200);
    }
    if (request.method === 'DELETE') {
      kept.delete(name);
      return answer(204);
    }
    const found = kept.get(name);
    if (!found) return answer(404, 'NoSuchKey');
    response.writeHead(200, { 'content-length': found.length }).end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    kept,
    /** Takes requests and answers none. */
    silence: (on: boolean) => {
      silent = on;
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

const sha = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
const mac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

function isSigned(request: IncomingMessage, body: Buffer, id: string, secret: string): boolean {
  const { authorization = '', ...headers } = request.headers as Record<string, string>;
  const [, key, day, region, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      authorization,
    ) ?? [];
  if (key !== id || !day || !region || !names || headers['x-amz-content-sha256'] !== sha(body)) return false;
  const signed = names.split(';');
  if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => signed.includes(name))) return false;
  const url = new URL(request.url!, 'http://s3');
  const canonical = [
    request.method,
    url.pathname,
    url.search.slice(1),
    ...signed.map((name) => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    sha(body),
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${sha(canonical)}`;
  const signing = mac(mac(mac(mac(`AWS4${secret}`, day), region), 's3'), 'aws4_request');
  return mac(signing, text).toString('hex') === signature;
}
