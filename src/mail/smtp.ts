import type { Transporter } from 'nodemailer';
import { Undeliverable } from '../events/index.ts';
import type { Transport } from './transport.ts';

export interface SmtpOptions {
  /**
   * `smtps://user:password@host:465` (TLS from the start) or `smtp://host:587` (STARTTLS when offered). Options of
   * nodemailer may follow as a query: `?requireTLS=true`, `?name=helo.example`; for a server inside the house
   * `?tls.rejectUnauthorized=false` or `?ignoreTLS=true`.
   */
  url: string;
  /** Seconds without a word from the server before a connection is given up. Default 20. */
  patienceSeconds?: number;
}

/** Letters to a real mail server. */
export function createSmtpTransport({ url, patienceSeconds = 20 }: SmtpOptions): Transport {
  const { username, protocol, searchParams } = new URL(url);
  const patience = patienceSeconds * 1_000;
  const options = {
    url,
    pool: true,
    maxConnections: 5,
    // The outbox tries again, and remembers; the pool must not do so behind its back.
    maxRequeues: 0,
    connectionTimeout: patience,
    greetingTimeout: patience,
    socketTimeout: patience,
    dnsTimeout: patience,
    // A password never travels in the clear because someone on the way hid the server's STARTTLS.
    ...(username && protocol === 'smtp:' && !searchParams.has('requireTLS') ? { requireTLS: true } : {}),
    disableFileAccess: true,
    disableUrlAccess: true,
  } as const;
  /** Loaded for the first letter. */
  let opened: Promise<Transporter> | undefined;
  const open = () => {
    opened ??= import('nodemailer').then(({ createTransport }) => createTransport(options));
    return opened;
  };

  return {
    async send(letter, signal) {
      try {
        await (await open()).sendMail({
          from: letter.from,
          // An object is taken as one address, whatever stands in it; a string would be parsed as a list.
          to: { name: '', address: letter.to },
          subject: letter.subject,
          text: letter.text,
          html: letter.html,
          date: letter.date,
          messageId: `<${letter.id}@${domainOf(letter.from)}>`,
          headers: {
            // RFC 3834: nobody's holiday notice answers a machine.
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'All',
            'Content-Language': letter.locale,
          },
          signal,
        });
      } catch (error) {
        throw isFinal(error) ? new Undeliverable((error as Error).message, { cause: error }) : error;
      }
    },
    close: async () => (await opened)?.close(),
  };
}

/**
 * Whether the server said "never" (5xx, RFC 5321, section 4.2.1) to this recipient or this letter. A "never" to our
 * name, our password or our sender is a fault of the configuration: those letters wait until it is mended.
 */
function isFinal(error: unknown): boolean {
  const { responseCode = 0, command } = error as { responseCode?: number; command?: string };
  return responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA');
}

const domainOf = (sender: string): string => /@([^\s>]+)>?\s*$/.exec(sender)?.[1] ?? 'localhost';
