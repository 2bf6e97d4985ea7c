import { type Logger, pino } from 'pino';

export type Log = Logger;

/** Names under which a secret could reach a log line; their values are cut out wherever they stand. */
const secretNames = [
  'password',
  'token',
  'secret',
  'code',
  'cookie',
  'authorization',
  'client_secret',
  'refresh_token',
  'access_token',
  'id_token',
  'code_verifier',
  'assertion',
  'client_assertion',
  'email',
];

/**
 * Structured log lines on standard output.
 * @param options.level pino's level names
 */
export function createLog(options: { level: string; name?: string }): Log {
  return pino({
    level: options.level,
    base: options.name ? { name: options.name } : {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
    redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[cut]' },
  });
}

/** A log for tests and commands that should say nothing. */
export const silentLog: Log = pino({ level: 'silent' });
