import { inGroups, qrCode } from '../platform/qr.ts';
import { at, type Common, codeField, shown } from './pages.ts';

/** What the second factor shows on its way; the account pages have their own around the same partials. */

/**
 * A code from the app. POST /signin/:uid/totp {code, remember_device?}
 * @param input.days for which a device can be remembered; without it the box is not there
 */
export function totpPage(
  input: Common & { identifier: string; recovery: boolean; passkey: boolean; days?: number | undefined },
) {
  const remember = {
    name: 'remember_device',
    type: 'checkbox' as const,
    required: true,
    label: 'label.remember_device',
  };
  const fields = [codeField, ...(input.days ? [{ ...remember, labelParams: { days: input.days } }] : [])];
  return {
    ...shown('totp', input, fields),
    identifier: input.identifier,
    change: at(input.uid, '/identifier'),
    ...(input.recovery ? { recovery: at(input.uid, '/recovery') } : {}),
    ...(input.passkey ? { passkey: at(input.uid, '/passkey') } : {}),
  };
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
    totp: at(input.uid, '/totp'),
  };
}

/** An app is enrolled before the sign-in goes on. POST /signin/:uid/totp-setup {setup, code} */
export function totpSetupPage(input: Common & { setup: { token: string; secret: string; uri: string } }) {
  return {
    ...shown('totp-setup', input, [{ ...codeField, autofocus: false }]),
    setup: { ...input.setup, groups: inGroups(input.setup.secret), qr: qrCode(input.setup.uri) },
  };
}

/** The recovery codes, this once. POST /signin/:uid/recovery-codes {} goes on. */
export function recoveryCodesPage(input: Common & { codes: string[] }) {
  return { ...shown('recovery-codes', input, []), codes: input.codes };
}
