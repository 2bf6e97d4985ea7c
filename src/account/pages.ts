import type { CaptchaChallenge, LinkAsks } from '../credentials/index.ts';
import { currentPasswordField, emailField, focused, newPasswordField } from '../platform/fields.ts';
import { createForm, type FieldSpec, type Typed } from '../platform/form.ts';
import type { Page } from '../platform/views.ts';
import { ownPage } from './own-pages.ts';

/** What people see when they come by a link or on their own, with no sign-in under way. */

const newPassword = (minLength: number) => newPasswordField(minLength, 'label.new_password');

const withToken = (path: string, token: string) => `${path}?token=${encodeURIComponent(token)}`;

const page = (name: string): Page => ({ page: `account/${name}`, title: `account.${name}.title` });

/**
 * The link from a verification letter. `ask` changes nothing: POST /account/verify {token}, and in another browser than the
 * one that asked {current} or {password}. `expired` offers a new letter: POST /account/verify/send {token} when the token
 * still tells whose it was, else {email}.
 */
export function verifyConfirmPage(
  input: Typed & {
    state: 'ask' | 'done' | 'expired';
    token?: string;
    /** The address that is confirmed, when the token is live. */
    address?: string;
    asks?: LinkAsks;
    /** Least length of a new password. */
    min?: number;
    /** Where to go on: the interrupted sign-in or `/`. */
    next?: string;
    /** The interrupted sign-in, carried from the link through the form. */
    resume?: string;
  },
) {
  const { state, token = '', asks = 'nothing', problems = [] } = input;
  const known = state === 'expired' && !token;
  const path = state === 'ask' ? '/account/verify' : '/account/verify/send';
  const own = { ...input, problems: problems.filter(({ field }) => field !== 'password') };
  const other = { problems: problems.filter(({ field }) => field === 'password') };
  return {
    ...page('verify'),
    title: `account.verify.${state}.title`,
    state,
    token,
    ...(token ? { languageUrl: withToken('/account/verify', token) } : {}),
    address: input.address,
    next: input.next,
    resume: input.resume,
    asks,
    form: createForm(
      path,
      [...(known ? [emailField] : []), ...(asks === 'password' ? [currentPasswordField('current')] : [])],
      own,
    ),
    /** In place of the first one, or beside it. */
    fresh: createForm(path, asks === 'nothing' ? [] : [newPassword(input.min ?? 8)], other),
  };
}

/** The link from a reset letter. POST /account/reset {token, password}; expired: a way to /account/forgot. */
export function resetPage(
  input: Typed & {
    token: string;
    minLength: number;
    identifier?: string;
    state?: 'ask' | 'done' | 'expired';
    next?: string;
    /** The interrupted sign-in, carried from the link through the form. */
    resume?: string;
  },
) {
  const state = input.state ?? 'ask';
  return {
    ...page('reset'),
    title: `account.reset.${state}.title`,
    state,
    token: input.token,
    ...(input.token ? { languageUrl: withToken('/account/reset', input.token) } : {}),
    identifier: input.identifier,
    next: input.next,
    resume: input.resume,
    forgot: '/account/forgot',
    form: createForm('/account/reset', [focused(newPassword(input.minLength))], input),
  };
}

/** POST /account/forgot {email}, and the answer to the CAPTCHA if one is shown */
export function forgotPage(input: Typed & { captcha?: CaptchaChallenge | undefined } = {}) {
  return {
    ...page('forgot'),
    captcha: input.captcha,
    scripts: input.captcha?.provider === 'altcha' ? ['pow.js'] : [],
    form: createForm('/account/forgot', [focused(emailField)], input),
  };
}

/** The same words whether or not the address is known. `what`: the letter that is on its way. */
export function sentPage(input: { address?: string; what: 'reset' | 'verify'; minutes?: number }) {
  return {
    ...page('sent'),
    address: input.address,
    what: input.what,
    minutes: input.minutes ?? 30,
    again: input.what === 'reset' ? '/account/forgot' : '/account/verify/send',
  };
}

/**
 * Change of password. POST /account/password {current, password}, and {email} first when nobody is signed in here.
 * @param input.identifier the address of the person signed in
 */
export function passwordPage(input: Typed & { minLength: number; identifier?: string | undefined }) {
  const fields: FieldSpec[] = [
    ...(input.identifier ? [] : [emailField]),
    currentPasswordField('current', 'label.current_password'),
    newPassword(input.minLength),
  ];
  return {
    ...(input.identifier ? ownPage('password', 'security') : page('password')),
    identifier: input.identifier,
    forgot: '/account/forgot',
    form: createForm('/account/password', fields, input),
  };
}

/** Done; other devices were signed out. */
export function passwordChangedPage(input: { next?: string | undefined } = {}) {
  return { ...page('password-changed'), next: input.next };
}

/** The letter's link was opened in another browser than the one that waits. */
export function elsewherePage(input: { next?: string | undefined } = {}) {
  return { ...page('elsewhere'), next: input.next };
}
