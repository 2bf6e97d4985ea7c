/**
 * SCIM 2.0 (RFC 7643, RFC 7644): directories and personnel systems make, change and remove people and groups here, by
 * one protocol that they all speak. Speaks SCIM and nothing else: who people are and what may become of them is `users`'
 * business, who may call is told by `introspection`, which lets requests in.
 */
export type { ScimPorts } from './ports.ts';
export { createScim } from './routes.ts';
