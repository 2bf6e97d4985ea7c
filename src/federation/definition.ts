import { z } from 'zod';

/** Providers whose endpoints we know; any other that speaks OpenID Connect is `oidc` with its issuer. */
export const providerKinds = [
  'oidc',
  'google',
  'github',
  'microsoft',
  'apple',
  'gitlab',
  'discord',
  'facebook',
  'linkedin',
] as const;

export type ProviderKind = (typeof providerKinds)[number];

const text = z.string().trim().min(1).max(500);
const list = (item: z.ZodType<string> = text) => z.array(item).default([]);
const domain = z.string().regex(/^(\*|[a-z0-9-]+(\.[a-z0-9-]+)+)$/, 'is a domain in small letters, or *');

/**
 * A provider as operators write it down, in the bootstrap file and at the command line. Whatever is not known here is a
 * fault. What each does stands in docs/guides/federation/README.md.
 */
export const providerSchema = z
  .strictObject({
    /** Part of the callback URL, so it cannot change: /federation/<id>/callback. */
    id: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'is 1 to 40 small letters, digits and hyphens'),
    kind: z.enum(providerKinds).default('oidc'),
    /** On the button; known kinds have a name of their own. */
    name: text.max(60).optional(),
    enabled: z.boolean().default(true),
    /** Buttons come in this order, then by id. */
    position: z.number().int().min(-1000).max(1000).default(0),
    /** Not on the pages; still reached by `idp_hint` and by the domain of an address. */
    hidden: z.boolean().default(false),
    logo: z.url({ protocol: /^https$/ }).optional(),

    client_id: text,
    client_secret: text.max(4000).optional(),
    client_auth: z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']).optional(),
    scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)).optional(),

    /** `oidc`: exactly as the provider's discovery document says it. */
    issuer: z.url({ protocol: /^https?$/ }).optional(),
    /** `microsoft`: a tenant's id or domain, or common, organizations, consumers. */
    tenant: z
      .string()
      .regex(/^[\w.-]+$/)
      .default('organizations'),
    /** `microsoft`: with a tenant for many, the ids of those that may come; empty for all. */
    tenants: list(z.string().regex(/^[0-9a-f-]{36}$/, 'is the id of a tenant')),
    /** `google`: the Workspace domains that may come; empty for everybody. */
    hosted_domains: list(domain),
    /** `gitlab`: where it is hosted. */
    base_url: z.url({ protocol: /^https?$/ }).default('https://gitlab.com'),
    /** `apple` */
    team_id: text.optional(),
    key_id: text.optional(),
    private_key: z.string().max(8000).optional(),

    /** People whose address ends so are sent here from the page that asks for it. */
    domains: list(domain),

    /** Whether its word that an address is verified is believed at all; not by default for kinds that cannot know. */
    believe_verified: z.boolean().optional(),
    /** Domains of which it has the say: an address there, verified by it, is linked to the account that has it. */
    trusted_domains: list(domain),
    /** Who gets an account by coming: as the registration is open or not, everybody, or nobody. */
    create: z.enum(['registration', 'always', 'never']).default('registration'),
    /** Accounts without any address. */
    without_email: z.enum(['refused', 'allowed']).default('refused'),
    /** What of a person is taken from which of its claims; see mapping.ts. */
    mapping: z.record(z.string(), z.string()).optional(),
    /** At later sign-ins. */
    update: z.enum(['never', 'empty', 'always']).default('empty'),

    /** Its `acr` and `amr` values that count as two factors here. */
    trusted_mfa: z.strictObject({ acr: list(), amr: list() }).default({ acr: [], amr: [] }),
    /** Our values of `acr_values` → its; sent on, and what is not named here is not. */
    acr_values: z.record(z.string(), z.string()).default({}),
    /** Whose time of sign-in our sessions carry. */
    auth_time: z.enum(['own', 'upstream']).default('own'),
    keep_tokens: z.boolean().default(false),
    /** Sign-out here signs out there as well. */
    sign_out: z.enum(['local', 'upstream']).default('local'),
  })
  .superRefine((provider, context) => {
    const need = (name: 'issuer' | 'client_secret' | 'team_id' | 'key_id' | 'private_key') => {
      if (provider[name] === undefined)
        context.addIssue({ code: 'custom', path: [name], message: `is missing, and ${provider.kind} needs it` });
    };
    if (provider.kind === 'oidc') need('issuer');
    if (provider.kind === 'apple') for (const name of ['team_id', 'key_id', 'private_key'] as const) need(name);
    const withoutSecret =
      provider.kind === 'apple' ||
      (provider.kind === 'oidc' && ['private_key_jwt', 'none'].includes(provider.client_auth ?? ''));
    if (!withoutSecret) need('client_secret');
    if (provider.kind === 'oidc' && !provider.name)
      context.addIssue({ code: 'custom', path: ['name'], message: 'is missing: what stands on its button' });
  });

export type ProviderInput = z.input<typeof providerSchema>;
export type ProviderDefinition = z.output<typeof providerSchema>;

/** What is kept sealed and never shown. */
export const secretNames = ['client_secret', 'private_key'] as const;

/** A provider as it is in force. */
export interface Provider extends Omit<ProviderDefinition, 'name' | 'believe_verified'> {
  name: string;
  believe_verified: boolean;
}

const names: Record<ProviderKind, string> = {
  oidc: '',
  google: 'Google',
  github: 'GitHub',
  microsoft: 'Microsoft',
  apple: 'Apple',
  gitlab: 'GitLab',
  discord: 'Discord',
  facebook: 'Facebook',
  linkedin: 'LinkedIn',
};

/** With the defaults of its kind. Facebook says nothing of verification; what Microsoft says anybody may have typed in. */
export const withDefaults = (definition: ProviderDefinition): Provider => ({
  ...definition,
  name: definition.name ?? names[definition.kind],
  believe_verified: definition.believe_verified ?? definition.kind !== 'facebook',
});

/** What its button shows. */
export const buttonOf = ({ id, kind, name, logo }: Pick<Provider, 'id' | 'kind' | 'name' | 'logo'>) => ({
  id,
  kind,
  name,
  logo,
  initial: [...name][0] ?? '•',
});
