import { expect, it } from 'vitest';
import type { Objects } from '../../src/platform/objects/index.ts';

/** What every store of objects does. @param open another process's view of the same store */
export function objectStoreContract(open: () => Objects | Promise<Objects>): void {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  const name = () => `pictures/aa/${Math.random().toString(36).slice(2)}_-x.webp`;

  it('keeps what it is given, for every process', async () => {
    const one = name();
    const all = Uint8Array.from({ length: 70_000 }, (_, n) => n % 256);
    await (await open()).put(one, all, 'image/webp');
    const got = await (await open()).get(one);
    expect(Buffer.compare(Buffer.from(got!), Buffer.from(all))).toBe(0);
  });

  it('puts a new one in place of the old, and an empty one too', async () => {
    const store = await open();
    const one = name();
    await store.put(one, bytes('old'), 'image/webp');
    await store.put(one, bytes('new'), 'image/webp');
    expect(Buffer.from((await store.get(one))!).toString()).toBe('new');
    await store.put(one, bytes(''), 'image/webp');
    expect((await store.get(one))!.length).toBe(0);
  });

  it('has nothing where nothing was put, and nothing after it was removed, twice or in vain', async () => {
    const store = await open();
    const one = name();
    expect(await store.get(one)).toBeUndefined();
    await store.remove(one);
    await store.put(one, bytes('x'), 'image/webp');
    await store.remove(one);
    await store.remove(one);
    expect(await store.get(one)).toBeUndefined();
    expect(await store.get(`${one}/below`)).toBeUndefined();
  });

  it('of many at once keeps one whole', async () => {
    const store = await open();
    const one = name();
    const bodies = Array.from({ length: 8 }, (_, n) => String(n).repeat(5_000));
    // A store may refuse one of several (some servers do); it may not mix them.
    const put = await Promise.allSettled(bodies.map((body) => store.put(one, bytes(body), 'image/webp')));
    expect(put.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(bodies).toContain(Buffer.from((await store.get(one))!).toString());
  });

  it('takes no name that leads elsewhere', async () => {
    const store = await open();
    for (const bad of ['../secret', 'a/../../b', '/etc/passwd', 'a//b', 'a\\b', 'a\0b', '.', '', 'a/%2e%2e', 'a b?x'])
      await expect(store.put(bad, bytes('x'), 'x/y').then(() => bad)).rejects.toThrow(/names no object/);
  });
}
