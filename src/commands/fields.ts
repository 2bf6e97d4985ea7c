import type { FieldInput } from '../users/index.ts';
import { by, type Command, needed, Usage } from './command.ts';

const definitionFrom = (text: string): FieldInput => {
  try {
    return JSON.parse(text) as FieldInput;
  } catch {
    throw new Usage('the definition is a JSON object, as {"name":"desk","label":{"en":"Desk"},"type":"string"}');
  }
};

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
];
