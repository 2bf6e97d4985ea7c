import type { PasswordPolicy, Whence } from '../../credentials/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { Interaction } from '../interaction.ts';

export interface Problem {
  field: string;
  code: string;
  params?: Record<string, unknown>;
}

/** Which field of a form a refusal is about; refusals that are not here belong to no form. */
const fieldOf: [RegExp, string][] = [
  [/^password\./, 'password'],
  [/^user\.email_/, 'email'],
  [/^(proof|totp|recovery)\.code_/, 'code'],
  [/^code\.refused$/, 'code'],
  [/^totp\.setup_/, 'code'],
  [/^captcha\./, 'captcha'],
];

/**
 * The problem that a refusal means to the form at hand.
 * @throws whatever it is, when no field can mend it
 */
export function problemOf(error: unknown, policy: PasswordPolicy): Problem {
  const field =
    error instanceof Refusal && error.kind === 'invalid'
      ? fieldOf.find(([codes]) => codes.test(error.code))?.[1]
      : undefined;
  if (!field) throw error;
  const { minimum, maximum } = policy.lengths();
  return { field, code: (error as Refusal).code, params: { min: minimum, max: maximum } };
}

/**
 * Where the person is and what they speak, for letters and the journal. The handle of an earlier letter is none of it: that
 * may have gone to another address, and must not stand for this one.
 */
export const asker = ({ ctx, locale, uid }: Interaction) => ({ ip: ctx.ip, locale, resume: uid });

/** Where something is proved or changed from. */
export const whence = ({ ctx, locale }: Interaction): Whence => ({
  ip: ctx.ip,
  userAgent: ctx.get('user-agent'),
  locale,
});
