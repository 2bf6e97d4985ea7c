import { lookup as resolve } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { Refusal } from './refusal.ts';

/** Calls to others, bounded in time and size and kept out of our own network. */
export type Call = typeof globalThis.fetch;

/** Addresses that are nobody's on the public internet (RFC 6890 and what was added to its registries). */
const special = new BlockList();
for (const [net, bits] of [
  ...([
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/3',
  ] as const),
].map((range) => range.split('/') as [string, string])) {
  special.addSubnet(net, Number(bits), 'ipv4');
}
for (const [net, bits] of [
  '::/127',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
].map((range) => range.split('/') as [string, string])) {
  special.addSubnet(net, Number(bits), 'ipv6');
}

/** Whether an address is private, local or otherwise not one of the public internet; IPv4 within IPv6 counts as itself. */
export function isSpecialAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return special.check(mapped, 'ipv4');
  return special.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

const refused = () => new Refusal('outbound.address_refused', { kind: 'unavailable' });

/** Looks a name up and gives out nothing that leads into our own network: what is checked is what is connected to. */
const publicLookup: typeof resolve = ((host: string, options: object, done: (...answer: unknown[]) => void) =>
  resolve(host, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error);
    if (addresses.some(({ address }) => isSpecialAddress(address))) return done(refused());
    if ((options as { all?: boolean }).all) return done(null, addresses);
    done(null, addresses[0]!.address, addresses[0]!.family);
  })) as never;

/** Node keeps the class of its own HTTP client to itself but for the dispatcher in force, which is one. */
function publicDispatcher(): object {
  Response;
  const known = globalThis as unknown as Record<symbol, { constructor: new (options: object) => object } | undefined>;
  const inForce = known[Symbol.for('undici.globalDispatcher.2')] ?? known[Symbol.for('undici.globalDispatcher.1')];
  if (!inForce)
    throw new Error('this Node shows no HTTP dispatcher: addresses of private networks could not be kept out');
  return new inForce.constructor({ connect: { lookup: publicLookup } });
}

/**
 * `fetch` for addresses that others name. An answer is read to its end within the time, and not beyond the size.
 * @param settings.timeout seconds
 * @param settings.most bytes of an answer
 * @throws Refusal `outbound.address_refused` (unavailable); else whatever `fetch` throws
 */
export function createCall(settings: { allowPrivateAddresses: boolean; timeout: number; most?: number }): Call {
  const { allowPrivateAddresses, timeout, most = 1024 * 1024 } = settings;
  let dispatcher: object | undefined;
  return async (input, init = {}) => {
    const request = new Request(input, init);
    const { hostname } = new URL(request.url);
    if (!allowPrivateAddresses) {
      const literal = hostname.replace(/^\[|\]$/g, '');
      if (isIP(literal) && isSpecialAddress(literal)) throw refused();
      dispatcher ??= publicDispatcher();
    }
    const limit = AbortSignal.timeout(timeout * 1000);
    const response = await globalThis.fetch(request, {
      signal: AbortSignal.any([limit, request.signal]),
      // A redirect could lead anywhere, with a code or a secret in its hand.
      redirect: 'manual',
      ...(allowPrivateAddresses ? {} : { dispatcher }),
    } as RequestInit);
    const body = [204, 205, 304].includes(response.status) ? null : await read(response, most);
    return new Response(body as BodyInit | null, {
      status: response.status === 0 ? 502 : response.status,
      headers: response.headers,
    });
  };
}

async function read(response: Response, most: number): Promise<Uint8Array | null> {
  if (!response.body) return null;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > most) throw new Error(`the answer has more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
