import { isIPv6 } from 'node:net';

/**
 * Who is behind an address, as far as counting goes: an IPv4 address, or the /64 that a provider gives to one
 * subscriber, who could otherwise use 2^64 addresses. IPv4 in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
 */
export function addressKey(ip: string): string {
  const address = ip.split('%')[0]!.toLowerCase();
  if (!isIPv6(address)) return address;
  const groups = expand(address);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const embedded = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [a, b, c, d] = (embedded?.slice(1) ?? []).map(Number);
  const text = embedded
    ? `${address.slice(0, embedded.index)}${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`
    : address;
  const [head = '', tail] = text.split('::');
  const numbers = (part: string) =>
    part
      .split(':')
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const front = numbers(head);
  if (tail === undefined) return front;
  const back = numbers(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}
