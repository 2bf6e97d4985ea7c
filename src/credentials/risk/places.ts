import { BlockList, isIP } from 'node:net';
import type { CityResponse, Reader } from 'maxmind';
import type { Log } from '../../platform/index.ts';

/** What a table tells of where an address is. */
export interface Place {
  /** ISO 3166-1 alpha-2. */
  country?: string | undefined;
  latitude?: number | undefined;
  longitude?: number | undefined;
  /** Kilometres by which the coordinates may be wrong. */
  radius?: number | undefined;
  /** The autonomous system, if there is a table of those. */
  network?: number | undefined;
}

export interface Places {
  of(ip: string): Promise<Place>;
}

/** Without keeping the process from ending. */
const watching = { cache: { max: 2_000 }, watchForUpdates: true, watchForUpdatesNonPersistent: true };

type AnyReader = Reader<CityResponse & { autonomous_system_number?: number }>;

/**
 * Tables in MaxMind's format (GeoLite2, DB-IP and others), read from files: nobody is asked about anybody. The reader is
 * loaded with the first question, and reads a file anew when it is replaced. Without tables, or where one cannot be read,
 * nothing is known of any place, and a line in the log says so.
 */
export function createPlaces(options: { table?: string | undefined; networks?: string | undefined; log: Log }): Places {
  const { table, networks, log } = options;
  const opened = new Map<string, Promise<AnyReader | undefined>>();

  const readerOf = (file: string | undefined): Promise<AnyReader | undefined> => {
    if (!file) return Promise.resolve(undefined);
    let reader = opened.get(file);
    if (!reader) {
      reader = import('maxmind')
        .then((maxmind) => maxmind.open<never>(file, watching) as unknown as AnyReader)
        .catch((error: unknown) => {
          log.error({ err: error, file }, 'the table of places cannot be read: nothing is known of any');
          return undefined;
        });
      opened.set(file, reader);
    }
    return reader;
  };

  const found = (reader: AnyReader | undefined, ip: string) => {
    try {
      return isIP(ip) ? reader?.get(ip) : undefined;
    } catch (error) {
      log.warn({ err: error }, 'the table of places is damaged');
      return undefined;
    }
  };

  return {
    async of(ip) {
      const here = found(await readerOf(table), ip);
      const net = found(await readerOf(networks), ip);
      return {
        country: here?.country?.iso_code,
        latitude: here?.location?.latitude,
        longitude: here?.location?.longitude,
        radius: here?.location?.accuracy_radius,
        network: net?.autonomous_system_number ?? here?.autonomous_system_number,
      };
    },
  };
}

/** Where no table knows the network: the first half of an IPv4 address, the first quarter of an IPv6 one. */
export function prefixOf(ip: string): string {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '').split('%')[0]!;
  if (isIP(address) === 4) return `${address.split('.').slice(0, 2).join('.')}/16`;
  if (isIP(address) !== 6) return address;
  // WHATWG URLs spell an address in one way.
  const [head = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = head.split(':').filter(Boolean);
  return `${groups[0] ?? '0'}:${groups[1] ?? '0'}::/32`;
}

const earth = 6_371;

/** Kilometres along the surface (haversine). */
export function kilometres(a: Place, b: Place): number | undefined {
  if (a.latitude === undefined || b.latitude === undefined) return undefined;
  if (a.longitude === undefined || b.longitude === undefined) return undefined;
  const turn = (degrees: number) => (degrees * Math.PI) / 180;
  const rise = Math.sin(turn(b.latitude - a.latitude) / 2) ** 2;
  const run = Math.sin(turn(b.longitude - a.longitude) / 2) ** 2;
  const h = rise + Math.cos(turn(a.latitude)) * Math.cos(turn(b.latitude)) * run;
  return 2 * earth * Math.asin(Math.min(1, Math.sqrt(h)));
}

const named: Record<string, string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Whether an address is in one of the ranges, written as in `proxy.trusted`. */
export function rangeCheck(ranges: readonly string[]): (ip: string) => boolean {
  const list = new BlockList();
  for (const range of ranges.flatMap((each) => named[each] ?? [each])) {
    const [address = '', length] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, length === undefined ? (family === 'ipv6' ? 128 : 32) : Number(length), family);
  }
  return (ip) => {
    const address = ip.replace(/^::ffff:(?=\d+\.)/i, '').split('%')[0]!;
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}
