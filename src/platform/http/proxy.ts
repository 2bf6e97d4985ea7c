import type { Middleware } from 'koa';
import proxyaddr from 'proxy-addr';

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];

/**
 * Believes forwarding headers only from trusted addresses. Whoever else sends them is taken at the address of the
 * connection, and cannot pass off a client certificate either.
 * @param options.trusted addresses and CIDR ranges, or proxy-addr's names (`loopback`, `uniquelocal`)
 * @param options.certificateHeader that carries the client certificate, when the proxy ends TLS
 */
export function trustProxies(options: {
  trusted: readonly string[];
  certificateHeader?: string | undefined;
}): Middleware {
  const trust = proxyaddr.compile([...options.trusted]);
  const ours = [...forwarded, ...(options.certificateHeader ? [options.certificateHeader.toLowerCase()] : [])];
  return async (ctx, next) => {
    const { req } = ctx;
    if (!trust(req.socket.remoteAddress ?? '', 0)) for (const header of ours) delete req.headers[header];
    ctx.request.ip = proxyaddr(req, trust);
    await next();
  };
}
