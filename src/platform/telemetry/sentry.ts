import { createStackParser, createTransport, Scope } from '@sentry/core';
import { nodeStackLineParser, ServerRuntimeClient } from '@sentry/core/server';
import type { ReportedError } from '../log.ts';
import { scrub } from './scrub.ts';

const timeoutMilliseconds = 5_000;

/**
 * Tells Sentry of bugs: what was thrown, where, and the trace id by which the log knows the request. Nothing of the
 * request itself, of the person or of the machine is sent, and texts are scrubbed.
 */
export function startSentry(options: { dsn: string; environment: string; release: string }) {
  const plain = globalThis.fetch;
  const client = new ServerRuntimeClient({
    ...options,
    integrations: [],
    stackParser: createStackParser(nodeStackLineParser()),
    platform: 'node',
    runtime: { name: 'node', version: process.version },
    sendClientReports: false,
    transport: (transport) =>
      createTransport(transport, async ({ body }) => {
        const answer = await plain(transport.url, {
          method: 'POST',
          headers: { 'content-type': 'application/x-sentry-envelope', ...transport.headers },
          body: body as string,
          signal: AbortSignal.timeout(timeoutMilliseconds),
        });
        await answer.body?.cancel();
        return {
          statusCode: answer.status,
          headers: {
            'x-sentry-rate-limits': answer.headers.get('x-sentry-rate-limits'),
            'retry-after': answer.headers.get('retry-after'),
          },
        };
      }),
    beforeSend(event) {
      for (const one of event.exception?.values ?? []) {
        one.value = scrub(one.value ?? '');
        for (const frame of one.stacktrace?.frames ?? []) delete frame.vars;
      }
      delete event.user;
      delete event.request;
      delete event.breadcrumbs;
      delete event.server_name;
      return event;
    },
  });
  client.init();

  return {
    report({ error, message, trace, job }: ReportedError) {
      const scope = new Scope();
      scope.setTag('where', message);
      if (trace) scope.setTag('trace', trace);
      if (job) scope.setTag('job', job);
      client.captureException(error, {}, scope);
    },
    close: async () => void (await client.close(3_000)),
  };
}
