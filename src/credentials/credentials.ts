import { createFormerAddresses } from '../users/index.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { type Budgets, budgetsOf } from './budgets.ts';
import { type Captcha, captchaSettings, createCaptcha } from './captcha/captcha.ts';
import { type CodeFactors, createCodeFactors } from './factors/code-factors.ts';
import { createFactors, type Factors } from './factors/factors.ts';
import { createRecoveryCodes } from './factors/recovery-codes.ts';
import { createRecoveryLinks, type RecoveryLinks } from './factors/recovery-links.ts';
import { createRememberedDevices, type RememberedDevices } from './factors/remembered-devices.ts';
import { createSecondFactors, type SecondFactors } from './factors/second-factors.ts';
import { createSentCodes } from './factors/sent-codes.ts';
import { createTotp, type Totp } from './factors/totp.ts';
import { createEmailChanges, type EmailChanges } from './journeys/email-changes.ts';
import { createPasswordChanges, type PasswordChanges } from './journeys/password-changes.ts';
import type { JourneySettings, Ports } from './journeys/ports.ts';
import { createRegistration, type Registration } from './journeys/registration.ts';
import { createResets, type Resets } from './journeys/resets.ts';
import { createVerification, type Verification } from './journeys/verification.ts';
import { linksOf } from './links.ts';
import { createNotices, type Notices } from './notices.ts';
import { type CredentialsOptions, nowhere } from './options.ts';
import { createPasskeys } from './passkeys/passkeys.ts';
import type { PasskeySettings, Passkeys } from './passkeys/ports.ts';
import { createPasswords, type Passwords } from './passwords/passwords.ts';
import { createPasswordPolicy, type PasswordPolicy } from './passwords/policy.ts';
import { createProofs, type Proofs } from './proofs.ts';
import { createPlaces } from './risk/places.ts';
import { createRisk, type Risk } from './risk/risk.ts';

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

/** How long an invitation is good, in seconds: people are on holiday. */
const invitationLink = 14 * 24 * 60 * 60;

/** Every part of the room, built out of the settings. */
export function createCredentials(options: CredentialsOptions): Credentials {
  const {
    settings,
    fetch = globalThis.fetch,
    elsewhere = nowhere,
    links = linksOf(settings.issuer),
    ...ground
  } = options;
  const budgets = budgetsOf(settings.limits);
  const { passwords, policy } = createForPasswords(options, fetch);
  const proofs = createProofs(ground);
  const attempts = createAttempts({ ...ground, budgets });
  const captcha = createCaptcha({ ...ground, fetch, settings: captchaSettings(settings) });
  const held = createHeld(options, budgets);
  const { totp, recoveryCodes, rememberedDevices, factors, codes, codeFactors } = held;

  const notices: Notices = createNotices({
    ...{ ...ground, budgets, passwords, proofs, recoveryCodes, rememberedDevices, links, elsewhere },
    noticeText: ground.noticeText ?? ((_, what, link) => `${what} ${link}`),
    sms: ground.sms,
    resets: () => resets,
  });
  const passkeys = createPasskeys({
    ...{ ...ground, budgets, fleeting: ground.sessions.fleeting, settings: passkeySettings(settings) },
    tell: notices.tell,
    hasOtherWayIn: async (userId) => (await passwords.has(userId)) || (await elsewhere.has(userId)),
    async mustHaveAnother(userId) {
      const user = await ground.users.byId(userId);
      const { totp, email, sms } = await factors.of(userId);
      return user !== undefined && !totp && !email && !sms && !(await factors.mayGoWithout(user));
    },
  });
  const secondFactors = createSecondFactors({ ...ground, ...held, budgets, notices });
  const { recoveryWait: wait, recoveryLife: life } = settings.mfa;
  const recoveryLinks = createRecoveryLinks({ ...ground, notices, secondFactors, links, wait, life });
  const risk = createRisk({
    ...ground,
    places: createPlaces({ table: settings.risk.table, networks: settings.risk.networksTable, log: ground.log }),
    settings: settings.risk,
  });

  const ports: Ports = {
    ...{ ...ground, passwords, policy, proofs, attempts, captcha, links, budgets, rememberedDevices, factors, notices },
    settings: journeySettings(options),
  };
  const resets = createResets(ports);
  const formerAddresses = createFormerAddresses(ground);
  const { vault } = ground;
  const undoSeconds = settings.tokens.emailUndo;

  return {
    ...{ passwords, passkeys, policy, attempts, proofs, captcha, budgets, resets, totp, rememberedDevices, factors },
    ...{ secondFactors, codeFactors, recoveryLinks, risk, notices },
    registration: createRegistration(ports),
    verification: createVerification(ports),
    passwordChanges: createPasswordChanges(ports),
    emailChanges: createEmailChanges({ ...ports, vault, notices, formerAddresses, undoSeconds }),
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

function createForPasswords({ settings, ...ground }: CredentialsOptions, fetch: typeof globalThis.fetch) {
  const { argon2, hashingThreads, breachCheck, ...lengths } = settings.passwords;
  const cost = { memoryCost: argon2.memoryKib, timeCost: argon2.iterations, parallelism: argon2.parallelism };
  return {
    passwords: createPasswords({ ...ground, settings: { cost, threads: hashingThreads } }),
    policy: createPasswordPolicy({
      ...ground,
      fetch,
      settings: {
        ...lengths,
        organisation: [settings.branding.name],
        breaches: breachCheck.hibp ? { url: breachCheck.hibpUrl, timeout: breachCheck.timeout * 1000 } : undefined,
      },
    }),
  };
}

/** What people hold beside a password and passkeys, and what is asked of whom. */
function createHeld({ settings, ...ground }: CredentialsOptions, budgets: Budgets) {
  const { mfa } = settings;
  const rememberedDevices = createRememberedDevices({ ...ground, seconds: mfa.rememberDevice });
  const { administrators, groups } = mfa;
  const codes = createSentCodes({ ...ground, seconds: mfa.codeLife });
  return {
    totp: createTotp({ ...ground, issuer: settings.branding.name }),
    recoveryCodes: createRecoveryCodes(ground),
    rememberedDevices,
    factors: createFactors({ ...ground, rememberedDevices, administrators, groups }),
    codes,
    codeFactors: createCodeFactors({
      ...ground,
      budgets,
      codes,
      sms: ground.sms,
      textOf: ground.codeText ?? ((_, code) => code),
      settings: {
        emailCodes: mfa.emailCodes,
        countries: settings.sms.countries,
        host: new URL(settings.issuer).hostname,
      },
    }),
  };
}

const passkeySettings = ({ passkeys, branding, issuer }: CredentialsOptions['settings']): PasskeySettings => ({
  rpId: passkeys.rpId,
  rpName: branding.name,
  origins: [issuer, ...passkeys.relatedOrigins],
  allowedAaguids: passkeys.allowedAaguids,
  metadata: passkeys.metadata,
  metadataRoot: passkeys.metadataRoot,
});

const journeySettings = ({ settings, evenAnswer = 300 }: CredentialsOptions): JourneySettings => ({
  verificationLink: settings.tokens.verificationLink,
  resetLink: settings.tokens.resetLink,
  invitationLink,
  evenAnswer,
  registration: settings.registration.mode,
});
