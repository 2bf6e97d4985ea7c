import type { RoleScope } from '../users/index.ts';
import { by, type Command, type Context, needed, Usage } from './command.ts';
import { groupOf } from './groups.ts';

const scopeOf = ({ values }: Context): RoleScope => (values.organisation === true ? 'organisation' : 'installation');

/** Permissions, roles, and who has them. */
export const roleCommands: Command[] = [
  {
    name: 'permission put',
    usage: '<name> [--description TEXT]',
    about: 'name an action that roles allow',
    options: { description: { type: 'string' } },
    async run({ app, args, values }) {
      const name = needed(args[0], 'the name');
      const { permissions } = (await app()).ports;
      const changed = await permissions.put({ name, description: values.description as string | undefined }, by);
      return { result: { changed }, lines: [changed ? `${name} is there` : 'nothing to change'] };
    },
  },
  {
    name: 'permission remove',
    usage: '<name>',
    about: 'take a permission away, from every role as well',
    async run({ app, args }) {
      const name = needed(args[0], 'the name');
      await (await app()).ports.permissions.remove(name, by);
      return { result: { name }, lines: [`${name} was removed`] };
    },
  },
  {
    name: 'permission list',
    usage: '',
    about: 'show the permissions',
    async run({ app }) {
      const permissions = await (await app()).ports.permissions.list();
      return {
        result: permissions,
        lines: permissions.map(({ name, description }) => `${name}  ${description ?? ''}`),
      };
    },
  },
  {
    name: 'role put',
    usage: '<name> [--organisation] [--permission NAME]… [--description TEXT]',
    about: 'make or change a role, of the installation or of organisations',
    options: {
      organisation: { type: 'boolean' },
      permission: { type: 'string', multiple: true },
      description: { type: 'string' },
    },
    async run(context) {
      const { app, args, values } = context;
      const name = needed(args[0], 'the name');
      const scope = scopeOf(context);
      const permissions = (values.permission as string[] | undefined) ?? [];
      const role = { name, scope, permissions, description: values.description as string | undefined };
      const changed = await (await app()).ports.roles.put(role, by);
      return { result: { changed }, lines: [changed ? `${name} is there` : 'nothing to change'] };
    },
  },
  {
    name: 'role list',
    usage: '',
    about: 'show the roles',
    async run({ app }) {
      const roles = await (await app()).ports.roles.list();
      const line = ({ name, scope, permissions }: (typeof roles)[number]) =>
        `${name}  ${scope}  ${permissions.join(' ')}`;
      return { result: roles, lines: roles.map(line) };
    },
  },
  {
    name: 'role remove',
    usage: '<name> [--organisation]',
    about: 'remove a role; whoever has it has it no more',
    options: { organisation: { type: 'boolean' } },
    async run(context) {
      const { roles } = (await context.app()).ports;
      const name = needed(context.args[0], 'the role');
      const role = await roles.named(name, scopeOf(context));
      if (!role) throw new Usage(`there is no such role: ${name}`);
      await roles.remove(role.id, by);
      return { result: { id: role.id }, lines: [`${name} was removed`] };
    },
  },
  ...(['assign', 'withdraw'] as const).map(
    (verb): Command => ({
      name: `role ${verb}`,
      usage: '<name> <email or id of a group>',
      about:
        verb === 'assign' ? 'give a role to somebody, or to a group' : 'take a role from somebody, or from a group',
      async run({ app, args }) {
        const { ports } = await app();
        const name = needed(args[0], 'the role');
        const to = needed(args[1], 'the e-mail address, or the id of a group');
        const group = to.includes('@') ? undefined : await groupOf(ports, to);
        const user = group ? undefined : await ports.users.byEmail(to);
        if (!group && !user) throw new Usage('nobody has this address');
        const scope = group?.organisationId ? 'organisation' : 'installation';
        const role = await ports.roles.named(name, scope);
        if (!role) throw new Usage(`no role of the ${scope} is called ${name}`);
        const subject = group ? { kind: 'group' as const, id: group.id } : { kind: 'user' as const, id: user!.id };
        const changed = await ports.roles[verb](role.id, subject, by);
        return { result: { changed }, lines: [changed ? 'done' : 'nothing to change'] };
      },
    }),
  ),
];
