export interface SentinelUrl {
  sentinels: { host: string; port: number }[];
  /** What the sentinels call the master they watch. */
  name: string;
  db: number;
  username?: string | undefined;
  password?: string | undefined;
  sentinelUsername?: string | undefined;
  sentinelPassword?: string | undefined;
  tls: boolean;
}

const scheme = /^rediss?\+sentinel:/;

const shape =
  /^(rediss?)\+sentinel:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?#\s]+)\/([\w.-]+)(?:\/(\d{1,3}))?(?:\?([^#\s]*))?$/;

/** As it stands where it is no percent-encoding: a password may hold a % of its own. */
function decoded(text: string | undefined): string | undefined {
  try {
    return text ? decodeURIComponent(text) : undefined;
  } catch {
    return text;
  }
}

const host = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;

export const isSentinelUrl = (url: string): boolean => scheme.test(url);

/**
 * `redis+sentinel://[user:password@]host[:26379][,host…]/name[/db][?sentinel_username=…&sentinel_password=…]`, as other
 * clients write it; `rediss+sentinel://` speaks TLS to the sentinels and to the master.
 */
export function readSentinelUrl(url: string): SentinelUrl | undefined {
  const [, protocol, username, password, hosts, name, db, query] = shape.exec(url) ?? [];
  if (!hosts || !name) return undefined;
  const found = hosts.split(',').map((each) => host.exec(each));
  if (found.some((each) => !each || Number(each[2] ?? 1) > 65_535)) return undefined;
  const options = new URLSearchParams(query);
  if ([...options.keys()].some((key) => key !== 'sentinel_username' && key !== 'sentinel_password')) return undefined;
  return {
    sentinels: found.map((each) => ({ host: each![1]!.replace(/^\[|\]$/g, ''), port: Number(each![2] ?? 26_379) })),
    name,
    db: Number(db ?? 0),
    username: decoded(username),
    password: decoded(password),
    sentinelUsername: options.get('sentinel_username') ?? undefined,
    sentinelPassword: options.get('sentinel_password') ?? undefined,
    tls: protocol === 'rediss',
  };
}
