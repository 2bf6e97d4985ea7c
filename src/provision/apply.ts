import { isDeepStrictEqual } from 'node:util';
import type { ClientMetadata, Clients, ResourceServers } from '../clients/index.ts';
import { usesSecret } from '../clients/index.ts';
import type { Passwords, Prepared } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Db } from '../platform/db/index.ts';
import { Refusal, sha256 } from '../platform/index.ts';
import { emailKey, type Fields, mergeValues, type Users } from '../users/index.ts';
import { applyBelonging, type BelongingPorts } from './belonging.ts';
import { type Plan, ProvisionFault } from './plan.ts';

export interface ProvisionPorts extends BelongingPorts {
  db: Db;
  users: Users;
  fields: Fields;
  passwords: Passwords;
  clients: Clients;
  resources: ResourceServers;
  federation: Pick<Federation, 'providers'>;
  events: Pick<Events, 'record'>;
}

const by = { actor: { kind: 'system' as const }, reason: 'bootstrap' };

/**
 * Makes the installation what the plan says, in one transaction that other processes wait for.
 *
 * Custom fields, roles, organisations, identity providers, clients and resource servers follow the file. People are only added: what became of an account since (a new
 * password, a suspension) is not undone by a restart.
 * @returns what was changed, one line each; nothing when all was so already
 */
export async function applyPlan(plan: Plan, ports: ProvisionPorts): Promise<string[]> {
  const { db, passwords, events } = ports;
  const people = [
    ...plan.administrators.map((person) => ({
      ...person,
      state: 'Active' as const,
      email_verified: true,
      administrator: true,
    })),
    ...plan.users.map((person) => ({ ...person, administrator: false })),
  ];
  // Hashing takes long and belongs before the transaction.
  const missing: { person: (typeof people)[number]; prepared: Prepared | undefined }[] = [];
  for (const person of people) {
    if (await isThere(person.email, db)) continue;
    missing.push({ person, prepared: person.password ? await passwords.prepare(person.password) : undefined });
  }

  return db.transact(async () => {
    await db.lock('provision');
    const changes: string[] = [];
    for (const field of plan.fields) {
      if (await ports.fields.put(field, by)) changes.push(`field ${field.name}`);
    }
    for (const provider of plan.identity_providers) {
      if (await ports.federation.providers.put(provider, by)) changes.push(`identity provider ${provider.id}`);
    }
    for (const server of plan.resource_servers) {
      const { identifier, scopes } = server;
      const changed = await ports.resources.put({
        identifier,
        name: server.name ?? identifier,
        scopes: Array.isArray(scopes) ? Object.fromEntries(scopes.map((scope) => [scope, scope])) : scopes,
        tokenFormat: server.token_format,
        tokenTtl: server.token_ttl,
        signingAlg: server.signing_alg,
        clientIds: server.introspection_clients,
      });
      if (changed) changes.push(`resource server ${identifier}`);
    }
    for (const client of plan.clients) changes.push(...(await applyClient(client as ClientMetadata, ports)));
    for (const { person, prepared } of missing) {
      if (await isThere(person.email, db)) continue;
      const user = await addPerson(person, ports);
      if (prepared) await passwords.store(user.id, prepared);
      changes.push(`${person.administrator ? 'administrator' : 'user'} ${user.id} (${person.state})`);
    }
    changes.push(...(await applyBelonging(plan, ports)));
    if (changes.length > 0)
      await events.record({ type: 'bootstrap.applied', ...by, data: { changes: changes.length } });
    return changes;
  });
}

/** A deleted account counts: its deletion is not undone by a restart either. */
const isThere = async (email: string, db: Db): Promise<boolean> =>
  (await db.query('select 1 from user_account where email_key = $1 limit 1', [emailKey(email)])).length > 0;

async function applyClient(
  { client_secret: secret, ...metadata }: ClientMetadata,
  { clients, db }: ProvisionPorts,
): Promise<string[]> {
  const given = typeof secret === 'string' ? { secret } : {};
  const [present] = await db.query<{ metadata: ClientMetadata }>('select metadata from client where client_id = $1', [
    metadata.client_id,
  ]);
  if (!present) {
    await clients.add(metadata, by, given);
    return [`client ${metadata.client_id} added`];
  }
  const changes = [];
  if (!isDeepStrictEqual(present.metadata, JSON.parse(JSON.stringify(metadata)))) {
    await clients.replace(metadata as ClientMetadata, by);
    changes.push(`client ${metadata.client_id} updated`);
  }
  if (given.secret && usesSecret(metadata as ClientMetadata)) {
    const held = await db.query(
      'select 1 from client_secret where client_id = $1 and secret_hash = $2 and expires_at is null',
      [metadata.client_id, sha256(given.secret)],
    );
    if (held.length === 0) {
      await clients.addSecret(metadata.client_id, by, given);
      changes.push(`client ${metadata.client_id}: secret added`);
    }
  }
  return changes;
}

/** States that a new account cannot begin in are reached from Active, by the table of transitions. */
const laterStates = { Suspended: 'suspend', Deactivated: 'deactivate', Deleted: 'remove' } as const;

async function addPerson(
  person: Plan['users'][number] & { administrator: boolean },
  { users, fields }: ProvisionPorts,
) {
  const {
    email,
    email_verified,
    state,
    administrator,
    password: _,
    name,
    given_name,
    family_name,
    locale,
    attributes = {},
    ...profile
  } = person;
  const later =
    state === 'Suspended' || state === 'Deactivated' || state === 'Deleted' ? laterStates[state] : undefined;
  const user = await users.create(
    {
      email,
      emailVerified: email_verified ?? !['Created', 'Unverified'].includes(state),
      state: later ? 'Active' : (state as 'Active'),
      administrator,
      name,
      givenName: given_name,
      familyName: family_name,
      locale,
      profile,
      attributes: await attributesOf(attributes, fields),
    },
    by,
  );
  if (later) await users.change(user.id, later, by);
  return user;
}

async function attributesOf(values: Record<string, unknown>, fields: Fields): Promise<Record<string, unknown>> {
  try {
    return mergeValues({}, await fields.check(values, { as: 'administrator', at: 'api' }));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const faults = Object.entries(error.details as Record<string, { code: string }>);
    throw new ProvisionFault(faults.map(([name, { code }]) => `users: attributes.${name}: ${code}`));
  }
}
