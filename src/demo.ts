import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Clients, ResourceServers } from './clients/index.ts';
import type { Settings } from './platform/config/index.ts';
import type { Db } from './platform/db/index.ts';
import { type Log, randomToken } from './platform/index.ts';

const program = join(import.meta.dirname, '..', 'examples', 'relying-party', 'main.ts');
const clientId = 'demo';

/**
 * Development's demo application: a relying party of its own, in a process of its own, that knows us only by the
 * protocol. It gets a new secret at each start, which nobody has to keep.
 */
export async function startDemo(options: {
  settings: Settings;
  clients: Clients;
  resources: ResourceServers;
  db: Db;
  log: Log;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const { settings, clients, resources, db, log } = options;
  const url = `http://localhost:${settings.demo.port}`;
  const by = { actor: { kind: 'system' as const }, reason: 'demo application' };
  const secret = randomToken();
  const metadata = {
    client_id: clientId,
    client_name: 'Demo application',
    client_uri: url,
    redirect_uris: [`${url}/callback`],
    post_logout_redirect_uris: [`${url}/signed-out`],
    backchannel_logout_uri: `${url}/backchannel-logout`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  // Its own API, which asks for a fresher or stronger sign-in by RFC 9470 when one is too weak for it.
  const api = { identifier: `${url}/api`, scope: 'demo:read' };
  const [present] = await db.query('select 1 from client where client_id = $1', [clientId]);
  await db.transact(async () => {
    await resources.put({
      identifier: api.identifier,
      name: 'Demo API',
      scopes: { [api.scope]: 'Greet you from the demo API' },
      tokenFormat: 'jwt',
      clientIds: [],
    });
    if (present) {
      await clients.replace(metadata, by);
      await clients.addSecret(clientId, by, { secret, othersEndAt: new Date() });
    } else {
      await clients.add(metadata, by, { secret });
    }
  });

  const child: ChildProcess = spawn(process.execPath, [program], {
    // Standard input is a pipe that closes when we are gone, however we went; the demo ends with it.
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {
      ISSUER: settings.issuer,
      CLIENT_ID: clientId,
      CLIENT_SECRET: secret,
      CLIENT_NAME: metadata.client_name,
      PORT: String(settings.demo.port),
      RESOURCE: api.identifier,
      API_SCOPE: api.scope,
    },
  });
  child.on('error', (error) => log.warn({ err: error }, 'the demo application did not start'));
  return {
    url,
    stop: async () => {
      if (child.exitCode !== null) return;
      const gone = new Promise<void>((done) => child.once('exit', () => done()));
      child.kill('SIGTERM');
      await gone;
    },
  };
}
