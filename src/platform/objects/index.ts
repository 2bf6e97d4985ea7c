/**
 * Bytes that belong to no table: pictures. Kept in a directory that all processes share, or in S3-compatible storage.
 * Who may see what, and for how long, is the business of whoever puts it here.
 */
import { join } from 'node:path';
import type { Settings } from '../config/index.ts';
import { createDiskObjects } from './disk.ts';
import type { Objects } from './objects.ts';

export { createDiskObjects } from './disk.ts';
export type { Objects } from './objects.ts';

/** What the settings name; the client for S3 is loaded only when it is wanted. */
export async function createObjects({ data, objects }: Pick<Settings, 'data' | 'objects'>): Promise<Objects> {
  if (objects.store === 'disk') return createDiskObjects({ dir: objects.dir ?? join(data, 'objects') });
  const { createS3Objects } = await import('./s3.ts');
  return createS3Objects({
    endpoint: objects.s3.endpoint!,
    bucket: objects.s3.bucket!,
    region: objects.s3.region,
    prefix: objects.s3.prefix ?? '',
    pathStyle: objects.s3.pathStyle,
    accessKeyId: objects.s3.accessKeyId!,
    secretAccessKey: objects.s3.secretAccessKey!,
    timeoutSeconds: objects.s3.timeout,
  });
}
