import type { CodeKind } from '../credentials/index.ts';
import { codeField, focused } from '../platform/fields.ts';
import { createForm, type FieldSpec, type Problem, type Typed } from '../platform/form.ts';
import { ownPage } from './own-pages.ts';

const at = (kind: CodeKind) => `/account/security/${kind}`;

const number: FieldSpec = {
  name: 'phone_number',
  type: 'tel',
  autocomplete: 'tel',
  hint: 'hint.phone_number',
  required: true,
  autofocus: true,
  maxlength: 40,
};

/** Where codes shall come. POST /account/security/email {} or /account/security/sms {phone_number} */
export function codesSetupPage(input: Typed & { kind: CodeKind; email: string }) {
  const { kind, email } = input;
  return {
    ...ownPage('codes-setup', 'security'),
    title: `account.codes-setup.${kind}.title`,
    languageUrl: at(kind),
    kind,
    email,
    form: createForm(at(kind), kind === 'sms' ? [number] : [], input),
  };
}

/** The code that has just been sent. POST /account/security/email/confirm {code} */
export function codesConfirmPage(input: { kind: CodeKind; destination: string; minutes: number; problem?: Problem }) {
  const { kind, destination, minutes, problem } = input;
  return {
    ...ownPage('codes-confirm', 'security'),
    title: `account.codes-setup.${kind}.title`,
    languageUrl: false as const,
    kind,
    destination,
    minutes,
    back: at(kind),
    form: createForm(`${at(kind)}/confirm`, [focused(codeField)], problem ? { problems: [problem] } : {}),
  };
}

/** An administrator's link. `ask` changes nothing: POST /account/recovery {token}; `waiting`: not yet. */
export function recoveryLinkPage(input: {
  state: 'ask' | 'waiting' | 'done' | 'expired';
  token?: string;
  worksFrom?: Date;
}) {
  const { state, token = '' } = input;
  const again = state === 'ask' || state === 'waiting';
  return {
    page: 'account/recovery-link',
    title: `account.recovery-link.${state}.title`,
    ...input,
    languageUrl: again ? `/account/recovery?token=${encodeURIComponent(token)}` : (false as const),
  };
}
