import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that can be cut, as a network does, and mended. */
export async function startWire(target: { path: string } | { host: string; port: number }) {
  const sockets = new Set<Socket>();
  const lost = new WeakSet<Socket>();
  let state: 'whole' | 'cut' | 'silent' = 'whole';
  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy();
    const far = connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from));
      from.on('data', (data) => state === 'silent' || lost.has(from) || to.write(data)).on('end', () => to.end());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    /** Connections break and new ones are refused. */
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.destroy();
    },
    /** Connections stay and nothing comes through. */
    silence() {
      state = 'silent';
    },
    /** Nothing comes through any more on the connections that there are, and nobody is told; new ones are whole. */
    lose() {
      for (const socket of sockets) lost.add(socket);
    },
    /** What was lost on a silent wire stays lost: its connections break. */
    mend() {
      if (state === 'silent') for (const socket of sockets) socket.destroy();
      state = 'whole';
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export type Wire = Awaited<ReturnType<typeof startWire>>;

/** A wire to the database of this URL, and the URL that leads over it. */
export async function wireToDatabase(url: string): Promise<Wire & { url: string }> {
  // The host may be a folder of Unix sockets, percent-encoded.
  const [, before, host, port, after] = /^(.*@)([^:/]+):(\d+)(\/.*)$/.exec(url)!;
  const folder = decodeURIComponent(host!);
  const wire = await startWire(
    folder.startsWith('/') ? { path: `${folder}/.s.PGSQL.${port}` } : { host: folder, port: Number(port) },
  );
  return { ...wire, url: `${before}127.0.0.1:${wire.port}${after}` };
}
