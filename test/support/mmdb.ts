/**
 * Writes a small table in MaxMind's DB format (https://maxmind.github.io/MaxMind-DB/): a binary tree over the bits of IPv6
 * addresses, IPv4 at ::/96, and the records it leads to. Enough to test with; the real ones are somebody else's.
 */
export function writeMmdb(entries: Record<string, object>): Buffer {
  type Node = [Node | number | undefined, Node | number | undefined];
  const root: Node = [undefined, undefined];
  const data: Buffer[] = [];
  let size = 0;
  for (const [range, record] of Object.entries(entries)) {
    const offset = size;
    const bytes = encode(record);
    data.push(bytes);
    size += bytes.length;
    const bits = bitsOf(range);
    let node = root;
    bits.forEach((bit, at) => {
      if (at === bits.length - 1) node[bit] = offset;
      else {
        if (!Array.isArray(node[bit])) node[bit] = [undefined, undefined];
        node = node[bit] as Node;
      }
    });
  }

  const nodes: Node[] = [];
  const number = new Map<Node, number>();
  const walk = (node: Node) => {
    number.set(node, nodes.length);
    nodes.push(node);
    for (const side of node) if (Array.isArray(side)) walk(side);
  };
  walk(root);
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.forEach((node, index) => {
    node.forEach((side, at) => {
      const value = Array.isArray(side) ? number.get(side)! : nodes.length + (side === undefined ? 0 : 16 + side);
      tree.writeUIntBE(value, index * 6 + at * 3, 3);
    });
  });
  const metadata = encode({
    binary_format_major_version: new U16(2),
    binary_format_minor_version: new U16(0),
    build_epoch: new U32(1_700_000_000),
    database_type: 'GeoLite2-City',
    description: { en: 'for tests' },
    ip_version: new U16(6),
    languages: ['en'],
    node_count: new U32(nodes.length),
    record_size: new U16(24),
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata]);
}

class U16 {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
class U32 extends U16 {}

/** `81.2.0.0/16` or `2001:db8::/32`, as the bits from the root. */
function bitsOf(range: string): (0 | 1)[] {
  const [address = '', length] = range.split('/');
  const bytes = address.includes('.') ? v4(address) : v6(address);
  const count = Number(length) + (address.includes('.') ? 96 : 0);
  return Array.from({ length: count }, (_, at) => ((bytes[at >> 3]! >> (7 - (at & 7))) & 1) as 0 | 1);
}

const v4 = (address: string) => [...new Array<number>(12).fill(0), ...address.split('.').map(Number)];

function v6(address: string): number[] {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const zeros = new Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  return [...groups(head), ...zeros, ...groups(tail)].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

function encode(value: unknown): Buffer {
  const head = (type: number, length: number) =>
    type > 7 ? Buffer.from([length, type - 7]) : Buffer.from([(type << 5) | length]);
  if (value instanceof U16) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value.value);
    const wide = value instanceof U32;
    return Buffer.concat([head(wide ? 6 : 5, wide ? 4 : 2), bytes.subarray(wide ? 0 : 2)]);
  }
  if (typeof value === 'string') return Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([head(3, 8), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([head(11, value.length), ...value.map(encode)]);
  const pairs = Object.entries(value as object);
  return Buffer.concat([head(7, pairs.length), ...pairs.flatMap(([key, each]) => [encode(key), encode(each)])]);
}

/** An autonomous system, for a table of networks. */
export const systemNumber = (value: number) => ({ autonomous_system_number: new U32(value) });
