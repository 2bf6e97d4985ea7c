import { z } from 'zod';

/** What a person proves who they are with first; a second factor comes after it. */
export const signInMethods = ['password', 'passkey', 'federation', 'code'] as const;
export type SignInMethod = (typeof signInMethods)[number];

/** How an organisation wants its people to sign in. */
export const policySchema = z.strictObject({
  /** Two factors, always. */
  mfa: z.boolean().default(false),
  /** The ways that are allowed; every way when there is no such list. */
  methods: z.array(z.enum(signInMethods)).min(1).optional(),
  /** Identity providers, by name, to which people with an address of its proved domains are sent. */
  providers: z
    .array(z.string().regex(/^[\w.:-]{1,100}$/))
    .max(20)
    .default([]),
});

export type OrganisationPolicy = z.output<typeof policySchema>;
export type OrganisationPolicyInput = z.input<typeof policySchema>;

export const noPolicy: OrganisationPolicy = { mfa: false, providers: [] };

/** Both hold: who is in two organisations keeps the rules of each. */
export function combined(a: OrganisationPolicy, b: OrganisationPolicy): OrganisationPolicy {
  const methods =
    a.methods && b.methods ? a.methods.filter((method) => b.methods!.includes(method)) : (a.methods ?? b.methods);
  return {
    mfa: a.mfa || b.mfa,
    ...(methods ? { methods } : {}),
    providers: [...new Set([...a.providers, ...b.providers])],
  };
}

/**
 * The ways by which somebody can be said to have come in, from what they proved (RFC 8176; `fed` is ours for another
 * provider's word). A key that made sure of its user is a way of its own, also after a password.
 */
export function methodsOf(proved: readonly string[]): SignInMethod[] {
  const has = (method: string) => proved.includes(method);
  return [
    ...(has('fed') ? (['federation'] as const) : []),
    ...(has('pwd') ? (['password'] as const) : []),
    ...((has('hwk') || has('swk')) && has('user') ? (['passkey'] as const) : []),
    ...((has('otp') || has('sms')) && !has('pwd') && !has('fed') ? (['code'] as const) : []),
  ];
}

/** Whether what was proved is a way in that the policy allows. */
export const allows = ({ methods }: Pick<OrganisationPolicy, 'methods'>, proved: readonly string[]): boolean =>
  !methods || methodsOf(proved).some((method) => methods.includes(method));
