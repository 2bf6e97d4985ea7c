import { z } from 'zod';
import { Refusal, sha256 } from '../../platform/index.ts';
import { type Field, type FieldInput, fieldSchema } from '../../users/index.ts';
import { etagOf } from '../conditions.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';

const section = 'Custom fields';

const { name, ...shape } = fieldSchema.shape;
const definition = z.strictObject(shape).meta({ id: 'FieldDefinition' });
const field = z.strictObject(fieldSchema.shape).meta({ id: 'Field' });
const byName = z.strictObject({ name });

/** Of what is declared: nothing counts its changes. */
const versionOf = (field: Field): string => sha256(JSON.stringify(field)).slice(0, 22);
const reply = (field: Field, status?: number) => ({
  body: field,
  etag: etagOf(versionOf(field)),
  ...(status !== undefined && { status }),
});

/** What is known of people beside the standard attributes: declared here, in force everywhere at once. */
export function fieldRoutes({ fields, db }: ApiPorts): Route[] {
  const found = async (name: string): Promise<Field> => {
    const field = await fields.find(name);
    if (!field) throw new Refusal('field.unknown', { kind: 'missing' });
    return field;
  };

  return [
    route({
      method: 'GET',
      path: '/admin/fields',
      ...{ section, summary: 'List custom fields', scopes: ['directory.read'] },
      answer: z.strictObject({ items: z.array(field) }),
      handle: async () => ({ body: { items: [...(await fields.list())] } }),
    }),
    route({
      method: 'GET',
      path: '/admin/fields/{name}',
      ...{ section, summary: 'Read a custom field', scopes: ['directory.read'] },
      params: byName,
      answer: field,
      refusals: ['field.unknown'],
      handle: async ({ params }) => reply(await found(params.name)),
    }),
    route({
      method: 'PUT',
      path: '/admin/fields/{name}',
      ...{ section, summary: 'Declare a custom field', scopes: ['directory.write'] },
      details:
        'Or declare it anew, all but its type. It is asked and shown at once: at registration, in profiles, SCIM, this API and claims. Values that are there already stay.',
      params: byName,
      body: definition,
      answer: field,
      status: [200, 201],
      ifMatch: 'honoured',
      refusals: ['field.malformed', 'field.type_fixed', 'field.clash', 'field.being_removed', 'field.too_many'],
      async handle({ params, body, by, demandMatch }) {
        return db.transact(async () => {
          await db.lock('custom-field');
          const before = await fields.find(params.name);
          demandMatch(before ? versionOf(before) : 'none');
          await fields.put({ ...body, name: params.name } as FieldInput, by);
          return reply(await found(params.name), before ? 200 : 201);
        });
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/fields/{name}',
      ...{ section, summary: 'Remove a custom field', scopes: ['directory.write'], dangerous: true },
      details: 'It disappears everywhere at once, and what people have in it is erased soon after.',
      params: byName,
      refusals: ['field.unknown'],
      async handle({ params, by }) {
        await fields.remove(params.name, by);
        return {};
      },
    }),
  ];
}
