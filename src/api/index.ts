/**
 * The REST user API at `/api`: people and what belongs to them, for administrators, services and people themselves.
 * Every route is one description (`route.ts`) from which come the checks of its requests, the OpenAPI document and the
 * reference page. What is done stands in the rooms below; here is who may ask and how it is said in HTTP.
 */

export { type Api, createApi } from './api.ts';
export type { Bearer, Caller, Scope } from './bearer.ts';
export type { ApiPorts } from './ports.ts';
