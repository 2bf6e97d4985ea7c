import type { Call } from '../../platform/outbound.ts';

/**
 * Lets providers whose addresses are fixed be stood in for: what goes to `https://api.github.com/…` goes to the address
 * set for that origin instead. For tests; the configuration refuses it in production.
 */
export function elsewhere(places: Readonly<Record<string, string>>) {
  const address = (url: URL): URL => {
    const place = places[url.origin];
    return place === undefined ? url : new URL(`${place.replace(/\/+$/, '')}${url.pathname}${url.search}`);
  };
  const call =
    (inner: Call): Call =>
    async (input, init) => {
      const request = new Request(input, init);
      const to = address(new URL(request.url));
      if (to.href === request.url) return inner(request);
      const { method, headers, signal } = request;
      const body = request.body ? await request.arrayBuffer() : undefined;
      return inner(to, { method, headers, signal, ...(body ? { body } : {}) });
    };
  return { address, call };
}
