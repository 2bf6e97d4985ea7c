import { codeField, focused } from '../platform/fields.ts';
import { createForm, type FieldSpec, type Typed } from '../platform/form.ts';
import { ownPage } from './own-pages.ts';

const home = '/account/email';
const confirm = '/account/email/confirm';

const address: FieldSpec = {
  name: 'email',
  type: 'email',
  label: 'label.new_email',
  autocomplete: 'email',
  required: true,
  autofocus: true,
  maxlength: 254,
};

/** Another address. POST /account/email {email} */
export function emailPage(input: Typed & { email: string }) {
  return {
    ...ownPage('email', 'profile'),
    languageUrl: home,
    email: input.email,
    form: createForm(home, [address], input),
  };
}

/** The same whether or not the address has an account. POST /account/email/confirm {code, email} */
export function emailCodePage(input: Typed & { address: string; minutes: number }) {
  return {
    ...ownPage('email-code', 'profile'),
    title: 'account.email.code.heading',
    languageUrl: false as const,
    address: input.address,
    minutes: input.minutes,
    other: home,
    form: createForm(confirm, [focused(codeField)], input),
  };
}

/**
 * The link of the letter. `ask` changes nothing: POST /account/email/link {token}; `elsewhere`: good, but not in this browser;
 * `expired`: used, too old, or in place of it there is a newer one.
 */
export function emailLinkPage(input: { state: 'ask' | 'elsewhere' | 'expired'; token?: string; address?: string }) {
  const { state, token = '' } = input;
  return {
    page: 'account/email-link',
    title: `account.email-link.${state}.title`,
    ...input,
    action: '/account/email/link',
    again: home,
    languageUrl: `${confirm}?token=${encodeURIComponent(token)}`,
  };
}

/** The way back, out of the letter to the old address. `ask` changes nothing: POST /account/email/undo {token}. */
export function emailUndoPage(input: {
  state: 'ask' | 'done' | 'expired';
  token?: string;
  address?: string;
  when?: Date;
}) {
  const { state, token = '' } = input;
  return {
    page: 'account/email-undo',
    title: `account.email-undo.${state}.title`,
    ...input,
    languageUrl: state === 'ask' ? `/account/email/undo?token=${encodeURIComponent(token)}` : (false as const),
  };
}
