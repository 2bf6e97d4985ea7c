import { openApi, refusalsOf } from './openapi.ts';
import { problems } from './problems.ts';
import { type Route, statusesOf } from './route.ts';
import { prefix } from './serve.ts';

type Json = Record<string, unknown>;

interface FieldShown {
  name: string;
  type: string;
  required: boolean;
  about: string | undefined;
}

/** The reference as a page: what the OpenAPI document says, for reading. */
export function referencePage(routes: readonly Route[], about: { issuer: string; version: string; title: string }) {
  const document = openApi(routes, about);
  const schemas = (document.components as { schemas: Record<string, Json> }).schemas;
  const paths = document.paths as Record<string, Record<string, Json>>;
  const sections = [...new Set(routes.map(({ section }) => section))].map((name) => ({
    name,
    id: `section-${anchor(name)}`,
    routes: routes
      .filter(({ section }) => section === name)
      .map((route) => {
        const { method, path, summary, details, scopes, dangerous, inPerson } = route;
        const operation = paths[path]![method.toLowerCase()]!;
        const content = (at: unknown) =>
          Object.values(((at as Json | undefined)?.content ?? {}) as Record<string, Json>)[0]?.schema;
        const status = statusesOf(route);
        return {
          ...{ method, path: prefix + path, summary, details, scopes, dangerous, inPerson, status },
          id: String(operation.operationId),
          parameters: (operation.parameters as Json[]).map((parameter) => ({
            ...{ name: String(parameter.name), required: Boolean(parameter.required) },
            type: `${parameter.in}, ${typeOf(parameter.schema as Json)}`,
            about: parameter.description as string | undefined,
          })),
          body: fieldsOf(content(operation.requestBody) as Json | undefined, schemas),
          // What an answer has it always has.
          answer: fieldsOf(content((operation.responses as Json)[String(status[0])]) as Json | undefined, schemas).map(
            (field) => ({ ...field, required: false }),
          ),
          refusals: refusalsOf(route),
        };
      }),
  }));
  return {
    page: 'api/reference',
    title: 'api.reference.title',
    wide: true,
    document: `${prefix}/openapi.json`,
    base: about.issuer + prefix,
    sections,
    problems: Object.entries(problems).map(([code, { status, title }]) => ({ code, status, title })),
  };
}

const anchor = (name: string) => name.toLowerCase().replace(/\W+/g, '-');

/** The members of an object, or of the items of a list. */
function fieldsOf(schema: Json | undefined, schemas: Record<string, Json>): FieldShown[] {
  const at = resolved(schema, schemas);
  const properties = (at?.properties ?? {}) as Record<string, Json>;
  const required = (at?.required ?? []) as string[];
  return Object.entries(properties)
    .filter(([, property]) => property.readOnly !== true)
    .map(([name, property]) => ({
      name,
      type: typeOf(property),
      required: required.includes(name),
      about: property.description as string | undefined,
    }));
}

function resolved(schema: Json | undefined, schemas: Record<string, Json>): Json | undefined {
  if (typeof schema?.$ref === 'string') return resolved(schemas[schema.$ref.split('/').at(-1)!], schemas);
  const first = (schema?.anyOf as Json[] | undefined)?.[0];
  return first && !schema?.properties ? resolved(first, schemas) : schema;
}

/** A type in a few words: `string (date-time) | null`, `Person[]`. */
function typeOf(schema: Json | undefined): string {
  if (!schema) return '';
  if (typeof schema.$ref === 'string') return schema.$ref.split('/').at(-1)!;
  const union = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (union) return [...new Set(union.map(typeOf))].slice(0, 6).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return (schema.enum as unknown[]).join(' | ');
  if (Array.isArray(schema.type)) return (schema.type as string[]).join(' | ');
  if (schema.type === 'array') return `${typeOf(schema.items as Json)}[]`;
  return `${schema.type ?? 'any'}${schema.format ? ` (${schema.format})` : ''}`;
}
