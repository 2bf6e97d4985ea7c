import type { Events } from '../events/index.ts';
import type { SecurityNotice, Sms } from '../mail/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Vault } from '../platform/index.ts';
import type { Log } from '../platform/log.ts';
import type { Sessions } from '../sessions/index.ts';
import { createFormerAddresses } from '../users/index.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { type Budgets, budgetsOf } from './budgets.ts';
import { type Captcha, type CaptchaSettings, createCaptcha } from './captcha.ts';
import { type CodeFactors, createCodeFactors } from './code-factors.ts';
import { createEmailChanges, type EmailChanges } from './email-changes.ts';
import { createFactors, type Factors } from './factors.ts';
import type { Links, Ports } from './journeys.ts';
import { createNotices, type Notices } from './notices.ts';
import { createPasskeys } from './passkeys/passkeys.ts';
import type { Passkeys } from './passkeys/ports.ts';
import { createPasswordChanges, type PasswordChanges } from './password-changes.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { createPasswordPolicy, type PasswordPolicy } from './policy.ts';
import { createProofs, type Proofs } from './proofs.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createRecoveryLinks, type RecoveryLinks } from './recovery-links.ts';
import { createRegistration, type Registration } from './registration.ts';
import { createRememberedDevices, type RememberedDevices } from './remembered-devices.ts';
import { createResets, type Resets } from './resets.ts';
import { createPlaces } from './risk/places.ts';
import { createRisk, type Risk } from './risk/risk.ts';
import { createSecondFactors, type SecondFactors } from './second-factors.ts';
import { createSentCodes } from './sent-codes.ts';
import { createTotp, type Totp } from './totp.ts';
import { createVerification, type Verification } from './verification.ts';

export interface Credentials {
  passwords: Passwords;
  passkeys: Passkeys;
  policy: PasswordPolicy;
  attempts: Attempts;
  proofs: Proofs;
  captcha: Captcha;
  /** For doors that count something themselves with `limits`. */
  budgets: Budgets;
  registration: Registration;
  verification: Verification;
  resets: Resets;
  passwordChanges: PasswordChanges;
  emailChanges: EmailChanges;
  totp: Totp;
  rememberedDevices: RememberedDevices;
  /** What people have, and which of it is asked of whom. */
  factors: Factors;
  secondFactors: SecondFactors;
  codeFactors: CodeFactors;
  recoveryLinks: RecoveryLinks;
  risk: Risk;
  notices: Notices;
  /** Removes what has expired; call it every hour or so. */
  tidy(): Promise<void>;
  /** Ends the hashing threads. */
  close(): Promise<void>;
}

type Needed = Pick<
  Settings,
  | 'issuer'
  | 'branding'
  | 'passwords'
  | 'passkeys'
  | 'tokens'
  | 'captcha'
  | 'limits'
  | 'registration'
  | 'mfa'
  | 'sms'
  | 'risk'
>;

/** Ways in that are another room's. */
export interface Elsewhere {
  has(userId: string): Promise<boolean>;
  removeSince(userId: string, since: Date): Promise<void>;
}

const nowhere: Elsewhere = { has: async () => false, removeSince: async () => {} };

/** How long an invitation is good, in seconds: people are on holiday. */
const invitationLink = 14 * 24 * 60 * 60;

/**
 * Every part of the room, built out of the settings.
 * @param options.fetch asks Have I Been Pwned, Turnstile and hCaptcha, when they are configured
 * @param options.elsewhere ways into an account that are not this room's: by a provider. `has` is asked in the transaction that
 *   takes a way in away, and holds back whoever else does so; `removeSince` when an owner says that it was not them
 * @param options.evenAnswer milliseconds that registering and asking for a reset take at least
 * @param options.hashingWaited called with the seconds each hash waited for its thread: for counting
 */
export function createCredentials(
  options: Omit<
    Ports,
    | 'passwords'
    | 'policy'
    | 'proofs'
    | 'attempts'
    | 'captcha'
    | 'links'
    | 'budgets'
    | 'settings'
    | 'rememberedDevices'
    | 'factors'
    | 'notices'
  > & {
    sessions: Pick<Sessions, 'fleeting'>;
    vault: Vault;
    log: Log;
    settings: Needed;
    events: Pick<Events, 'record' | 'history'>;
    /** The groups somebody is in, for those whose people must have a second factor. */
    groupsOf: (accountId: string) => Promise<{ id: string; displayName: string }[]>;
    /** Others who demand a second factor of somebody. */
    demands?: readonly ((accountId: string) => Promise<boolean>)[];
    /** Absent where no text message can be sent. */
    sms?: Pick<Sms, 'send'> | undefined;
    /** The sentence of a text message with a code. */
    codeText?: (locale: string, code: string) => string;
    /** The sentence of one that tells of what concerns the safety of an account. */
    noticeText?: (locale: string, what: SecurityNotice, link: string) => string;
    fetch?: typeof globalThis.fetch;
    links?: Links;
    elsewhere?: Elsewhere;
    evenAnswer?: number;
    hashingWaited?: ((seconds: number) => void) | undefined;
  },
): Credentials {
  const {
    settings,
    fetch = globalThis.fetch,
    evenAnswer = 300,
    elsewhere = nowhere,
    links = linksOf(settings.issuer),
    ...ground
  } = options;
  const budgets = budgetsOf(settings.limits);
  const { argon2, hashingThreads, breachCheck, ...lengths } = settings.passwords;
  const cost = { memoryCost: argon2.memoryKib, timeCost: argon2.iterations, parallelism: argon2.parallelism };

  const passwords = createPasswords({ ...ground, settings: { cost, threads: hashingThreads } });
  const policy = createPasswordPolicy({
    ...ground,
    fetch,
    settings: {
      ...lengths,
      organisation: [settings.branding.name],
      breaches: breachCheck.hibp ? { url: breachCheck.hibpUrl, timeout: breachCheck.timeout * 1000 } : undefined,
    },
  });
  const passkeys = createPasskeys({
    ...ground,
    budgets,
    fleeting: ground.sessions.fleeting,
    settings: {
      rpId: settings.passkeys.rpId,
      rpName: settings.branding.name,
      origins: [settings.issuer, ...settings.passkeys.relatedOrigins],
      allowedAaguids: settings.passkeys.allowedAaguids,
      metadata: settings.passkeys.metadata,
      metadataRoot: settings.passkeys.metadataRoot,
    },
    tell: (...notice) => notices.tell(...notice),
    hasOtherWayIn: async (userId) => (await passwords.has(userId)) || (await elsewhere.has(userId)),
    async mustHaveAnother(userId) {
      const user = await ground.users.byId(userId);
      const { totp, email, sms } = await factors.of(userId);
      return user !== undefined && !totp && !email && !sms && !(await factors.mayGoWithout(user));
    },
  });
  const proofs = createProofs(ground);
  const attempts = createAttempts({ ...ground, budgets });
  const captcha = createCaptcha({ ...ground, fetch, settings: captchaOf(settings) });
  const totp = createTotp({ ...ground, issuer: settings.branding.name });
  const recoveryCodes = createRecoveryCodes(ground);
  const rememberedDevices = createRememberedDevices({ ...ground, seconds: settings.mfa.rememberDevice });
  const factors = createFactors({
    ...ground,
    rememberedDevices,
    administrators: settings.mfa.administrators,
    groups: settings.mfa.groups,
  });
  const codes = createSentCodes({ ...ground, seconds: settings.mfa.codeLife });
  const codeFactors = createCodeFactors({
    ...ground,
    budgets,
    codes,
    sms: ground.sms,
    textOf: ground.codeText ?? ((_, code) => code),
    settings: {
      emailCodes: settings.mfa.emailCodes,
      countries: settings.sms.countries,
      host: new URL(settings.issuer).hostname,
    },
  });
  const risk = createRisk({
    ...ground,
    places: createPlaces({ table: settings.risk.table, networks: settings.risk.networksTable, log: ground.log }),
    settings: settings.risk,
  });
  const notices = createNotices({
    ...ground,
    budgets,
    sms: ground.sms,
    noticeText: ground.noticeText ?? ((_, what, link) => `${what} ${link}`),
    passwords,
    proofs,
    recoveryCodes,
    rememberedDevices,
    links,
    elsewhere,
    resets: () => resets,
  });
  const secondFactors = createSecondFactors({
    ...ground,
    budgets,
    totp,
    codeFactors,
    recoveryCodes,
    rememberedDevices,
    factors,
    notices,
  });
  const recoveryLinks = createRecoveryLinks({
    ...ground,
    notices,
    secondFactors,
    links,
    wait: settings.mfa.recoveryWait,
    life: settings.mfa.recoveryLife,
  });
  const ports: Ports = {
    ...ground,
    passwords,
    policy,
    proofs,
    attempts,
    captcha,
    links,
    budgets,
    rememberedDevices,
    factors,
    notices,
    settings: {
      verificationLink: settings.tokens.verificationLink,
      resetLink: settings.tokens.resetLink,
      invitationLink,
      evenAnswer,
      registration: settings.registration.mode,
    },
  };
  const resets = createResets(ports);
  const formerAddresses = createFormerAddresses(ground);

  return {
    passwords,
    passkeys,
    policy,
    attempts,
    proofs,
    captcha,
    budgets,
    registration: createRegistration(ports),
    verification: createVerification(ports),
    resets,
    passwordChanges: createPasswordChanges(ports),
    emailChanges: createEmailChanges({
      ...ports,
      vault: ground.vault,
      notices,
      formerAddresses,
      undoSeconds: settings.tokens.emailUndo,
    }),
    totp,
    rememberedDevices,
    factors,
    secondFactors,
    codeFactors,
    recoveryLinks,
    risk,
    notices,
    async tidy() {
      while ((await proofs.sweep()) > 0);
      await rememberedDevices.tidy();
      await notices.tidy();
      await formerAddresses.tidy();
      await codes.tidy();
      await recoveryLinks.tidy();
    },
    close: () => passwords.close(),
  };
}

function captchaOf({ captcha, limits }: Needed): CaptchaSettings {
  const { provider, when, siteKey, secret } = captcha;
  if (provider === 'none') return { when: 'never' };
  return {
    provider,
    when,
    ...(siteKey ? { siteKey } : {}),
    ...(secret ? { secret } : {}),
    fromEverywhere: { registration: limits.registrationsSuspicious.points },
    window: limits.registrationsSuspicious.window,
  };
}

/** The pages of the door `account`; a letter knows them by their addresses alone. */
function linksOf(issuer: string): Links {
  const to = (path: string, query: Record<string, string | undefined> = {}) => {
    const url = new URL(`${issuer.replace(/\/$/, '')}${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url.href;
  };
  return {
    verify: (token, resume) => to('/account/verify', { token, resume }),
    reset: (token, resume) => to('/account/reset', { token, resume }),
    invitation: (token) => to('/account/reset', { token }),
    signIn: () => to('/'),
    register: () => to('/'),
    forgot: () => to('/account/forgot'),
    notMe: (token) => to('/account/not-me', { token }),
    changeEmail: (token) => to('/account/email/confirm', { token }),
    recovery: (token) => to('/account/recovery', { token }),
    undoEmail: (token) => to('/account/email/undo', { token }),
  };
}
