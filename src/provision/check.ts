import { parse } from 'yaml';
import type { ClientMetadata } from '../clients/index.ts';
import { Refusal } from '../platform/index.ts';
import { emailKey } from '../users/index.ts';
import { type Plan, ProvisionFault, planSchema } from './plan.ts';

/** Fewest characters of a client secret that somebody chose; those we make have 43. */
const shortestSecret = { production: 32, development: 8, test: 8 };

/** Reads YAML (or JSON) of a plan. @throws ProvisionFault with every fault of its shape */
export function readPlan(source: string): Plan {
  let raw: unknown;
  try {
    raw = parse(source) ?? {};
  } catch (error) {
    throw new ProvisionFault([`is not YAML: ${(error as Error).message.split('\n')[0]}`]);
  }
  const result = planSchema.safeParse(raw);
  if (result.success) return result.data;
  throw new ProvisionFault(
    result.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`),
  );
}

/** The rest of what can be wrong: what the engine says of each client, what is named twice, what is too weak. */
export function checkPlan(
  plan: Plan,
  options: { mode: keyof typeof shortestSecret; validateClient: (metadata: ClientMetadata) => void },
): void {
  const faults: string[] = [];
  const once = (what: string, names: string[]) => {
    for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index)))
      faults.push(`${what} ${name} is there twice`);
  };
  once(
    'the field',
    plan.fields.map(({ name }) => name),
  );
  once(
    'the role',
    plan.roles.map(({ scope, name }) => `${name} of the ${scope}`),
  );
  once(
    'the group',
    plan.groups.map(({ name }) => name),
  );
  once(
    'the organisation',
    plan.organisations.map(({ name }) => name),
  );
  once(
    'the person',
    [...plan.administrators, ...plan.users].map(({ email }) => emailKey(email)),
  );
  once(
    'the client',
    plan.clients.map(({ client_id }) => client_id),
  );
  once(
    'the identity provider',
    plan.identity_providers.map(({ id }) => id),
  );
  once(
    'the resource server',
    plan.resource_servers.map(({ identifier }) => identifier),
  );

  plan.clients.forEach(({ client_secret: secret, ...metadata }, index) => {
    if (secret && secret.length < shortestSecret[options.mode]) {
      faults.push(`clients.${index}.client_secret: has fewer than ${shortestSecret[options.mode]} characters`);
    }
    try {
      options.validateClient(metadata);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      faults.push(`clients.${index} (${metadata.client_id}): ${error.details.problem}`);
    }
  });
  if (faults.length > 0) throw new ProvisionFault(faults);
}
