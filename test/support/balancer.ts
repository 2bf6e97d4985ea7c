import { createServer, get, request } from 'node:http';

/**
 * What stands before several processes: each request goes to the next one in turn, with the Host it came with.
 * `only` turns all to one of them, as a balancer does when the others drain; `watch` has it find out by itself.
 */
export async function startBalancer() {
  let ports: number[] = [];
  let turn = 0;
  let only: number | undefined;
  let ready: number[] | undefined;
  let watching: NodeJS.Timeout | undefined;
  const served: number[] = [];

  const server = createServer((incoming, outgoing) => {
    const among = ready ?? ports.map((_, index) => index);
    const index = only ?? among[turn++ % among.length] ?? 0;
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
    /** From now on asks each, ten times a second, whether it may be sent requests, and sends them only to those. */
    watch() {
      const look = async () => {
        const answers = await Promise.all(ports.map(isReady));
        ready = answers.flatMap((answer, index) => (answer ? [index] : []));
      };
      watching = setInterval(() => void look(), 100);
      return look();
    },
    stop: () =>
      new Promise<void>((resolve) => {
        clearInterval(watching);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const isReady = (port: number) =>
  new Promise<boolean>((resolve) => {
    get({ host: 'localhost', port, path: '/health/ready', agent: false, timeout: 1_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    }).on('error', () => resolve(false));
  });
