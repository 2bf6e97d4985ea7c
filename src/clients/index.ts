/**
 * The applications that trust us and the resource servers that tokens are made for. Secrets are kept by hash, several
 * at a time so that they can be rotated. Reads come from memory; every process forgets what any process changed.
 */
export { type ClientRecord, type Clients, createClients } from './clients.ts';
export { type ClientMetadata, ownClientMetadata, scopesNamedBy, usesSecret } from './metadata.ts';
export { createResourceServers, type ResourceServer, type ResourceServers } from './resource-servers.ts';
export { scopesInWords } from './scopes.ts';
