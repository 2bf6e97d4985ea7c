import { fork } from 'node:child_process';
import { join } from 'node:path';

const main = join(import.meta.dirname, '../../examples/relying-party/main.ts');

/** Metadata of a client that is the example application on this port. */
export const relyingPartyClient = (port: number, more: Record<string, unknown> = {}) => ({
  client_id: `example-${port}`,
  client_secret: `a secret of the example on ${port}, long enough`,
  client_name: 'Fernhill Library',
  redirect_uris: [`http://localhost:${port}/callback`],
  post_logout_redirect_uris: [`http://localhost:${port}/signed-out`],
  backchannel_logout_uri: `http://localhost:${port}/backchannel-logout`,
  backchannel_logout_session_required: true,
  grant_types: ['authorization_code', 'refresh_token'],
  ...more,
});

/** The example application as another one beside Cardea's demo, registered as {@link relyingPartyClient}. */
export async function startRelyingParty(issuer: string, port: number, env: Record<string, string> = {}) {
  const { client_id, client_secret, client_name } = relyingPartyClient(port);
  const child = fork(main, {
    env: {
      PATH: process.env.PATH,
      ISSUER: issuer,
      CLIENT_ID: client_id,
      CLIENT_SECRET: client_secret,
      CLIENT_NAME: client_name,
      PORT: String(port),
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the example application ended at its start')));
    child.on('message', (message: { ready?: boolean }) => message.ready && resolve());
  });
  return {
    url: `http://localhost:${port}`,
    async stop() {
      child.disconnect();
      await ended;
    },
  };
}
