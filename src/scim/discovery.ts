import { ScimFault } from './faults.ts';
import { cursorSeconds } from './query/page.ts';
import { pageSizes } from './query/request.ts';
import type { Attribute, JsonObject, Schema } from './schema/attribute.ts';
import { groupType, type ResourceType } from './schema/resource-type.ts';

export const bulkLimits = { maxOperations: 1_000, maxPayloadSize: 10_000_000 } as const;

const urn = 'urn:ietf:params:scim:schemas:core:2.0:';

/** RFC 7643, section 5; RFC 9865, section 4. */
export const serviceProviderConfig = (base: string): JsonObject => ({
  schemas: [`${urn}ServiceProviderConfig`],
  patch: { supported: true },
  bulk: { supported: true, ...bulkLimits },
  filter: { supported: true, maxResults: pageSizes.most },
  changePassword: { supported: true },
  sort: { supported: true },
  etag: { supported: true },
  pagination: {
    cursor: true,
    index: true,
    defaultPaginationMethod: 'index',
    defaultPageSize: pageSizes.usual,
    maxPageSize: pageSizes.most,
    cursorTimeout: cursorSeconds,
  },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'OAuth 2.0 access token',
      description:
        'By client credentials with the scopes scim.read and scim.write; DPoP and certificate-bound ones too',
      specUri: 'https://www.rfc-editor.org/info/rfc6750',
      primary: true,
    },
  ],
  meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
});

/** RFC 7643, section 6. */
export const resourceTypeResource = (
  base: string,
  { name, endpoint, description, core, extensions }: ResourceType,
): JsonObject => ({
  schemas: [`${urn}ResourceType`],
  id: name,
  name,
  endpoint,
  description,
  schema: core.id,
  schemaExtensions: extensions.map(({ id }) => ({ schema: id, required: false })),
  meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
});

/** RFC 7643, section 7. */
export const schemaResource = (base: string, { id, name, description, attributes }: Schema): JsonObject => ({
  schemas: [`${urn}Schema`],
  id,
  name,
  description,
  attributes: attributes.map(describe),
  meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
});

function describe(attribute: Attribute): JsonObject {
  const { subAttributes, type, caseExact, uniqueness, canonicalValues, referenceTypes, ...rest } = attribute;
  const isText = type === 'string' || type === 'reference' || type === 'binary';
  return {
    ...rest,
    type,
    ...(isText && { caseExact }),
    ...(type !== 'complex' && type !== 'boolean' && { uniqueness }),
    ...(canonicalValues && { canonicalValues }),
    ...(referenceTypes && { referenceTypes }),
    ...(subAttributes && { subAttributes: subAttributes.map(describe) }),
  };
}

/** What is the same for everybody, and which schemas there are now. */
export function createDiscovery(base: string) {
  const one = (list: JsonObject[], id: string): JsonObject => {
    const found = list.find((each) => String(each.id).toLowerCase() === id.toLowerCase());
    if (!found) throw new ScimFault(404, undefined, 'there is no such resource');
    return found;
  };
  const typesOf = (users: ResourceType) => [users, groupType].map((type) => resourceTypeResource(base, type));
  const schemasOf = (users: ResourceType) =>
    [users, groupType]
      .flatMap(({ core, extensions }) => [core, ...extensions])
      .map((schema) => schemaResource(base, schema));
  return {
    config: () => serviceProviderConfig(base),
    types: typesOf,
    type: (users: ResourceType, name: string) => one(typesOf(users), name),
    schemas: schemasOf,
    schema: (users: ResourceType, id: string) => one(schemasOf(users), id),
  };
}
