import { aspnet, django, wordpress } from './frameworks.ts';
import { auth0, cognito, devise, firebase, okta } from './hosted.ts';
import { keycloak } from './keycloak.ts';
import { ldap } from './ldap.ts';
import { type FieldMap, mapped } from './mapped.ts';
import type { Source } from './source.ts';

export { ldifOf } from './ldap.ts';
export { type FieldMap, mapSchema } from './mapped.ts';
export type { Context, Source } from './source.ts';

const products = { keycloak, auth0, firebase, cognito, okta, devise, django, wordpress, aspnet, ldap };

/** What `--from` takes. `cardea` is our own NDJSON, `csv` any table with a map. */
export const sourceNames = ['cardea', 'csv', ...Object.keys(products)] as [string, ...string[]];

export function sourceOf(name: string, map: FieldMap | undefined): Source {
  if (name === 'cardea') return { how: 'lines', convert: (raw) => raw };
  if (name === 'csv') return mapped(map);
  return products[name as keyof typeof products];
}
