import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDiskObjects } from '../../src/platform/objects/disk.ts';
import { createS3Objects, type S3Settings } from '../../src/platform/objects/s3.ts';
import { freePorts } from '../support/cardea.ts';
import { startS3 } from '../support/s3.ts';
import { objectStoreContract } from './objects.ts';

const key = { accessKeyId: 'AKIAFORTESTS', secretAccessKey: 'a secret/of+the tests' };
const settings = (endpoint: string): S3Settings => ({
  ...{ endpoint, bucket: 'pictures', region: 'eu-central-1', prefix: 'cardea/', pathStyle: true },
  ...{ ...key, timeoutSeconds: 5 },
});

describe('on disk', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cardea-objects-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  objectStoreContract(() => createDiskObjects({ dir }));

  it('says that it is out of reach, and not that there is nothing', async () => {
    const file = join(dir, 'a-file');
    writeFileSync(file, '');
    chmodSync(file, 0o600);
    await expect(createDiskObjects({ dir: file }).put('a/b', new Uint8Array(), 'x/y')).rejects.toMatchObject({
      code: 'store.unavailable',
    });
  });
});

describe('over the wire of S3', () => {
  let server: Awaited<ReturnType<typeof startS3>>;
  beforeAll(async () => {
    server = await startS3({ bucket: 'pictures', ...key });
  });
  afterAll(() => server.stop());
  objectStoreContract(() => createS3Objects(settings(server.url)));

  it('names the bucket in the path or in the host, and the kind of what it puts', async () => {
    const asked: Request[] = [];
    const fetch = (async (request: Request) => {
      asked.push(request);
      return new Response();
    }) as typeof globalThis.fetch;
    for (const pathStyle of [true, false]) {
      const store = createS3Objects({ ...settings('https://s3.example.com'), pathStyle }, fetch);
      await store.put('a/b.webp', new Uint8Array([1]), 'image/webp');
    }
    expect(asked.map(({ url, method }) => `${method} ${url}`)).toEqual([
      'PUT https://s3.example.com/pictures/cardea/a/b.webp',
      'PUT https://pictures.s3.example.com/cardea/a/b.webp',
    ]);
    expect(asked[0]!.headers.get('content-type')).toBe('image/webp');
    expect(asked[0]!.headers.get('authorization')).not.toContain(key.secretAccessKey);
  });

  it('a wrong key, a wrong bucket and a silent server are a store out of reach, never an empty one', async () => {
    const right = settings(server.url);
    const [closed] = await freePorts(1);
    for (const wrong of [
      { ...right, secretAccessKey: 'another' },
      { ...right, bucket: 'nobody-has-this' },
      { ...right, endpoint: `http://127.0.0.1:${closed}` },
    ]) {
      const store = createS3Objects(wrong);
      const refused = { code: 'store.unavailable' };
      await expect(store.get('a')).rejects.toMatchObject(refused);
      await expect(store.put('a', new Uint8Array([1]), 'x/y')).rejects.toMatchObject(refused);
    }
    server.silence(true);
    const hurried = createS3Objects({ ...right, timeoutSeconds: 0.2 });
    await expect(hurried.get('a')).rejects.toMatchObject({ code: 'store.unavailable' });
    server.silence(false);
  });
});

const moto = ((): string | undefined => {
  try {
    execFileSync('moto_server', ['--help'], { stdio: 'ignore', timeout: 60_000 });
    return 'moto_server';
  } catch {
    return undefined;
  }
})();

/** A server of others: any that is told by S3_TEST_ENDPOINT (with its keys), else moto where it is installed. */
const { S3_TEST_ENDPOINT, S3_TEST_ACCESS_KEY_ID, S3_TEST_SECRET_ACCESS_KEY } = process.env;
if (S3_TEST_ENDPOINT || moto) {
  describe(`at ${S3_TEST_ENDPOINT ? 'the server of S3_TEST_ENDPOINT' : 'moto'}`, () => {
    let child: ChildProcess | undefined;
    let own = settings(S3_TEST_ENDPOINT ?? '');
    beforeAll(async () => {
      if (S3_TEST_ENDPOINT) {
        own = { ...own, accessKeyId: S3_TEST_ACCESS_KEY_ID!, secretAccessKey: S3_TEST_SECRET_ACCESS_KEY! };
      } else {
        const [port] = await freePorts(1);
        child = spawn(moto!, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
        own = settings(`http://127.0.0.1:${port}`);
      }
      const signer = new AwsClient({ ...own, service: 's3' });
      const make = { method: 'PUT', headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } };
      const body =
        `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
        `<LocationConstraint>${own.region}</LocationConstraint></CreateBucketConfiguration>`;
      for (let left = 300; ; left--) {
        const answer = await signer.fetch(`${own.endpoint}/${own.bucket}`, { ...make, body }).catch(() => undefined);
        if (answer?.ok || answer?.status === 409) return;
        if (left === 0) throw new Error(`no bucket: ${answer?.status} ${await answer?.text()}`);
        await sleep(100);
      }
    }, 60_000);
    afterAll(async () => {
      if (!child) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    });
    objectStoreContract(() => createS3Objects(own));

    it('a bucket that is not there is a store out of reach', async () => {
      const lost = createS3Objects({ ...own, bucket: 'nobody-has-this' });
      await expect(lost.get('a')).rejects.toMatchObject({ code: 'store.unavailable' });
    });
  });
} else {
  const how = 'Install it (pip install "moto[server]"), or name another one by S3_TEST_ENDPOINT.';
  console.warn(
    `\n  NOT RUN: the contract of the object store at a server of others: there is no moto_server. ${how}\n`,
  );
}
