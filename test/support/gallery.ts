import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Koa from 'koa';
import { codesConfirmPage, codesSetupPage, recoveryLinkPage } from '../../src/account/codes-pages.ts';
import { emailCodePage, emailLinkPage, emailPage, emailUndoPage } from '../../src/account/email-pages.ts';
import { linkedPage } from '../../src/account/linked-page.ts';
import { invitationPage, organisationsPage } from '../../src/account/organisation-pages.ts';
import * as own from '../../src/account/own-pages.ts';
import * as account from '../../src/account/pages.ts';
import { passkeysPage } from '../../src/account/passkey-pages.ts';
import { profilePage } from '../../src/account/profile-page.ts';
import { settingsPage } from '../../src/account/settings-page.ts';
import * as mailbox from '../../src/mailbox/pages.ts';
import * as oidc from '../../src/oidc/pages.ts';
import { type BrandingInput, createBranding } from '../../src/platform/branding.ts';
import { profileFields } from '../../src/platform/config/schema.ts';
import { securityHeaders } from '../../src/platform/http/headers.ts';
import type { Params } from '../../src/platform/message.ts';
import { createViews } from '../../src/platform/views.ts';
import * as setup from '../../src/setup/pages.ts';
import * as consent from '../../src/signin/pages/consent.ts';
import * as end from '../../src/signin/pages/end.ts';
import * as factor from '../../src/signin/pages/factors.ts';
import * as identify from '../../src/signin/pages/identify.ts';
import { joinPage, linkPage, providerButtons } from '../../src/signin/pages/providers.ts';
import * as register from '../../src/signin/pages/register.ts';
import * as reset from '../../src/signin/pages/reset.ts';
import { fieldSchema, fieldSpecs, preferencesOf } from '../../src/users/index.ts';

/** Every hosted page in every state worth looking at: what the tests render, look at and hand to axe. */
export interface Exhibit {
  name: string;
  model: { page: string };
}

const uid = 'fG5kq2';
const client = {
  name: 'Acme Billing',
  policy: 'https://billing.example/privacy',
  terms: 'https://billing.example/terms',
};
const email = 'ada.lovelace@example.com';
const long = 'maximiliane.hohenberg-wollersheim.rechnungswesen@donaudampfschifffahrtsgesellschaft.example';
const base = { uid, client };
const minLength = 8;
const challenge = {
  parameters: {
    algorithm: 'PBKDF2/SHA-256',
    nonce: '00'.repeat(16),
    salt: '11'.repeat(16),
    cost: 1000,
    keyLength: 32,
    keyPrefix: '0',
  },
  signature: 'ab',
};
const engine = (id: string, action: string, more = '') =>
  `<form id="${id}" method="post" action="${action}"><input type="hidden" name="xsrf" value="s3cr3t"/>${more}</form>`;

const aPasskey = {
  id: '1',
  userId: 'u',
  credentialId: 'AAAA',
  name: undefined,
  provider: undefined,
  transports: [],
  syncable: false,
  synced: false,
  createdAt: new Date('2026-11-19T08:00:00Z'),
  lastUsedAt: undefined,
  copySuspectedAt: undefined,
};

const when = new Date('2026-11-21T02:04:00Z');
const later = new Date('2026-12-21T02:04:00Z');
const appSetup = {
  token: 'abcdef.s3al3d',
  secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
  uri: 'otpauth://totp/Acme:ada.lovelace%40example.com?issuer=Acme&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
};
const codes = Array.from({ length: 10 }, (_, n) => `k7mzp-4dhq${n}`);
const device = { id: 'd', browser: 'Firefox', system: 'Linux', ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348' };

const customFields = fieldSpecs(
  [
    {
      ...{ name: 'cost_centre', label: { en: 'Cost centre', de: 'Kostenstelle' }, type: 'string', required: true },
      hint: { en: 'Two letters and four digits, as AB-1234', de: 'Zwei Buchstaben und vier Ziffern, etwa AB-1234' },
    },
    {
      ...{ name: 'shirt', label: { en: 'Shirt size', de: 'Hemdgröße' }, type: 'enum' },
      options: [{ value: 's', label: { en: 'Small', de: 'Klein' } }, { value: 'xl' }],
    },
    { name: 'born', label: { en: 'First day at work', de: 'Erster Arbeitstag' }, type: 'date' },
    { name: 'vegan', label: { en: 'I eat no meat', de: 'Ich esse kein Fleisch' }, type: 'boolean' },
    { name: 'tags', label: { en: 'What I can help with', de: 'Wobei ich helfen kann' }, type: 'strings' },
    { name: 'site', label: { en: 'A page about me', de: 'Eine Seite über mich' }, type: 'url' },
  ].map((field) => fieldSchema.parse(field)),
);

const kinds = ['google', 'microsoft', 'apple', 'github', 'gitlab', 'discord', 'facebook', 'linkedin', 'oidc'] as const;
const everyProvider = kinds.map((kind) => ({ id: kind, kind, name: kind === 'oidc' ? long : kind, logo: undefined }));
const buttons = providerButtons(uid, everyProvider);
const twoButtons = providerButtons(uid, [
  { id: 'google', kind: 'google', name: 'Google', logo: undefined },
  { id: 'acme', kind: 'oidc', name: 'Acme', logo: undefined },
]);

const models: Record<string, { page: string }> = {
  'identifier-providers': {
    ...identify.identifierPage({
      ...base,
      registration: true,
      problems: [{ code: 'federation.unreachable', params: { provider: 'Acme' } }],
    }),
    ...buttons,
  },
  'password-linking': {
    ...identify.passwordPage({ ...base, identifier: email, linking: 'GitHub' }),
    ...twoButtons,
  },
  'register-providers': { ...register.registerPage({ ...base, minLength }), ...twoButtons },
  'ways-providers': { ...identify.waysPage({ ...base, identifier: email, passkey: false }), ...twoButtons },
  join: joinPage({
    ...base,
    provider: 'GitHub',
    email,
    fields: [
      { name: 'given_name', required: true },
      { name: 'family_name', required: false },
    ],
    custom: [],
    terms: 'https://acme.example/terms',
    values: { given_name: 'Ada' },
    problems: [{ field: 'terms', code: 'terms.not_accepted' }],
  }),
  link: linkPage({ ...base, provider: long, theirs: 'ada', ours: long }),
  identifier: identify.identifierPage({ ...base, registration: true }),
  'identifier-home': identify.identifierPage({ uid, registration: false, remember: false }),
  'identifier-refused': identify.identifierPage({
    ...base,
    registration: true,
    values: { identifier: 'ada@example', remember: 'yes' },
    problems: [{ field: 'identifier', code: 'user.email_malformed' }],
  }),
  'identifier-passkey-refused': identify.identifierPage({
    ...base,
    registration: true,
    problems: [{ code: 'passkey.unknown' }],
    unknownPasskey: { rpId: 'acme.example', credentialId: 'AAAA' },
  }),
  passkey: identify.passkeyPage(base),
  'passkey-refused': identify.passkeyPage({ ...base, problems: [{ code: 'passkey.refused' }] }),
  'passkey-offer': identify.passkeyOfferPage(base),
  'passkey-offer-refused': identify.passkeyOfferPage({ ...base, problems: [{ code: 'passkey.kind_refused' }] }),
  password: identify.passwordPage({ ...base, identifier: email, remember: true }),
  'password-refused': identify.passwordPage({ ...base, identifier: long, problems: [{ code: 'credential.wrong' }] }),
  'register-custom': register.registerPage({ ...base, minLength, custom: customFields }),
  details: register.detailsPage({ ...base, custom: customFields }),
  'details-refused': register.detailsPage({
    ...base,
    custom: customFields,
    problems: [{ field: 'attributes-cost_centre', code: 'field.missing' }],
  }),
  register: register.registerPage({
    ...base,
    minLength,
    terms: 'https://acme.example/terms',
    privacy: 'https://acme.example/privacy',
  }),
  'register-full': register.registerPage({
    ...base,
    minLength,
    fields: profileFields.map((name, at) => ({ name, required: at < 2 })),
    terms: 'https://acme.example/terms',
    captcha: { provider: 'altcha', field: 'altcha', challenge },
  }),
  'register-refused': register.registerPage({
    ...base,
    minLength,
    privacy: 'https://acme.example/privacy',
    fields: [{ name: 'name', required: true }],
    values: { name: 'Ada', email: 'ada@', password: 'never shown' },
    problems: [
      { field: 'email', code: 'user.email_malformed' },
      { field: 'password', code: 'password.too_short', params: { min: 8 } },
      { field: 'terms', code: 'terms.not_accepted' },
      { code: 'captcha.missing' },
    ],
  }),
  verify: register.verifyPage({ ...base, address: email }),
  'verify-again': register.verifyPage({
    ...base,
    address: long,
    sent: true,
    problems: [{ field: 'code', code: 'proof.spent' }],
  }),
  forgot: reset.forgotPage({ ...base, captcha: { provider: 'altcha', field: 'altcha', challenge } }),
  'forgot-plain': reset.forgotPage({ uid }),
  'reset-sent': reset.resetSentPage({ ...base, address: email }),
  reset: reset.choosePasswordPage('reset', { ...base, identifier: email, minLength }),
  'reset-refused': reset.choosePasswordPage('reset', {
    ...base,
    identifier: email,
    minLength: 15,
    problems: [{ field: 'password', code: 'password.breached' }],
  }),
  'new-password': reset.choosePasswordPage('new-password', { ...base, identifier: email, minLength }),
  consent: consent.consentPage({ ...base, account: email, scopes: ['openid', 'profile', 'email', 'offline_access'] }),
  'consent-full': consent.consentPage({
    uid,
    client: { name: '<Donaudampfschifffahrt & Söhne>', policy: 'https://d.example/p' },
    account: long,
    scopes: ['openid', 'phone', 'address', 'internal:reports'],
    claims: ['birthdate', 'https://claims.example/level'],
    resources: [
      {
        name: 'Invoices',
        scopes: [{ name: 'invoices:read', description: 'read your invoices' }, { name: 'invoices:write' }],
      },
    ],
  }),
  accounts: consent.accountsPage({ ...base, account: { name: 'Ada Lovelace', email } }),
  'accounts-plain': consent.accountsPage({ uid, account: { email: long } }),
  organization: consent.organizationPage({
    ...base,
    account: email,
    places: [
      { id: 'a', name: 'Globex Corporation' },
      { id: 'b', name: long },
    ],
  }),
  ways: identify.waysPage({ ...base, identifier: email, passkey: true, support: 'https://acme.example/help' }),
  'ways-none': identify.waysPage({ uid, identifier: long, passkey: false }),
  limited: end.limitedPage({ ...base, retryAfter: 290 }),
  done: end.donePage({ client, back: 'https://billing.example/' }),
  'done-plain': end.donePage({}),

  totp: factor.totpPage({ ...base, identifier: email, recovery: true, others: ['passkey', 'sms'], days: 30 }),
  'sent-code-sms': factor.sentCodePage({
    ...base,
    ...{ kind: 'sms', destination: '+442079460018', minutes: 10, identifier: email, recovery: true, days: 30 },
    others: ['email-code'],
    sent: true,
  }),
  'sent-code-email': factor.sentCodePage({
    ...base,
    ...{ kind: 'email', destination: long, minutes: 10, identifier: long, recovery: false, others: [] },
    problems: [{ field: 'code', code: 'code.refused' }],
  }),
  'totp-refused': factor.totpPage({
    ...base,
    identifier: long,
    recovery: true,
    others: [],
    problems: [{ field: 'code', code: 'totp.code_refused' }],
  }),
  recovery: factor.recoveryPage({ ...base, identifier: email }),
  'recovery-refused': factor.recoveryPage({
    ...base,
    identifier: email,
    problems: [{ field: 'code', code: 'recovery.code_refused' }],
  }),
  'totp-setup': factor.totpSetupPage({ ...base, setup: appSetup }),
  'recovery-codes': factor.recoveryCodesPage({ ...base, codes }),

  'own-overview': own.overviewPage({
    name: 'Ada Lovelace',
    email,
    protection: 'one',
    advised: true,
    sessions: 2,
    applications: 0,
    notices: [],
  }),
  'own-overview-long': own.overviewPage({
    name: long,
    email: long,
    protection: 'passkey',
    advised: false,
    sessions: 1,
    applications: 12,
    notices: [
      { what: 'new-device', at: new Date('2026-11-21T02:04:00Z') },
      { what: 'recovery-link-issued', at: new Date('2026-11-19T22:40:00Z') },
    ],
  }),
  'own-profile': profilePage({
    email,
    name: 'Ada',
    picture: undefined,
    maxBytes: 8_000_000,
    done: 'profile_saved',
    values: { given_name: 'Ada' },
  }),
  'own-profile-refused': profilePage({
    email: long,
    name: long,
    picture: 'data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=',
    pictureProblem: { code: 'picture.too_large', params: { megabytes: 8 } },
    maxBytes: 8_000_000,
    values: { phone_number: '12', website: 'x', birthdate: '1', bio: 'x'.repeat(30) },
    problems: [
      { field: 'phone_number', code: 'phone.invalid' },
      { field: 'website', code: 'url.invalid' },
      { field: 'bio', code: 'field.too_long', params: { max: 1000 } },
    ],
  }),
  'own-email': emailPage({ email: long }),
  'own-email-refused': emailPage({ email, values: { email }, problems: [{ field: 'email', code: 'email.same' }] }),
  'own-email-code': emailCodePage({ address: long, minutes: 1440 }),
  'own-email-code-refused': emailCodePage({
    address: email,
    minutes: 30,
    problems: [{ field: 'code', code: 'proof.code_refused' }],
  }),
  'email-link': emailLinkPage({ state: 'ask', token: 't', address: long }),
  'email-link-elsewhere': emailLinkPage({ state: 'elsewhere' }),
  'email-link-expired': emailLinkPage({ state: 'expired' }),
  'email-undo': emailUndoPage({ state: 'ask', token: 't', address: long, when }),
  'email-undo-done': emailUndoPage({ state: 'done' }),
  'email-undo-expired': emailUndoPage({ state: 'expired' }),
  'own-organisations': organisationsPage({
    places: [{ id: 'a', name: 'Globex Corporation', since: new Date('2026-01-02'), roles: ['owner', 'billing'] }],
    invitations: [{ id: 'b', name: long, until: new Date('2026-11-28T12:00:00Z') }],
    done: 'organisation_joined',
  }),
  'own-organisations-none': organisationsPage({ places: [], invitations: [], unproved: true }),
  'invitation-mine': invitationPage({
    state: 'mine',
    token: 't',
    id: 'i',
    name: 'Globex',
    address: email,
    account: email,
  }),
  'invitation-other': invitationPage({
    state: 'other',
    token: 't',
    id: 'i',
    name: 'Globex',
    address: email,
    account: long,
  }),
  'invitation-nobody': invitationPage({ state: 'nobody', token: 't', id: 'i', name: long, address: email, join: true }),
  'invitation-sent': invitationPage({ state: 'sent', name: 'Globex', address: email }),
  'invitation-expired': invitationPage({ state: 'expired' }),
  'own-settings': settingsPage({
    preferences: preferencesOf({ settings: { theme: 'dark' }, profile: { zoneinfo: 'Europe/Berlin' } }),
    locales: ['en', 'de'],
    sms: true,
    done: 'settings_saved',
  }),
  'own-settings-refused': settingsPage({
    preferences: preferencesOf({ settings: {}, profile: {} }),
    locales: ['en', 'de'],
    sms: false,
    problems: [{ field: 'theme', code: 'field.invalid' }],
  }),
  'own-security': own.securityPage({
    password: true,
    totp: { createdAt: when, usedAt: when },
    recoveryCodes: 9,
    codes: [
      { kind: 'email', since: when },
      { kind: 'sms', since: when, usedAt: when, destination: '+442079460018' },
    ],
    passkeys: 2,
    linked: 1,
    mayRemove: true,
    done: 'totp_added',
  }),
  'own-security-bare': own.securityPage({
    password: false,
    totp: undefined,
    recoveryCodes: 0,
    codes: [{ kind: 'email' }, { kind: 'sms' }],
    passkeys: 1,
    mayRemove: true,
  }),
  'own-security-must': own.securityPage({
    password: true,
    totp: { createdAt: when, usedAt: undefined },
    recoveryCodes: 0,
    codes: [],
    passkeys: 0,
    mayRemove: false,
  }),
  'own-codes-sms': codesSetupPage({ kind: 'sms', email, problems: [{ field: 'phone_number', code: 'phone.invalid' }] }),
  'own-codes-email': codesSetupPage({ kind: 'email', email: long }),
  'own-codes-confirm': codesConfirmPage({
    kind: 'email',
    destination: long,
    minutes: 10,
    problem: { field: 'code', code: 'code.refused' },
  }),
  'recovery-link': recoveryLinkPage({ state: 'ask', token: 't', worksFrom: when }),
  'recovery-link-waiting': recoveryLinkPage({ state: 'waiting', token: 't', worksFrom: when }),
  'recovery-link-done': recoveryLinkPage({ state: 'done' }),
  'recovery-link-expired': recoveryLinkPage({ state: 'expired' }),
  'own-linked': linkedPage({
    linked: [
      { id: '1', name: 'GitHub', enabled: true, label: email, linkedAt: when, lastUsedAt: when },
      { id: '2', name: long, enabled: false, label: long, linkedAt: when, lastUsedAt: undefined },
    ],
    providers: everyProvider,
    done: 'linked',
  }),
  'own-linked-none': linkedPage({
    linked: [],
    providers: everyProvider.slice(0, 1),
    problem: { code: 'federation.last_way_in' },
  }),
  'own-totp': own.totpPage({ setup: appSetup, problems: [{ field: 'code', code: 'totp.setup_expired' }] }),
  'own-codes': own.codesPage({ codes }),
  'own-sessions': own.sessionsPage({
    sessions: [
      { ...device, current: true, since: when, seen: when, applications: ['Acme Billing', long] },
      {
        ...device,
        browser: undefined,
        system: undefined,
        ip: undefined,
        ...{ current: false, since: when, seen: when, applications: [] },
      },
    ],
    devices: [{ ...device, seen: when, until: later }],
    done: 'session_ended',
  }),
  'own-applications': own.applicationsPage({
    applications: [
      { id: 'billing', name: 'Acme Billing', since: when, scopes: ['openid', 'email', 'invoices:read'] },
      { id: 'd', name: '<Donaudampfschifffahrt & Söhne>', since: undefined, scopes: ['openid'] },
    ],
  }),
  'own-applications-none': own.applicationsPage({ applications: [], done: 'withdrawn' }),
  'own-activity': own.activityPage({
    events: [
      { type: 'signin.succeeded', at: when, application: 'Acme Billing', ...device },
      { type: 'nobody.has.words', at: when, application: undefined, ...device, browser: undefined, system: undefined },
    ],
    older: '01930000-0000-7000-8000-000000000000',
  }),
  'not-me': own.notMePage({ state: 'ask', token: 't', what: 'new-device', when }),
  'not-me-done': own.notMePage({ state: 'done' }),
  'not-me-expired': own.notMePage({ state: 'expired' }),

  'account-verify': account.verifyConfirmPage({ state: 'ask', token: 't', address: email }),
  'account-verify-plain': account.verifyConfirmPage({ state: 'ask', token: 't' }),
  'account-verify-elsewhere': account.verifyConfirmPage({ state: 'ask', token: 't', address: long, asks: 'password' }),
  'account-verify-elsewhere-refused': account.verifyConfirmPage({
    ...{ state: 'ask', token: 't', address: email, asks: 'password', min: 8 },
    problems: [{ field: 'current', code: 'password.registered_wrong' }],
  }),
  'account-verify-elsewhere-new-refused': account.verifyConfirmPage({
    ...{ state: 'ask', token: 't', address: email, asks: 'password', min: 8 },
    problems: [{ field: 'password', code: 'password.common' }],
  }),
  'account-verify-elsewhere-new': account.verifyConfirmPage({
    ...{ state: 'ask', token: 't', address: email, asks: 'new-password', min: 8 },
  }),
  'account-verify-done': account.verifyConfirmPage({ state: 'done', next: '/signin/x' }),
  'account-verify-expired': account.verifyConfirmPage({ state: 'expired' }),
  'account-verify-expired-known': account.verifyConfirmPage({ state: 'expired', token: 't' }),
  'account-reset': account.resetPage({ token: 't', minLength, identifier: email }),
  'account-reset-done': account.resetPage({ token: '', minLength, state: 'done' }),
  'account-reset-expired': account.resetPage({ token: '', minLength, state: 'expired' }),
  'account-forgot': account.forgotPage({
    values: { email: 'x' },
    problems: [{ field: 'email', code: 'user.email_malformed' }],
  }),
  'account-sent': account.sentPage({ what: 'reset' }),
  'account-sent-verify': account.sentPage({ what: 'verify' }),
  'account-password': account.passwordPage({ minLength, identifier: email }),
  'account-password-refused': account.passwordPage({
    minLength,
    values: { email },
    problems: [
      { field: 'current', code: 'password.current_wrong' },
      { field: 'password', code: 'password.common' },
    ],
  }),
  'account-password-changed': account.passwordChangedPage({ next: '/' }),
  'account-passkeys': passkeysPage({ passkeys: [], signals: {}, said: 'removed' }),
  'account-passkeys-several': passkeysPage({
    signals: {},
    problem: { code: 'passkey.name_refused', params: { max: 60 } },
    refusedId: '2',
    passkeys: [
      { ...aPasskey, id: '1', provider: 'iCloud Keychain', synced: true, lastUsedAt: new Date('2026-11-20T17:40:00Z') },
      { ...aPasskey, id: '2', name: long },
      { ...aPasskey, id: '3', copySuspectedAt: new Date('2026-11-20T17:40:00Z') },
    ],
  }),
  'account-passkeys-refused': passkeysPage({ passkeys: [aPasskey], signals: {}, problem: { code: 'passkey.last' } }),
  'account-elsewhere': account.elsewherePage({ next: '/' }),

  'sign-out': oidc.signOutPage({ form: engine('op.logoutForm', '/session/end/confirm'), client, account: email }),
  'sign-out-plain': oidc.signOutPage({ form: engine('op.logoutForm', '/session/end/confirm') }),
  'signed-out': oidc.signedOutPage({ client, back: 'https://billing.example/' }),
  'still-signed-in': oidc.signedOutPage({ stayed: true }),
  'device-code': oidc.deviceCodePage({ form: engine('op.deviceInputForm', '/device') }),
  'device-code-refused': oidc.deviceCodePage({
    form: engine('op.deviceInputForm', '/device'),
    values: { user_code: 'BCDF-GHJK' },
    problems: [{ field: 'user_code', code: 'device.code_unknown' }],
  }),
  'device-confirm': oidc.deviceConfirmPage({
    form: engine('op.deviceConfirmForm', '/device', '<input type="hidden" name="confirm" value="yes"/>'),
    client: { name: 'Acme TV' },
    userCode: 'BCDF-GHJK',
    scopes: ['openid', 'profile', 'tv:play'],
    device: { ip: '203.0.113.7', userAgent: 'AcmeTV/4.1' },
  }),
  'device-done': oidc.deviceDonePage({ client }),
  'device-refused': oidc.deviceDonePage({ refused: true }),
  error: oidc.errorPage({
    status: 400,
    code: 'invalid_redirect_uri',
    traceId: '0f7c2a9e41d64b13',
    detail: 'redirect_uri did not match',
  }),
  'error-busy': oidc.errorPage({
    status: 503,
    code: 'store.unavailable',
    traceId: '0f7c2a9e41d64b13',
    retryAfter: 20,
    client,
    back: 'https://billing.example/',
  }),
  'error-bug': oidc.errorPage({ status: 500, code: 'internal', traceId: '0f7c2a9e41d64b13' }),
  'error-missing': oidc.errorPage({ status: 404, code: 'page.missing', traceId: '0f7c2a9e41d64b13' }),
  'form-post': oidc.formPostPage({ action: '/signed-out', fields: { code: 'c"<', state: 's' }, client }),
  home: oidc.homePage(),
  'home-signed-in': oidc.homePage({ account: email, signOut: '/session/end' }),

  'setup-used': setup.setupLinkPage({ state: 'used' }),
  'setup-expired': setup.setupLinkPage({ state: 'expired' }),
  'setup-organisation': setup.organisationPage({ token: 't' }),
  'setup-organisation-refused': setup.organisationPage({
    token: 't',
    values: { name: '', colour: 'blau', logo: 'logo.png' },
    problems: [
      { field: 'name', code: 'field.missing' },
      { field: 'colour', code: 'branding.colour_refused' },
      { field: 'logo', code: 'branding.logo_refused' },
    ],
  }),
  'setup-administrator': setup.administratorPage({ minLength: 12 }),
  'setup-application': setup.applicationPage({}),
  'setup-application-refused': setup.applicationPage({
    values: { name: 'Shop', kind: 'spa', redirect_uris: 'http://shop.example/cb' },
    problems: [
      {
        field: 'redirect_uris',
        code: 'client.redirect_uris_refused',
        params: { problem: 'http is for localhost only' },
      },
    ],
  }),
  'setup-finished': setup.finishedPage({
    issuer: 'https://id.acme.example',
    organisation: 'Acme',
    administrator: email,
    client: {
      id: 'billing-7Q2xLw',
      secret: 'y0xqk6dC6Vx5s3sJZ1mQvJfL2m8nXoWbR4tH9uKpE1A',
      name: 'Acme Billing',
      kind: 'web',
      redirectUris: ['https://billing.example/callback'],
    },
  }),
  'setup-finished-service': setup.finishedPage({
    issuer: 'https://id.acme.example',
    organisation: 'Acme',
    administrator: email,
    client: { id: 'reports', secret: 's3cr3t', name: 'Reports', kind: 'service', redirectUris: [] },
  }),

  mailbox: mailbox.mailboxPage({
    letters: [
      { id: '2', to: email, subject: '48291301 is your code for Acme', sentAt: new Date('2026-11-21T02:04:00Z') },
      { id: '1', to: long, subject: 'Choose a new password', sentAt: new Date('2026-11-20T17:40:00Z') },
    ],
  }),
  'mailbox-empty': mailbox.mailboxPage({ letters: [] }),
  'mailbox-letter': mailbox.letterPage({
    id: '2',
    to: email,
    subject: '48291301 is your code for Acme',
    sentAt: new Date('2026-11-21T02:04:00Z'),
    text: 'Confirm your address\n\n4829 1301\n\nhttps://id.acme.example/account/verify?token=abc\n',
  }),
};

export const exhibits: Exhibit[] = Object.entries(models).map(([name, model]) => ({ name, model }));

/** The letters with what their senders put in. */
export const letters: Record<string, Params> = {
  'verify-address': { code: '48291301', link: 'https://id.acme.example/account/verify?token=a&x=1', minutes: 15 },
  'account-exists': { link: 'https://id.acme.example/account/forgot' },
  'reset-password': { code: '11820447', link: 'https://id.acme.example/account/reset?token=abc', minutes: 30 },
  'password-changed': { when: new Date('2026-11-21T02:04:00Z'), link: 'https://id.acme.example/account/forgot' },
  'organisation-invitation': {
    place: 'Globex Corporation',
    link: 'https://id.acme.example/account/invitation?token=abc',
    until: new Date('2026-11-28T12:00:00Z'),
  },
  'domain-lost': {
    place: 'Globex Corporation',
    domain: 'globex.example',
    link: 'https://id.acme.example/account/organisations',
  },
  'choose-password': { link: 'https://id.acme.example/account/reset?token=abc' },
  'security-notice': {
    what: 'new-device',
    when: new Date('2026-11-21T02:04:00Z'),
    ip: '203.0.113.7',
    device: 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0',
    link: 'https://id.acme.example/account/not-me?token=abc',
  },
  'change-address': {
    code: '11820447',
    link: 'https://id.acme.example/account/email/confirm?token=abc',
    minutes: 1440,
  },
  'signin-code': { code: '11820447', minutes: 10, ip: '203.0.113.7', device: 'Firefox, Linux' },
  'address-taken': { link: 'https://id.acme.example/account/forgot' },
  'address-changed': { when, link: 'https://id.acme.example/account/email/undo?token=abc', minutes: 20_160 },
  welcome: { link: 'https://id.acme.example/' },
};

export interface Gallery {
  /** Of the page of that name: `${url}/<name>?locale=de&theme=dark`. Letters stand under `/letter/<name>`. */
  url: string;
  close(): Promise<void>;
}

/** Serves the exhibits with the headers of the real server, so that what its policy forbids fails here too. */
export async function serveGallery(
  branding: BrandingInput = { name: 'Acme' },
  more: Record<string, { page: string }> = {},
): Promise<Gallery> {
  const views = createViews({
    dir: join(import.meta.dirname, '../../views'),
    branding: createBranding(branding),
    strict: true,
  });
  const koa = new Koa();
  koa.use(securityHeaders({ https: false }));
  koa.use(views.assets.middleware);
  koa.use((ctx) => {
    // A page's script asks for a passkey: there is none.
    if (ctx.path.endsWith('/options')) {
      ctx.status = 204;
      return;
    }
    const { locale = 'en', theme, bare } = ctx.query as Record<string, string | undefined>;
    const [, first = '', second = ''] = ctx.path.split('/');
    const params = letters[second];
    ctx.type = 'html';
    if (params || first === 'dev') {
      ctx.set('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
      ctx.remove('x-frame-options');
      ctx.body = views.renderLetter(
        params ? second : 'verify-address',
        params ?? letters['verify-address'] ?? {},
        locale,
      ).html;
      return;
    }
    const model = more[first] ?? models[first];
    if (!model) return;
    const { nonce } = ctx.state as { nonce: string };
    const context = { locale, nonce, csrf: 'token', url: ctx.url, theme: theme as 'dark' | undefined };
    ctx.body = views.render(model.page, model, context);
    // A page that sends itself is looked at with its script left out.
    if (bare) ctx.body = String(ctx.body).replace(/<script.*?<\/script>/gs, '');
  });
  const server = koa.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
