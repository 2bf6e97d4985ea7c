import type { SecondFactorKind } from '../../credentials/index.ts';
import { codeField, focused } from '../../platform/fields.ts';
import type { FieldSpec } from '../../platform/form.ts';
import { inGroups, qrCode } from '../../platform/qr.ts';
import { at, type Common, shown } from './frame.ts';
import { maskAddress, maskNumber } from './mask.ts';

/** What the second factor shows on its way; the account pages have their own around the same partials. */

/** Whose sign-in it is, and what would do instead. */
interface Ways {
  identifier: string;
  recovery: boolean;
  others: readonly SecondFactorKind[];
  /** For which a device can be remembered; without it the box is not there. */
  days?: number | undefined;
}

const waysOut = ({ uid, identifier, recovery, others }: Common & Ways) => ({
  identifier,
  change: at(uid, '/identifier'),
  ways: [
    ...others.map((kind) => ({ href: at(uid, `/${kind}`), label: `signin.others.${kind}` })),
    ...(recovery ? [{ href: at(uid, '/recovery'), label: 'signin.others.recovery' }] : []),
  ],
});

const rememberFields = (days: number | undefined): FieldSpec[] =>
  days
    ? [
        {
          name: 'remember_device',
          type: 'checkbox',
          required: true,
          label: 'label.remember_device',
          labelParams: { days },
        },
      ]
    : [];

/** A code that was sent. POST /signin/:uid/sms|email-code {code, remember_device?}; again: POST …/send {} */
export function sentCodePage(
  input: Common & Ways & { kind: 'email' | 'sms'; destination: string; minutes: number; sent?: boolean },
) {
  const path = input.kind === 'sms' ? '/sms' : '/email-code';
  const page = shown('sent-code', input, [focused(codeField), ...rememberFields(input.days)], path);
  return {
    ...page,
    title: `signin.${input.kind}.title`,
    languageUrl: at(input.uid, path),
    kind: input.kind,
    destination: input.kind === 'sms' ? maskNumber(input.destination) : maskAddress(input.destination),
    minutes: input.minutes,
    sent: Boolean(input.sent),
    again: at(input.uid, `${path}/send`),
    ...waysOut(input),
  };
}

/** A code from the app. POST /signin/:uid/totp {code, remember_device?} */
export function totpPage(input: Common & Ways) {
  return { ...shown('totp', input, [focused(codeField), ...rememberFields(input.days)]), ...waysOut(input) };
}

/** One of the ten on paper. POST /signin/:uid/recovery {code} */
export function recoveryPage(input: Common & { identifier: string }) {
  const code = {
    name: 'code',
    label: 'label.recovery_code',
    autocomplete: 'off',
    required: true,
    autofocus: true,
    maxlength: 30,
    ltr: true,
  };
  return {
    ...shown('recovery', input, [code]),
    identifier: input.identifier,
    change: at(input.uid, '/identifier'),
    back: at(input.uid, ''),
  };
}

/** An app is enrolled before the sign-in goes on. POST /signin/:uid/totp-setup {setup, code} */
export function totpSetupPage(input: Common & { setup: { token: string; secret: string; uri: string } }) {
  return {
    ...shown('totp-setup', input, [codeField]),
    setup: { ...input.setup, groups: inGroups(input.setup.secret), qr: qrCode(input.setup.uri) },
  };
}

/** The recovery codes, this once. POST /signin/:uid/recovery-codes {} goes on. */
export function recoveryCodesPage(input: Common & { codes: string[] }) {
  return { ...shown('recovery-codes', input, []), codes: input.codes };
}
