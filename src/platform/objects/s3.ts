import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { checkedName, type Objects, unavailable } from './objects.ts';

export interface S3Settings {
  /** As `https://s3.eu-central-1.amazonaws.com`; with `pathStyle` the bucket is a part of the path, else of the host. */
  endpoint: string;
  bucket: string;
  region: string;
  /** Before every name. */
  prefix: string;
  pathStyle: boolean;
  accessKeyId: string;
  secretAccessKey: string;
  timeoutSeconds: number;
}

/** Most bytes that are taken from an answer: nothing larger was ever put. */
const most = 32 * 1024 * 1024;

/** S3-compatible storage: PutObject, GetObject and DeleteObject, signed by Signature Version 4 with the body's hash. */
export function createS3Objects(settings: S3Settings, fetch: typeof globalThis.fetch = globalThis.fetch): Objects {
  const { endpoint, bucket, region, prefix, pathStyle, accessKeyId, secretAccessKey, timeoutSeconds } = settings;
  const signer = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3' });
  const base = new URL(endpoint);
  if (!pathStyle) base.hostname = `${bucket}.${base.hostname}`;
  const root = `${base.href.replace(/\/$/, '')}${pathStyle ? `/${bucket}` : ''}`;

  const once = async (method: string, url: string, body?: Uint8Array, type?: string): Promise<Response> => {
    try {
      const signed = await signer.sign(url, {
        method,
        headers: {
          ...(type ? { 'content-type': type } : {}),
          'x-amz-content-sha256': createHash('sha256')
            .update(body ?? '')
            .digest('hex'),
        },
        ...(body ? { body: new Uint8Array(body) } : {}),
      });
      return await fetch(signed, { redirect: 'error', signal: AbortSignal.timeout(timeoutSeconds * 1_000) });
    } catch (error) {
      throw unavailable(error);
    }
  };

  /** Each of the three may be done twice without harm; a server of many that is busy, or just ended, is asked again. */
  const ask = async (method: string, name: string, body?: Uint8Array, type?: string): Promise<Response> => {
    const url = `${root}/${prefix}${checkedName(name)}`;
    for (const pause of [100, 400]) {
      const response = await once(method, url, body, type);
      if (response.status < 500) return response;
      await response.body?.cancel();
      await wait(pause);
    }
    return once(method, url, body, type);
  };

  /** The body says what went wrong, for the log; the rest of it is left unread. */
  const refused = async (method: string, response: Response) =>
    unavailable(new Error(`${method} was answered ${response.status}: ${(await response.text()).slice(0, 300)}`));

  return {
    async put(name, body, type) {
      const response = await ask('PUT', name, body, type);
      if (!response.ok) throw await refused('PUT', response);
      await response.body?.cancel();
    },

    async get(name) {
      const response = await ask('GET', name);
      if (response.status === 404) {
        // Also what is answered where there is no such bucket: a wrong setting must not look like a missing picture.
        if (/NoSuchBucket/.test(await response.text())) throw unavailable(new Error('there is no such bucket'));
        return undefined;
      }
      if (!response.ok) throw await refused('GET', response);
      if (Number(response.headers.get('content-length') ?? 0) > most) throw unavailable(new Error('too large'));
      try {
        return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw unavailable(error);
      }
    },

    async remove(name) {
      const response = await ask('DELETE', name);
      if (!response.ok && response.status !== 404) throw await refused('DELETE', response);
      await response.body?.cancel();
    },
  };
}
