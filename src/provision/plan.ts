import { z } from 'zod';
import { isMappingTarget, providerSchema } from '../federation/index.ts';
import { fieldSchema, isEmail, organisationName, permissionName, policySchema } from '../users/index.ts';

const text = z.string().trim().min(1).max(200);

const person = z.strictObject({
  email: z.string().refine(isEmail, 'is not an e-mail address'),
  password: z.string().min(1).max(256).optional(),
  name: text.optional(),
  given_name: text.optional(),
  family_name: text.optional(),
  locale: text.optional(),
  // The rest of OpenID Connect Core 1.0, section 5.1.
  middle_name: text.optional(),
  nickname: text.optional(),
  preferred_username: text.optional(),
  profile: z.url().optional(),
  picture: z.url().optional(),
  website: z.url().optional(),
  gender: text.optional(),
  birthdate: z
    .string()
    .regex(/^(\d{4}|0000-\d\d-\d\d|\d{4}-\d\d-\d\d)$/, 'is a date as 1990-05-24, or a year')
    .optional(),
  zoneinfo: text.optional(),
  phone_number: text.optional(),
  phone_number_verified: z.boolean().optional(),
  /** Custom fields by name. */
  attributes: z.record(z.string(), z.unknown()).optional(),
  address: z
    .strictObject({
      formatted: text.optional(),
      street_address: text.optional(),
      locality: text.optional(),
      region: text.optional(),
      postal_code: text.optional(),
      country: text.optional(),
    })
    .optional(),
});

/** An address, or a name. */
const reference = z.string().min(1).max(320);

/** Every list may be absent. Whatever is not known here is a fault, so that a slip of the pen is not silently nothing. */
export const planSchema = z.strictObject({
  /** Named actions, and the roles that are sets of them. */
  permissions: z
    .array(
      z.union([
        z.string().regex(permissionName),
        z.strictObject({ name: z.string().regex(permissionName), description: text.optional() }),
      ]),
    )
    .default([]),
  roles: z
    .array(
      z.strictObject({
        name: text,
        scope: z.enum(['installation', 'organisation']).default('installation'),
        description: text.optional(),
        permissions: z.array(z.string()).default([]),
        /** Addresses of people and names of groups, for a role of the installation. */
        users: z.array(reference).default([]),
        groups: z.array(reference).default([]),
      }),
    )
    .default([]),
  /** By name. Members are only added. */
  groups: z
    .array(
      z.strictObject({
        name: text,
        users: z.array(reference).default([]),
        /** Groups that are in it. */
        groups: z.array(reference).default([]),
      }),
    )
    .default([]),
  organisations: z
    .array(
      z.strictObject({
        name: z.string().regex(organisationName, 'is small letters, digits and hyphens, beginning with a letter'),
        display_name: text.optional(),
        policy: policySchema.optional(),
        /** By address, with names of roles of organisations. Only added, and never taken a role from. */
        members: z.array(z.strictObject({ email: reference, roles: z.array(text).default([]) })).default([]),
        /** `proved` takes the file's word for it; without it the DNS is asked. */
        domains: z
          .array(z.union([z.string(), z.strictObject({ domain: z.string(), proved: z.boolean().default(false) })]))
          .default([]),
      }),
    )
    .default([]),
  /** What else is known of people; see the guide on custom fields. */
  fields: z.array(fieldSchema).default([]),
  administrators: z.array(person).default([]),
  users: z
    .array(
      person.extend({
        state: z
          .enum(['Created', 'Unverified', 'PasswordResetRequired', 'Active', 'Suspended', 'Deactivated', 'Deleted'])
          .default('Active'),
        email_verified: z.boolean().optional(),
      }),
    )
    .default([]),
  /** Metadata by its registered names; the engine checks it. */
  clients: z
    .array(
      z.looseObject({
        client_id: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'is visible ASCII without spaces'),
        client_secret: z.string().min(1).max(500).optional(),
      }),
    )
    .default([]),
  /** Whom people may come by; see the guides on federation. */
  identity_providers: z
    .array(
      providerSchema.refine(({ mapping = {} }) => Object.keys(mapping).every(isMappingTarget), {
        path: ['mapping'],
        message: 'names something that a person does not have',
      }),
    )
    .default([]),
  resource_servers: z
    .array(
      z.strictObject({
        identifier: z.url().refine((uri) => !uri.includes('#'), 'has no fragment (RFC 8707, section 2)'),
        name: text.optional(),
        scopes: z.union([z.record(z.string(), z.string()), z.array(z.string())]).default({}),
        token_format: z.enum(['opaque', 'jwt']).default('jwt'),
        token_ttl: z.number().int().positive().optional(),
        signing_alg: z.string().optional(),
        /** Clients that are this resource server and may introspect its tokens. */
        introspection_clients: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});

export type Plan = z.output<typeof planSchema>;

/** What is wrong with a plan, every fault at once; nothing of it was applied. */
export class ProvisionFault extends Error {
  override readonly name = 'ProvisionFault';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `The bootstrap file has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}
