import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';

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
 * In the detail of a fault PostgreSQL quotes keys and whole rows: addresses and hashes among them. And Node quotes the packet
 * that it could not parse, with whatever was sent in it.
 */
function withoutQuotes(error: Error): object {
  type Quoting = ReturnType<typeof stdSerializers.err> & { detail?: string; rawPacket?: Buffer };
  const { detail: _, rawPacket: _packet, ...told } = stdSerializers.err(error) as Quoting;
  const cut = (text: string) => text.replaceAll(/\n - detail: .*/g, '');
  return { ...told, message: cut(told.message), stack: cut(told.stack) };
}

/** An error that was logged as one: a bug, told whole. */
export interface ReportedError {
  error: Error;
  /** The words of the log line. */
  message: string;
  /** Of the request it happened in. */
  trace?: string | undefined;
  /** The periodic work or task it happened in. */
  job?: string | undefined;
}

/**
 * Structured log lines on standard output.
 * @param options.level pino's level names
 * @param options.onError hears of every error logged at `error` or above
 */
export function createLog(options: {
  level: string;
  name?: string;
  to?: DestinationStream;
  onError?: ((error: ReportedError) => void) | undefined;
}): Log {
  const { onError } = options;
  return pino(
    {
      ...(onError && {
        hooks: {
          logMethod(args, method, level) {
            const [facts, message] = args as unknown as [{ err?: unknown; job?: string; kind?: string }, string];
            if (level >= pino.levels.values.error! && facts?.err instanceof Error) {
              const { trace } = this.bindings() as { trace?: string };
              onError({ error: facts.err, message, trace, job: facts.job ?? facts.kind });
            }
            method.apply(this, args);
          },
        },
      }),
      level: options.level,
      base: options.name ? { name: options.name } : {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: (error: unknown) => (error instanceof Error ? withoutQuotes(error) : error) },
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[cut]' },
    },
    options.to ?? pino.destination(1),
  );
}

/** A log for tests and commands that should say nothing. */
export const silentLog: Log = pino({ level: 'silent' });
