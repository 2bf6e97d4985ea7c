import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import proxyaddr from 'proxy-addr';
import type { Log } from '../log.ts';

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];

/** Remote addresses whose answer is remembered: behind proxies there are few, and reading an address takes a while. */
const mostAddresses = 1_000;

/** Whether the sender at the other end of the connection may say where a request came from. */
export function createTrust(trusted: readonly string[]): (request: IncomingMessage) => boolean {
  const trust = proxyaddr.compile([...trusted]);
  const known = new Map<string, boolean>();
  return ({ socket: { remoteAddress = '' } }) => {
    let answer = known.get(remoteAddress);
    if (answer === undefined) {
      answer = trust(remoteAddress, 0);
      if (known.size >= mostAddresses) known.clear();
      known.set(remoteAddress, answer);
    }
    return answer;
  };
}

/** The address a request came from, as far as those who may say so tell. */
export function createAddressOf(trusted: readonly string[]): (request: IncomingMessage) => string {
  const trust = proxyaddr.compile([...trusted]);
  const isTrusted = createTrust(trusted);
  return (request) => {
    const isForwarded = request.headers['x-forwarded-for'] !== undefined && isTrusted(request);
    return isForwarded ? proxyaddr(request, trust) : (request.socket.remoteAddress ?? '');
  };
}

/**
 * Believes forwarding headers only from trusted addresses. Whoever else sends them is taken at the address of the
 * connection, and cannot pass off a client certificate either.
 * @param options.trusted addresses and CIDR ranges, or proxy-addr's names (`loopback`, `uniquelocal`)
 * @param options.certificateHeader that carries the client certificate, when the proxy ends TLS
 */
export function trustProxies(options: {
  trusted: readonly string[];
  certificateHeader?: string | undefined;
  log: Log;
}): Middleware {
  const { log } = options;
  const trust = proxyaddr.compile([...options.trusted]);
  const isTrusted = createTrust(options.trusted);
  const inside = proxyaddr.compile(['loopback', 'linklocal', 'uniquelocal']);
  let told = false;
  /** Once: behind a proxy that is not named everybody has its address, and a few guesses of one lock all out. */
  const tellOfProxy = (address: string, forwardedFor: unknown) => {
    if (told || forwardedFor === undefined || !inside(address, 0)) return;
    told = true;
    log.warn({ address }, 'this address forwards requests and is not trusted: if it is your proxy, see proxy.trusted');
  };
  const ours = [...forwarded, ...(options.certificateHeader ? [options.certificateHeader.toLowerCase()] : [])];
  return async (ctx, next) => {
    const { req } = ctx;
    const address = req.socket.remoteAddress ?? '';
    if (!isTrusted(req)) {
      tellOfProxy(address, req.headers['x-forwarded-for']);
      for (const header of ours) delete req.headers[header];
    }
    ctx.request.ip = req.headers['x-forwarded-for'] === undefined ? address : proxyaddr(req, trust);
    await next();
  };
}
