import { currentPasswordField, focused } from '../../platform/fields.ts';
import type { FieldSpec } from '../../platform/form.ts';
import { at, type Common, type FormShown, shown } from './frame.ts';

/** Who are you, and the ways to prove it that need no second one. */

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
