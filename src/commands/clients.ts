import { type ClientMetadata, usesSecret } from '../clients/index.ts';
import { newId, secondsAfter, systemClock } from '../platform/index.ts';
import { by, type Command, list, needed, Usage } from './command.ts';

const metadataFrom = (text: string): Record<string, unknown> => {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Usage('--metadata takes a JSON object');
  }
};

export const clientCommands: Command[] = [
  {
    name: 'client add',
    usage:
      '<name> [--id ID] [--redirect-uri URI]… [--grant-type TYPE]… [--auth METHOD] [--first-party] [--metadata JSON]',
    about: 'register an application; its secret is shown once',
    options: {
      id: { type: 'string' },
      'redirect-uri': { type: 'string', multiple: true },
      'post-logout-redirect-uri': { type: 'string', multiple: true },
      'grant-type': { type: 'string', multiple: true },
      auth: { type: 'string' },
      'first-party': { type: 'boolean' },
      metadata: { type: 'string' },
    },
    async run({ app, args, values }) {
      const grantTypes = list(values['grant-type']);
      const metadata: ClientMetadata = {
        client_id: (values.id as string) ?? newId(),
        client_name: needed(args[0], 'the name'),
        redirect_uris: list(values['redirect-uri']) ?? [],
        ...(values['post-logout-redirect-uri']
          ? { post_logout_redirect_uris: list(values['post-logout-redirect-uri'])! }
          : {}),
        ...(grantTypes ? { grant_types: grantTypes } : {}),
        ...(grantTypes && !grantTypes.includes('authorization_code') ? { response_types: [] } : {}),
        ...(values.auth ? { token_endpoint_auth_method: values.auth as string } : {}),
        ...(values['first-party'] ? { first_party: true } : {}),
        ...(values.metadata ? metadataFrom(values.metadata as string) : {}),
      };
      const { clients, oidc } = (await app()).ports;
      oidc.validateClient(metadata);
      const { clientId, secret } = await clients.add(metadata, by);
      return {
        result: { client_id: clientId, ...(secret ? { client_secret: secret } : {}) },
        lines: [`client_id      ${clientId}`, ...(secret ? [`client_secret  ${secret}`] : [])],
      };
    },
  },
  {
    name: 'client list',
    usage: '',
    about: 'show the applications',
    async run({ app }) {
      const clients = await (await app()).ports.clients.list();
      return {
        result: clients.map(({ metadata, secrets }) => ({
          ...metadata,
          secrets: secrets.map(({ hint, createdAt, expiresAt }) => ({ hint, createdAt, expiresAt })),
        })),
        lines: clients.map(({ metadata }) => `${metadata.client_id}  ${metadata.client_name ?? ''}`),
      };
    },
  },
  {
    name: 'client remove',
    usage: '<client_id>',
    about: 'remove an application and end all it was granted',
    async run({ app, args }) {
      const clientId = needed(args[0], 'the client_id');
      const { db, clients, sessions } = (await app()).ports;
      await db.transact(async () => {
        await clients.remove(clientId, by);
        await sessions.endClient(clientId, 'client.deleted');
      });
      return { result: { client_id: clientId }, lines: [`${clientId} was removed`] };
    },
  },
  {
    name: 'client secret',
    usage: '<client_id> [--others-end-in SECONDS]',
    about: 'give an application one more secret, and let the others end',
    options: { 'others-end-in': { type: 'string' } },
    async run({ app, args, values }) {
      const clientId = needed(args[0], 'the client_id');
      const seconds = values['others-end-in'] === undefined ? undefined : Number(values['others-end-in']);
      if (seconds !== undefined && !(seconds >= 0)) throw new Usage('--others-end-in takes a number of seconds');
      const { clients } = (await app()).ports;
      const client = await clients.find(clientId);
      if (client && !usesSecret(client.metadata)) throw new Usage(`${clientId} does not authenticate by secret`);
      const secret = await clients.addSecret(clientId, by, {
        ...(seconds === undefined ? {} : { othersEndAt: secondsAfter(systemClock.now(), seconds) }),
      });
      return { result: { client_id: clientId, client_secret: secret }, lines: [`client_secret  ${secret}`] };
    },
  },
];
