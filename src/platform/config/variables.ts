// The settings that the environment knows. Each is also read from the file named by `<name>_FILE`, except where
// the setting is the name of a file itself.

export interface Variable {
  name: string;
  /** Where it belongs in the tree of settings. */
  path: string;
  /** Never shown. */
  secret?: boolean;
  /** Has no `_FILE` twin. */
  plain?: boolean;
}

export const variables: readonly Variable[] = [
  { name: 'NODE_ENV', path: 'mode', plain: true },
  { name: 'HOST', path: 'server.host' },
  { name: 'PORT', path: 'server.port' },
  { name: 'CARDEA_DRAIN', path: 'server.drain' },
  { name: 'TLS_CERT_FILE', path: 'server.tls.cert_file', plain: true },
  { name: 'TLS_KEY_FILE', path: 'server.tls.key_file', plain: true },
  { name: 'TLS_CLIENT_CA_FILE', path: 'server.tls.client_ca_file', plain: true },
  { name: 'DATABASE_URL', path: 'database.url', secret: true },
  { name: 'DATABASE_REPLICA_URL', path: 'database.replica_url', secret: true },
  { name: 'CARDEA_MIGRATE', path: 'database.migrate' },
  { name: 'REDIS_URL', path: 'redis.url', secret: true },
  { name: 'SMTP_URL', path: 'mail.smtp_url', secret: true },
  { name: 'CARDEA_ISSUER', path: 'issuer' },
  { name: 'CARDEA_DATA', path: 'data' },
  { name: 'CARDEA_SECRET', path: 'secrets', secret: true },
  { name: 'CARDEA_BOOTSTRAP', path: 'bootstrap' },
  { name: 'CARDEA_MAIL_FROM', path: 'mail.from' },
  { name: 'CARDEA_CAPTCHA_SECRET', path: 'captcha.secret', secret: true },
  { name: 'CARDEA_S3_ACCESS_KEY_ID', path: 'objects.s3.access_key_id' },
  { name: 'CARDEA_S3_SECRET_ACCESS_KEY', path: 'objects.s3.secret_access_key', secret: true },
  { name: 'CARDEA_SMS_USER', path: 'sms.user' },
  { name: 'CARDEA_SMS_TOKEN', path: 'sms.token', secret: true },
  { name: 'CARDEA_TRICKLE_SECRET', path: 'trickle.secret', secret: true },
  { name: 'CARDEA_TRUSTED_PROXIES', path: 'proxy.trusted' },
  { name: 'CARDEA_PROCESSES', path: 'cluster.processes' },
  { name: 'CARDEA_METRICS_PORT', path: 'metrics.port' },
  { name: 'CARDEA_METRICS_HOST', path: 'metrics.host' },
  { name: 'CARDEA_TRACING_URL', path: 'tracing.url' },
  { name: 'CARDEA_TRACING_HEADERS', path: 'tracing.headers', secret: true },
  { name: 'CARDEA_TRACING_SAMPLE', path: 'tracing.sample' },
  { name: 'SENTRY_DSN', path: 'sentry.dsn', secret: true },
  { name: 'CARDEA_LOG_LEVEL', path: 'log.level' },
];

/** Names a file of settings, and is none itself. */
export const configVariable = 'CARDEA_CONFIG';

export const isSecret = (path: string): boolean =>
  variables.some(
    (variable) => variable.secret === true && (path === variable.path || path.startsWith(`${variable.path}.`)),
  );

/** As the operator knows it: the variable, else the path in the YAML files. */
export const settingName = (path: string): string => variables.find((variable) => variable.path === path)?.name ?? path;

/** The nearest of the known names, if one is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(2, Math.floor(name.length / 4)) ? best.candidate : undefined;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
