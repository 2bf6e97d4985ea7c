import { type Log, Refusal } from '../../platform/index.ts';
import { type BreachSettings, createBreaches } from './breached.ts';
import { isCommon } from './common.ts';
import { normalisePassword } from './passwords.ts';

export type PasswordFault =
  | 'password.too_short'
  | 'password.too_long'
  | 'password.personal'
  | 'password.common'
  | 'password.breached';

/** What the password belongs to. */
export interface PasswordContext {
  email?: string | undefined;
  /** The person's names. */
  names?: readonly (string | undefined)[];
  /** Whether something besides the password is asked of the person. */
  secondFactor?: boolean;
}

export type Assessment = { ok: true } | { ok: false; reason: PasswordFault; minimum: number; maximum: number };

export interface PasswordPolicySettings {
  /** Code points; 8 to 64, default 8. */
  minLength?: number;
  /** The same for people with nothing but a password; NIST SP 800-63B-4 asks for 15. Default: as `minLength`. */
  minLengthAlone?: number;
  /** Code points; 64 to 256, default 256. */
  maxLength?: number;
  /** The organisation and the product: nobody's password. */
  organisation?: readonly string[];
  /** Where to ask for leaked passwords; nowhere by default. */
  breaches?: BreachSettings | undefined;
}

export interface PasswordPolicy {
  /** What a form says beforehand. */
  lengths(context?: Pick<PasswordContext, 'secondFactor'>): { minimum: number; maximum: number };
  /** Length, then what anybody would guess; never which signs it is made of (NIST SP 800-63B-4, section 3.1.1.2). */
  assess(password: string, context?: PasswordContext): Promise<Assessment>;
  /** @throws Refusal with the fault as its code (invalid) */
  demand(password: string, context?: PasswordContext): Promise<void>;
}

/** Shorter pieces of a name or an address turn up by chance. */
const shortestPiece = 4;

export function createPasswordPolicy(options: {
  settings?: PasswordPolicySettings;
  fetch?: typeof globalThis.fetch;
  log: Log;
}): PasswordPolicy {
  const { settings = {}, log } = options;
  const maximum = settings.maxLength ?? 256;
  const breached = settings.breaches
    ? createBreaches({ settings: settings.breaches, fetch: options.fetch ?? globalThis.fetch, log })
    : async () => false;

  const lengths: PasswordPolicy['lengths'] = (context = {}) => {
    const minimum = settings.minLength ?? 8;
    return { minimum: context.secondFactor ? minimum : Math.max(minimum, settings.minLengthAlone ?? minimum), maximum };
  };

  const faultOf = async (password: string, context: PasswordContext): Promise<PasswordFault | undefined> => {
    const { minimum } = lengths(context);
    const spelled = normalisePassword(password);
    const length = [...spelled].length;
    if (password.length > 4 * maximum || length > maximum) return 'password.too_long';
    if (length < minimum) return 'password.too_short';
    if (isPersonal(spelled, context, settings.organisation ?? [], minimum)) return 'password.personal';
    if (isCommon(spelled)) return 'password.common';
    if (await breached(spelled)) return 'password.breached';
    return undefined;
  };

  const policy: PasswordPolicy = {
    lengths,
    async assess(password, context = {}) {
      const reason = await faultOf(password, context);
      return reason ? { ok: false, reason, ...lengths(context) } : { ok: true };
    },
    async demand(password, context = {}) {
      const found = await policy.assess(password, context);
      if (!found.ok) {
        const { reason, minimum, maximum } = found;
        throw new Refusal(reason, { kind: 'invalid', details: { minimum, maximum } });
      }
    },
  };
  return policy;
}

/**
 * Whether the password is little more than the person's address or name, or the organisation's. The whole address
 * may not occur at all; another piece may, if what is left would do as a password by its length: a passphrase that
 * happens to hold "anna" stays one.
 */
function isPersonal(
  password: string,
  { email, names = [] }: PasswordContext,
  organisation: readonly string[],
  minimum: number,
): boolean {
  const folded = (text: string) => text.normalize('NFKC').toLowerCase();
  const bare = (text: string) => folded(text).replace(/[^\p{L}\p{N}]/gu, '');
  const text = folded(password);
  const address = email ? folded(email.trim()) : '';
  if (address && (text.includes(address) || bare(text).includes(bare(address)))) return true;
  const [local = '', domain = ''] = address.split('@');
  const pieces = [local, ...local.split(/[^\p{L}\p{N}]+/u), domain, domain.split('.')[0], ...names, ...organisation];
  return pieces
    .map((piece) => bare(piece ?? ''))
    .filter((piece) => [...piece].length >= shortestPiece)
    .some((piece) => bare(text).includes(piece) && [...text].length - [...piece].length < minimum);
}
