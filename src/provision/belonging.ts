import { Refusal } from '../platform/index.ts';
import type { Groups, Organisations, Permissions, Roles, Users } from '../users/index.ts';
import { type Plan, ProvisionFault } from './plan.ts';

export interface BelongingPorts {
  users: Users;
  groups: Groups;
  permissions: Permissions;
  roles: Roles;
  organisations: Organisations;
}

const by = { actor: { kind: 'system' as const }, reason: 'bootstrap' };

/**
 * Permissions, roles, groups and organisations as the plan says, in the open transaction. What the plan does not name
 * stays: nobody is put out of a group, role or organisation by a restart.
 * @returns what was changed, one line each
 */
export async function applyBelonging(plan: Plan, ports: BelongingPorts): Promise<string[]> {
  const changes: string[] = [];
  const note = (changed: boolean | number, line: string) => {
    if (changed) changes.push(line);
  };

  for (const each of plan.permissions) {
    const permission = typeof each === 'string' ? { name: each } : each;
    note(await ports.permissions.put(permission, by), `permission ${permission.name}`);
  }
  for (const { users: _, groups: __, ...role } of plan.roles)
    note(await refusable(`role ${role.name}`, () => ports.roles.put(role, by)), `role ${role.name}`);
  for (const group of plan.groups) await groupOf(group.name, ports, () => note(true, `group ${group.name}`));
  for (const group of plan.groups) {
    const { id } = await groupOf(group.name, ports);
    const inner = await Promise.all(group.groups.map(async (name) => (await groupOf(name, ports)).id));
    const people = await peopleOf(group.users, ports, `group ${group.name}`);
    const work = () => ports.groups.addMembers(id, [...people, ...inner], by);
    note(await refusable(`group ${group.name}`, work), `group ${group.name}: members`);
  }
  for (const { name, scope, users, groups } of plan.roles) {
    const role = (await ports.roles.named(name, scope))!;
    const subjects = [
      ...(await peopleOf(users, ports, `role ${name}`)).map((id) => ({ kind: 'user' as const, id })),
      ...(await Promise.all(
        groups.map(async (group) => ({ kind: 'group' as const, id: (await groupOf(group, ports)).id })),
      )),
    ];
    for (const subject of subjects)
      note(await refusable(`role ${name}`, () => ports.roles.assign(role.id, subject, by)), `role ${name}: assigned`);
  }
  for (const organisation of plan.organisations) changes.push(...(await applyOrganisation(organisation, ports)));
  return changes;
}

async function applyOrganisation(
  { name, display_name: displayName, policy, members, domains }: Plan['organisations'][number],
  ports: BelongingPorts,
): Promise<string[]> {
  const { organisations, roles } = ports;
  const what = `organisation ${name}`;
  const changes: string[] = [];
  let place = await organisations.called(name);
  if (!place) {
    place = await refusable(what, () => organisations.create({ name, displayName, policy }, by));
    changes.push(`${what} added`);
  } else {
    const { id, version } = place;
    const after = await refusable(what, () => organisations.update(id, { displayName, policy }, by));
    if (after.version !== version) changes.push(`${what} updated`);
  }
  const { id } = place;
  for (const { email, roles: names } of members) {
    const [accountId] = await peopleOf([email], ports, what);
    const ids = await refusable(what, () => roles.idsOf(names));
    if (await organisations.members.add(id, accountId!, by, ids)) changes.push(`${what}: member ${accountId}`);
  }
  for (const each of domains) {
    const { domain, proved } = typeof each === 'string' ? { domain: each, proved: false } : each;
    const before = (await organisations.domains.list(id)).length;
    const claimed = await refusable(what, () => organisations.domains.claim(id, domain, by));
    if ((await organisations.domains.list(id)).length > before) changes.push(`${what}: domain ${claimed.domain}`);
    if (proved && !claimed.provedAt) {
      await refusable(what, () => organisations.domains.vouch(id, domain, by));
      changes.push(`${what}: domain ${claimed.domain} proved by the file`);
    }
  }
  return changes;
}

/** The group of the installation that is called so; made when there is none. */
async function groupOf(name: string, { groups }: BelongingPorts, made = () => {}): Promise<{ id: string }> {
  const [found] = (await groups.list({ prefix: name, limit: 100 })).filter(
    (group) => group.displayName === name && group.organisationId === undefined,
  );
  if (found) return found;
  made();
  return groups.create({ displayName: name }, by);
}

async function peopleOf(addresses: readonly string[], { users }: BelongingPorts, what: string): Promise<string[]> {
  const ids = [];
  for (const [index, address] of addresses.entries()) {
    const user = await users.byEmail(address);
    // The address itself is not for the log.
    if (!user) throw new ProvisionFault([`${what}: nobody has the address at place ${index + 1}`]);
    ids.push(user.id);
  }
  return ids;
}

/** @throws ProvisionFault in place of a refusal, which would name the code only */
async function refusable<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new ProvisionFault([`${what}: ${error.code} ${JSON.stringify(error.details ?? {})}`]);
  }
}
