/**
 * How a person proves who they are: passwords and what makes a good one, passkeys, the codes and links of letters, and how often any
 * of it may be tried. Also the journeys that two doors share: to register, to verify an address, to get a new password.
 * Leaves to others who the person is and what state the account is in (users), what stands once they are in
 * (sessions), how a letter looks (mail) and every page (the doors).
 */

export { type Attempt, type AttemptSettings, type Attempts, createAttempts, type Reservation } from './attempts.ts';
export type { Budgets } from './budgets.ts';
export { type Captcha, type CaptchaKind, type CaptchaSettings, createCaptcha } from './captcha/captcha.ts';
export type { CaptchaChallenge } from './captcha/provider.ts';
export { widgetHosts } from './captcha/siteverify.ts';
export { type Credentials, createCredentials } from './credentials.ts';
export { deviceLife } from './devices.ts';
export { acrOf, acrValues, amrOf, assuranceLevels, freshSeconds, mfa, satisfies } from './factors/assurance.ts';
export type { CodeFactor, CodeFactors } from './factors/code-factors.ts';
export {
  type Factors,
  type FactorsHeld,
  type MissingFactor,
  type SecondFactorKind,
  secondFactorKinds,
} from './factors/factors.ts';
export type { RecoveryLink, RecoveryLinks } from './factors/recovery-links.ts';
export { type RememberedDevice, type RememberedDevices, rememberedCookieName } from './factors/remembered-devices.ts';
export type { CodeProof, SecondFactors, Whence } from './factors/second-factors.ts';
export type { CodeKind } from './factors/sent-codes.ts';
export type { Totp, TotpSetup } from './factors/totp.ts';
export { type CredentialIntake, createCredentialIntake, type WholeCredentials } from './intake.ts';
export type { EmailChanges } from './journeys/email-changes.ts';
export type { PasswordChanges } from './journeys/password-changes.ts';
export type { Asker } from './journeys/ports.ts';
export type { Profile, Registration } from './journeys/registration.ts';
export type { Resets } from './journeys/resets.ts';
export { type LinkAsks, letterCookieLife, letterCookieName, type Verification } from './journeys/verification.ts';
export type { Links } from './links.ts';
export type { Notices } from './notices.ts';
export { type PasskeySettings, type Passkeys, userHandleOf } from './passkeys/ports.ts';
export type { Passkey } from './passkeys/store.ts';
export type { WholePasskey } from './passkeys/whole.ts';
export type { ForeignKey } from './passwords/foreign/family.ts';
export { type KeycloakCredential, keycloakHash } from './passwords/foreign/keycloak.ts';
export { firebaseHash } from './passwords/foreign/scrypt.ts';
export type { TakenOver } from './passwords/foreign-hashes.ts';
export type { ForeignKeys } from './passwords/foreign-keys.ts';
export type { Cost, HashingLoad } from './passwords/hashing.ts';
export { createPasswords, defaultCost, type Passwords, type Prepared } from './passwords/passwords.ts';
export {
  type Assessment,
  createPasswordPolicy,
  type PasswordContext,
  type PasswordFault,
  type PasswordPolicy,
  type PasswordPolicySettings,
} from './passwords/policy.ts';
export { createProofs, type IssuedProof, type Proof, type ProofPurpose, type Proofs } from './proofs.ts';
export type { Assessment as RiskAssessment, Risk } from './risk/risk.ts';
