import { createServer, request } from 'node:http';

/**
 * What stands before several processes: each request goes to the next one in turn, with the Host it came with.
 * `only` turns all to one of them, as a balancer does when the others drain.
 */
export async function startBalancer() {
  let ports: number[] = [];
  let turn = 0;
  let only: number | undefined;
  const served: number[] = [];

  const server = createServer((incoming, outgoing) => {
    const index = only ?? turn++ % ports.length;
    served[index] = (served[index] ?? 0) + 1;
    const { method, url, headers } = incoming;
    const onward = request({ host: 'localhost', port: ports[index], method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.headersSent || outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };

  return {
    url: `http://localhost:${port}`,
    /** How many requests each process was given. */
    served,
    before(...processes: { env: Record<string, string> }[]) {
      ports = processes.map(({ env }) => Number(env.PORT));
    },
    /** @param index of the process that gets all; undefined: in turn again */
    turnTo(index: number | undefined) {
      only = index;
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
