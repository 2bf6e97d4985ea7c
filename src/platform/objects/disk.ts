import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomToken } from '../crypto.ts';
import { checkedName, type Objects, unavailable } from './objects.ts';

const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Files in a directory; several machines share it by a network file system, or use S3 instead. */
export function createDiskObjects({ dir }: { dir: string }): Objects {
  const at = (name: string) => join(dir, checkedName(name));
  return {
    async put(name, body) {
      const path = at(name);
      // Written beside it and put in place by one step: a reader sees the old one or the new one, a crash leaves no half.
      const draft = `${path}.${randomToken(6)}.part`;
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(body);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw unavailable(error);
      }
    },

    async get(name) {
      try {
        return await readFile(at(name));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw unavailable(error);
      }
    },

    async remove(name) {
      try {
        await rm(at(name), { force: true });
      } catch (error) {
        if (!isMissing(error)) throw unavailable(error);
      }
    },
  };
}
