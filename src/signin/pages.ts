import { codeField, currentPasswordField, emailField, focused, newPasswordField } from '../platform/fields.ts';
import { createForm, type FieldSpec, type Form, type Typed } from '../platform/form.ts';
import type { Page } from '../platform/views.ts';

/**
 * What the pages between /authorize and the code show. Pure functions: what the flow knows goes in, what a template
 * of `views/signin` needs comes out. Every form posts to a path below `/signin/:uid`.
 */

/** The application one signs in to, as far as a page shows it. */
export interface ClientShown {
  name: string;
  logo?: string | undefined;
  /** Its privacy policy and terms. */
  policy?: string | undefined;
  terms?: string | undefined;
}

/** What `credentials` asks the browser for; the answer comes back in the field it names. */
export type Captcha =
  /** A proof of work: altcha-lib's Challenge, solved by `pow.js` into the hidden field `altcha`. */
  | { provider: 'altcha'; challenge: object }
  /** A widget that fills in its own field. */
  | { provider: 'turnstile' | 'hcaptcha'; siteKey: string; script: string; className: string };

export interface Common extends Typed {
  /** Of the interaction. */
  uid: string;
  client?: ClientShown | undefined;
  captcha?: Captcha | undefined;
}

interface Shown extends Page {
  client?: ClientShown | undefined;
  scripts?: string[];
  /** Path of the form that gives up and returns to the application (POST, no fields). */
  cancel?: string;
}

interface FormShown extends Shown {
  form: Form;
  captcha?: Captcha | undefined;
}

export const at = (uid: string, path: string) => `/signin/${encodeURIComponent(uid)}${path}`;

export function shown(name: string, input: Common, fields: FieldSpec[], path = `/${name}`): FormShown {
  return {
    page: `signin/${name}`,
    title: `signin.${name}.title`,
    client: input.client,
    captcha: input.captcha,
    form: createForm(at(input.uid, path), fields, input),
    scripts: input.captcha?.provider === 'altcha' ? ['pow.js'] : [],
    ...(input.client ? { cancel: at(input.uid, '/cancel') } : {}),
  };
}

/** The button "Use a passkey": POST /signin/:uid/passkey {credential, remember?}; the question: POST …/passkey/options */
const withPasskey = (page: FormShown, { uid }: Common, { autofill = false } = {}) => ({
  ...page,
  passkey: { action: at(uid, '/passkey'), options: at(uid, '/passkey/options'), autofill },
  scripts: [...(page.scripts ?? []), 'passkeys.js'],
});

/**
 * What password managers are told of the passkeys they keep for us (WebAuthn Level 3, section 5.1.10), as the page's
 * script reads it: the name of the method → what it is told.
 */
export const passkeySignals = (signals: Record<string, object>): string => JSON.stringify(signals);

/**
 * Who are you? POST /signin/:uid/identifier {identifier, remember?}
 * @param input.unknownPasskey one that was just used and that nobody here has: its keeper may forget it
 * @param input.autofill false after a passkey was refused: what picks one by itself would pick the same again
 */
export function identifierPage(
  input: Common & {
    registration: boolean;
    remember?: boolean;
    unknownPasskey?: { rpId: string; credentialId: string } | undefined;
    autofill?: boolean;
  },
) {
  const fields: FieldSpec[] = [
    {
      name: 'identifier',
      type: 'email',
      label: 'label.email',
      autocomplete: 'username webauthn',
      required: true,
      autofocus: true,
      maxlength: 254,
    },
    ...(input.remember === false ? [] : [{ name: 'remember', type: 'checkbox' as const, required: true }]),
  ];
  return {
    ...withPasskey(shown('identifier', input, fields), input, { autofill: input.autofill ?? true }),
    ...(input.unknownPasskey ? { signals: passkeySignals({ signalUnknownCredential: input.unknownPasskey }) } : {}),
    ...(input.registration ? { register: at(input.uid, '/register') } : {}),
    forgot: at(input.uid, '/forgot'),
  };
}

/**
 * Prove it. POST /signin/:uid/password {identifier, password, remember?}; "Not you?" leads to GET /signin/:uid/identifier
 * @param input.linking name of the provider that is linked once the account is proved
 */
export function passwordPage(input: Common & { identifier: string; remember?: boolean; linking?: string | undefined }) {
  return {
    ...withPasskey(shown('password', input, [focused(currentPasswordField('password'))]), input),
    identifier: input.identifier,
    remember: Boolean(input.remember),
    ...(input.linking ? { linking: input.linking } : {}),
    change: at(input.uid, '/identifier'),
    forgot: at(input.uid, '/forgot'),
  };
}

/** The passkey as second factor. POST /signin/:uid/passkey {credential} */
export function passkeyPage(input: Common & { unknownPasskey?: object | undefined }) {
  return {
    ...withPasskey(shown('passkey', input, []), input),
    ...(input.unknownPasskey ? { signals: passkeySignals({ signalUnknownCredential: input.unknownPasskey }) } : {}),
    change: at(input.uid, '/identifier'),
  };
}

/**
 * After a password: a passkey for the next time. POST /signin/:uid/passkey-offer {credential} or {later}; the question:
 * POST …/passkey-offer/options. With `quietly` the browser may make one without asking, first of all.
 */
export function passkeyOfferPage(input: Common & { quietly?: boolean }) {
  return {
    ...shown('passkey-offer', input, []),
    scripts: ['passkeys.js'],
    options: at(input.uid, '/passkey-offer/options'),
    quietly: input.quietly ?? true,
  };
}

/** Fields an operator may ask for at registration, by claim. */
export const PROFILE_FIELDS: Record<string, FieldSpec> = {
  given_name: { name: 'given_name', autocomplete: 'given-name', maxlength: 100 },
  family_name: { name: 'family_name', autocomplete: 'family-name', maxlength: 100 },
  name: { name: 'name', autocomplete: 'name', maxlength: 200 },
  nickname: { name: 'nickname', autocomplete: 'nickname', maxlength: 100 },
  preferred_username: { name: 'preferred_username', autocomplete: 'nickname', maxlength: 100, ltr: true },
  phone_number: { name: 'phone_number', type: 'tel', autocomplete: 'tel', maxlength: 32, hint: 'hint.phone_number' },
  birthdate: { name: 'birthdate', type: 'date', autocomplete: 'bday' },
  website: { name: 'website', type: 'url', autocomplete: 'url', maxlength: 500 },
};

/**
 * Make an account. POST /signin/:uid/register {email, password, terms?, altcha?, …profile fields}, or with
 * {with: 'passkey'} instead of the password
 * @param input.fields profile fields asked for, in order, each required or not
 */
export function registerPage(
  input: Common & {
    minLength: number;
    fields?: { name: string; required: boolean }[];
    /** Custom fields, after them. */
    custom?: FieldSpec[];
    /** Addresses of what is agreed to; without any, no box. */
    terms?: string | undefined;
    privacy?: string | undefined;
  },
) {
  const page = shown(
    'register',
    input,
    registrationFields(input, (first) => [first ? focused(emailField) : emailField, newPasswordField(input.minLength)]),
  );
  return { ...page, scripts: [...(page.scripts ?? []), 'passkeys.js'], signin: at(input.uid, '/identifier') };
}

/** What is asked of whoever opens an account. @param way the fields of an address and a way in, told whether they come first */
export function registrationFields(
  input: Pick<Parameters<typeof registerPage>[0], 'fields' | 'custom' | 'terms' | 'privacy'>,
  way: (first: boolean) => FieldSpec[] = () => [],
): FieldSpec[] {
  const profile = (input.fields ?? []).flatMap(({ name, required }) => {
    const spec = PROFILE_FIELDS[name];
    return spec ? [{ ...spec, required }] : [];
  });
  return [
    ...profile,
    ...way(profile.length === 0),
    ...(input.custom ?? []),
    ...(input.terms || input.privacy ? [termsField(input.terms, input.privacy)] : []),
  ];
}

function termsField(terms?: string, privacy?: string): FieldSpec {
  return {
    name: 'terms',
    type: 'checkbox',
    required: true,
    label: terms && privacy ? 'label.terms_and_privacy' : terms ? 'label.terms' : 'label.privacy',
    labelParams: { ...(terms ? { terms: { href: terms } } : {}), ...(privacy ? { privacy: { href: privacy } } : {}) },
  };
}

/** What everybody is asked and this person was not. POST /signin/:uid/details {attributes-<name>…} */
export function detailsPage(input: Common & { custom: FieldSpec[] }) {
  return shown('details', input, input.custom);
}

/** The code from the letter. POST /signin/:uid/verify {code}; again: POST /signin/:uid/verify/send {} */
export function verifyPage(input: Common & { address: string; sent?: boolean; minutes?: number }) {
  return {
    ...shown('verify', input, [focused(codeField)]),
    /** Masked: see maskAddress. */
    address: maskAddress(input.address),
    again: at(input.uid, '/verify/send'),
    sent: Boolean(input.sent),
    minutes: input.minutes ?? 15,
    change: at(input.uid, '/identifier'),
  };
}

/** Ask for a reset. POST /signin/:uid/forgot {email} */
export function forgotPage(input: Common) {
  return { ...shown('forgot', input, [focused(emailField)]), signin: at(input.uid, '/identifier') };
}

/** The same words whether or not the address is known. POST /signin/:uid/reset-sent {code}; again: GET /signin/:uid/forgot */
export function resetSentPage(input: Common & { address: string; minutes?: number }) {
  return {
    ...shown('reset-sent', input, [codeField]),
    address: input.address,
    minutes: input.minutes ?? 30,
    again: at(input.uid, '/forgot'),
    signin: at(input.uid, '/identifier'),
  };
}

/** A new password after a reset was proved. POST /signin/:uid/reset {password}; `identifier` helps password managers. */
export function resetPage(input: Common & { identifier: string; minLength: number }) {
  const fields = [focused(newPasswordField(input.minLength, 'label.new_password'))];
  return { ...shown('reset', input, fields), identifier: input.identifier };
}

/** A change that must happen before the sign-in goes on. POST /signin/:uid/new-password {password} */
export function newPasswordPage(input: Common & { identifier: string; minLength: number }) {
  const fields = [focused(newPasswordField(input.minLength, 'label.new_password'))];
  return { ...shown('new-password', input, fields), identifier: input.identifier };
}

/** Scopes that have words of their own (`scope.<name>`); any other is shown by the description its owner gave, or its name. */
const KNOWN_SCOPES = new Set(
  'profile email phone address offline_access groups roles permissions organization'.split(' '),
);
/** Claims in words (`claim.<name>`). */
const KNOWN_CLAIMS = new Set(
  'name given_name family_name middle_name nickname preferred_username profile picture website email email_verified gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at'.split(
    ' ',
  ),
);

export interface Asked {
  code?: string;
  detail?: string;
  /** When there are no words for it. */
  text?: string;
}

/**
 * Do you agree? POST /signin/:uid/consent {decision: 'allow' | 'deny'}
 * @param input.scopes OpenID Connect scopes not granted yet
 * @param input.claims single claims asked for beyond them
 * @param input.resources scopes of resource servers, with what their owner says of each
 */
export function consentPage(
  input: Common & {
    client: ClientShown;
    /** Who is about to agree: the address, as signed in. */
    account: string;
    scopes: string[];
    claims?: string[];
    resources?: { name: string; scopes: { name: string; description?: string | undefined }[] }[];
  },
) {
  const own: Asked[] = input.scopes
    .filter((scope) => scope !== 'openid')
    .map((scope) =>
      KNOWN_SCOPES.has(scope) ? { code: `scope.${scope}`, detail: `scope.${scope}.detail` } : { text: scope },
    );
  const single: Asked[] = (input.claims ?? []).map((claim) =>
    KNOWN_CLAIMS.has(claim) ? { code: `claim.${claim}` } : { text: claim },
  );
  const groups = [
    { items: [{ code: 'scope.openid', detail: 'scope.openid.detail' }, ...own, ...single] as Asked[] },
    ...(input.resources ?? []).map(({ name, scopes }) => ({
      name,
      items: scopes.map((scope): Asked => ({ text: scope.description || scope.name })),
    })),
  ];
  return {
    ...shown('consent', input, []),
    titleParams: { client: input.client.name },
    groups,
    account: input.account,
    change: at(input.uid, '/accounts'),
  };
}

/** Which account? POST /signin/:uid/accounts {account: 'continue' | 'other'} */
export function accountsPage(input: Common & { account: { name?: string | undefined; email: string } }) {
  const label = input.account.name || input.account.email;
  return {
    ...shown('accounts', input, []),
    account: { ...input.account, label, initial: ([...label][0] ?? '•').toUpperCase() },
  };
}

/** In which organisation? POST /signin/:uid/organization {organization: id} */
export function organizationPage(input: Common & { account: string; places: { id: string; name: string }[] }) {
  return {
    ...shown('organization', input, []),
    account: input.account,
    change: at(input.uid, '/accounts'),
    places: input.places.map((place) => ({ ...place, initial: ([...place.name][0] ?? '•').toUpperCase() })),
  };
}

/** The ways in that the organisation allows. @param input.support where to find help */
export function waysPage(input: Common & { identifier: string; passkey: boolean; support?: string | undefined }) {
  const { passkey, ...page } = withPasskey(shown('ways', input, []), input);
  return {
    ...page,
    ...(input.passkey ? { passkey } : {}),
    identifier: input.identifier,
    change: at(input.uid, '/identifier'),
    support: input.support,
  };
}

/** Too many tries. @param input.retryAfter seconds */
export function limitedPage(
  input: Common & { retryAfter: number; forgot?: boolean },
): Shown & { minutes: number; forgot?: string; back: string } {
  const { form: _, ...page } = shown('limited', input, []);
  return {
    ...page,
    minutes: Math.max(1, Math.ceil(input.retryAfter / 60)),
    back: at(input.uid, '/identifier'),
    ...(input.forgot === false ? {} : { forgot: at(input.uid, '/forgot') }),
  };
}

/** The interaction has ended, elsewhere or by time: there is nothing to go on with here. @param input.back where the application can be started again */
export function donePage(input: {
  client?: ClientShown | undefined;
  back?: string | undefined;
}): Shown & { back?: string | undefined } {
  return { page: 'signin/done', title: 'signin.done.title', client: input.client, back: input.back };
}

/** ada.lovelace@example.com → a•••e@example.com: enough to recognise one's own, too little to learn another's. */
export function maskAddress(address: string): string {
  const split = address.lastIndexOf('@');
  if (split < 1) return '•••';
  const name = [...address.slice(0, split)];
  const last = name.length > 3 ? name.at(-1) : '';
  return `${name[0]}•••${last}${address.slice(split)}`;
}

/** +442079460018 → ••• 18: the owner knows which, nobody else does. */
export const maskNumber = (number: string): string => `••• ${number.slice(-2)}`;
