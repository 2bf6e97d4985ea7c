import { codeField, emailField, focused, newPasswordField } from '../../platform/fields.ts';
import { at, type Common, shown } from './frame.ts';

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

/**
 * A new password, before the sign-in goes on: after a reset was proved, POST /signin/:uid/reset {password}, or because the
 * old one must be replaced, POST /signin/:uid/new-password {password}. `identifier` helps password managers.
 */
export function choosePasswordPage(
  name: 'reset' | 'new-password',
  input: Common & { identifier: string; minLength: number },
) {
  const fields = [focused(newPasswordField(input.minLength, 'label.new_password'))];
  return { ...shown(name, input, fields), identifier: input.identifier };
}
