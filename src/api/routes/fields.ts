import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { type FieldInput, fieldObject } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { text } from '../schemas.ts';

const section = 'Custom fields';
const field = fieldObject.meta({ id: 'CustomField' });
const definition = fieldObject
  .extend({ name: text(40).optional().describe('As in the path, if it is there') })
  .meta({ id: 'CustomFieldDefinition' });
const byName = z.strictObject({ name: text(100) });

/** What administrators ask of people beside the standard attributes. */
export function fieldRoutes({ fields }: ApiPorts): Route[] {
  const found = async (name: string) => {
    const known = await fields.find(name);
    if (!known) throw new Refusal('field.unknown', { kind: 'missing' });
    return known;
  };
  return [
    route({
      method: 'GET',
      path: '/admin/fields',
      ...{ section, summary: 'List the custom fields', scopes: ['directory.read'] },
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
      handle: async ({ params }) => ({ body: await found(params.name) }),
    }),
    route({
      method: 'PUT',
      path: '/admin/fields/{name}',
      ...{ section, summary: 'Declare a custom field', scopes: ['directory.write'] },
      details:
        'Or change it. In force in every process at once: pages, claims, SCIM and this API. Values that were right before stay; a field keeps its type.',
      params: byName,
      body: definition,
      answer: field,
      status: [200, 201],
      refusals: ['field.malformed', 'field.type_fixed', 'field.clash', 'field.being_removed', 'field.too_many'],
      async handle({ params: { name }, body, by }) {
        if (body.name !== undefined && body.name !== name) {
          throw new Refusal('field.malformed', { kind: 'invalid', details: { faults: ['name: not as in the path'] } });
        }
        const before = await fields.find(name);
        await fields.put({ ...body, name } as FieldInput, by);
        return { body: await found(name), status: before ? 200 : 201, location: `/admin/fields/${name}` };
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/fields/{name}',
      ...{ section, summary: 'Remove a custom field', scopes: ['directory.write'] },
      details:
        'From every page, claim and interface at once; its values are cleared within minutes and do not come back.',
      params: byName,
      refusals: ['field.unknown'],
      async handle({ params, by }) {
        await fields.remove(params.name, by);
        return {};
      },
    }),
  ];
}
