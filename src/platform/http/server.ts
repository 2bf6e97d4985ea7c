import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Log } from '../log.ts';

/** The address cannot be had; the message says what to do. */
export class ListenFault extends Error {
  override readonly name = 'ListenFault';
}

interface Address {
  port: number;
  host?: string | undefined;
  /** What the operator knows the two by. Default: PORT and HOST. */
  settings?: { port: string; host: string };
}

const reasons = ({ port, host }: { port: string; host: string }): Record<string, string> => ({
  EADDRINUSE: `something else listens there already: stop it, or choose another ${port}`,
  EACCES: `this user may not: choose a ${port} above 1023`,
  EADDRNOTAVAIL: `this machine has no such address: choose another ${host}`,
});

function listenFault(error: NodeJS.ErrnoException, address: Address): Error {
  const { port, host, settings = { port: 'PORT', host: 'HOST' } } = address;
  const reason = reasons(settings)[error.code ?? ''];
  return reason
    ? new ListenFault(`Cardea cannot listen on ${host ?? ''}:${port}: ${reason}.`, { cause: error })
    : error;
}

export interface Listening {
  port: number;
  /** Still takes everything, and asks whoever keeps a connection to end it with the answer. */
  drain(): void;
  /** Takes no new connections, lets every accepted request end, then resolves; at most `patience` seconds. */
  stop(patience?: number): Promise<void>;
}

/**
 * Listens for HTTP, or HTTPS when Cardea ends TLS itself (it then asks for a client certificate and leaves it to the
 * protocol whether one is needed).
 */
export async function listen(
  options: Address & {
    handler: RequestListener;
    tls?: { certFile: string; keyFile: string; clientCaFile?: string | undefined } | undefined;
    log: Log;
  },
): Promise<Listening> {
  const { handler, tls, log } = options;
  let stopping = false;
  const answering: RequestListener = (req, res) => {
    // A connection kept alive is told to go, so that stopping does not wait for its next idle moment.
    if (stopping) res.setHeader('connection', 'close');
    handler(req, res);
  };
  const server: Server = tls
    ? createTlsServer(
        {
          cert: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
          // Without authorities of its own no client certificate is vouched for; Node's list is for servers of the web.
          ca: tls.clientCaFile ? readFileSync(tls.clientCaFile) : [],
          requestCert: true,
          rejectUnauthorized: false,
        },
        answering,
      )
    : createServer(answering);
  server.requestTimeout = 30_000;
  server.headersTimeout = 15_000;
  server.keepAliveTimeout = 65_000;

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, options)));
    server.listen(options.port, options.host, () => resolve());
  });
  const address = server.address();

  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    drain() {
      stopping = true;
    },
    async stop(patience = 20) {
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const idle = setInterval(() => server.closeIdleConnections(), 100);
      const cut = setTimeout(() => {
        log.warn('requests were still running when patience ended');
        server.closeAllConnections();
      }, patience * 1000);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}
