import type { FieldSpec } from './form.ts';

/** The fields that several doors ask for: password managers and phones know them by their name and `autocomplete`. */

const longestPassword = 1024;

/** A code that was sent, or that an app shows. */
export const codeField: FieldSpec = {
  name: 'code',
  type: 'code',
  autocomplete: 'one-time-code',
  required: true,
  maxlength: 12,
};

/** The address of an account, as its name. */
export const emailField: FieldSpec = {
  name: 'email',
  type: 'email',
  autocomplete: 'username',
  required: true,
  maxlength: 254,
};

/** A password that is to be: its rule stands above it. @param minLength least length, said in the hint */
export const newPasswordField = (minLength: number, label = 'label.password'): FieldSpec => ({
  name: 'password',
  type: 'password',
  label,
  hint: 'hint.password',
  hintParams: { min: minLength },
  autocomplete: 'new-password',
  required: true,
  maxlength: longestPassword,
});

/** The password one has. */
export const currentPasswordField = (name: string, label = 'label.password'): FieldSpec => ({
  name,
  type: 'password',
  label,
  autocomplete: 'current-password',
  required: true,
  maxlength: longestPassword,
});

/** The field takes the focus on arrival. */
export const focused = (field: FieldSpec): FieldSpec => ({ ...field, autofocus: true });
