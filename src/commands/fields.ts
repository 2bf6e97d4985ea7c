import type { FieldInput } from '../users/index.ts';
import { by, type Command, needed, Usage } from './command.ts';

const definitionFrom = (text: string): FieldInput => {
  try {
    return JSON.parse(text) as FieldInput;
  } catch {
    throw new Usage('the definition is a JSON object, as {"name":"desk","label":{"en":"Desk"},"type":"string"}');
  }
};

/** Custom fields, permissions and roles. */
export const fieldCommands: Command[] = [
  {
    name: 'field list',
    usage: '',
    about: 'show the custom fields',
    async run({ app }) {
      const fields = await (await app()).ports.fields.list();
      return { result: fields, lines: fields.map(({ name, type, label }) => `${name}  ${type}  ${label.en ?? ''}`) };
    },
  },
  {
    name: 'field put',
    usage: '<definition as JSON>',
    about: 'declare a custom field, or change one; in force at once',
    async run({ app, args }) {
      const definition = definitionFrom(needed(args[0], 'the definition'));
      const changed = await (await app()).ports.fields.put(definition, by);
      return { result: { changed }, lines: [changed ? `${definition.name} is declared` : 'nothing to change'] };
    },
  },
  {
    name: 'field remove',
    usage: '<name>',
    about: 'take a custom field away, and the values with it',
    async run({ app, args }) {
      const name = needed(args[0], 'the name');
      const { fields } = (await app()).ports;
      await fields.remove(name, by);
      await fields.maintain();
      return { result: { name }, lines: [`${name} was removed`] };
    },
  },
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
    async run({ app, args, values }) {
      const name = needed(args[0], 'the name');
      const scope = values.organisation === true ? ('organisation' as const) : ('installation' as const);
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
  ...(['assign', 'withdraw'] as const).map(
    (verb): Command => ({
      name: `role ${verb}`,
      usage: '<name> <email>',
      about: verb === 'assign' ? 'give somebody a role of the installation' : 'take a role of the installation away',
      async run({ app, args }) {
        const { roles, users } = (await app()).ports;
        const name = needed(args[0], 'the role');
        const role = await roles.named(name, 'installation');
        const user = await users.byEmail(needed(args[1], 'the e-mail address'));
        if (!role) throw new Usage(`no role of the installation is called ${name}`);
        if (!user) throw new Usage('nobody has this address');
        const changed = await roles[verb](role.id, { kind: 'user', id: user.id }, by);
        return { result: { changed }, lines: [changed ? 'done' : 'nothing to change'] };
      },
    }),
  ),
];
