import type { App } from '../app.ts';
import { Refusal } from '../platform/index.ts';
import type { Group } from '../users/index.ts';
import { by, type Command, needed } from './command.ts';

type Ports = App['ports'];

const line = ({ id, displayName, organisationId }: Group) =>
  `${id}  ${displayName}${organisationId ? `  of ${organisationId}` : ''}`;

/** A group by its id: names are not unique. */
export async function groupOf({ groups }: Pick<Ports, 'groups'>, id: string | undefined): Promise<Group> {
  const found = await groups.find(needed(id, 'the id of the group').toLowerCase());
  if (!found) throw new Refusal('group.unknown', { kind: 'missing' });
  return found;
}

/** Addresses of people become their ids; ids are of people or groups. */
async function memberIds({ users }: Pick<Ports, 'users'>, words: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const word of words) {
    const user = word.includes('@') ? await users.byEmail(word) : undefined;
    if (word.includes('@') && !user) throw new Refusal('user.unknown', { kind: 'missing' });
    ids.push(user?.id ?? word.toLowerCase());
  }
  return ids;
}

export const groupCommands: Command[] = [
  {
    name: 'group add',
    usage: '<name> [--organisation NAME]',
    about: 'make a group, of the installation or an organisation’s own',
    options: { organisation: { type: 'string' } },
    async run({ app, args, values }) {
      const { groups, organisations } = (await app()).ports;
      const name = values.organisation as string | undefined;
      const place = name === undefined ? undefined : await organisations.called(name);
      if (name !== undefined && !place) throw new Refusal('organisation.unknown', { kind: 'missing' });
      const made = await groups.create({ displayName: needed(args[0], 'the name'), organisationId: place?.id }, by);
      return { result: made, lines: [line(made)] };
    },
  },
  {
    name: 'group list',
    usage: '[--prefix TEXT]',
    about: 'show the groups, a hundred at most',
    options: { prefix: { type: 'string' } },
    async run({ app, values }) {
      const prefix = values.prefix as string | undefined;
      const found = await (await app()).ports.groups.list({ ...(prefix !== undefined && { prefix }), limit: 100 });
      return { result: found, lines: found.map(line) };
    },
  },
  {
    name: 'group remove',
    usage: '<id>',
    about: 'remove a group; its members stay what they are',
    async run({ app, args }) {
      const { ports } = await app();
      const { id } = await groupOf(ports, args[0]);
      await ports.groups.remove(id, by);
      return { result: { id }, lines: [`${id} was removed`] };
    },
  },
  {
    name: 'group join',
    usage: '<id> <email or id>…',
    about: 'put people and groups into a group',
    async run({ app, args }) {
      const { ports } = await app();
      const { id } = await groupOf(ports, args[0]);
      const added = await ports.groups.addMembers(id, await memberIds(ports, args.slice(1)), by);
      return { result: { added }, lines: [`${added} added`] };
    },
  },
  {
    name: 'group leave',
    usage: '<id> <email or id>…',
    about: 'take people and groups out of a group',
    async run({ app, args }) {
      const { ports } = await app();
      const { id } = await groupOf(ports, args[0]);
      const removed = await ports.groups.removeMembers(id, await memberIds(ports, args.slice(1)), by);
      return { result: { removed }, lines: [`${removed} removed`] };
    },
  },
];
