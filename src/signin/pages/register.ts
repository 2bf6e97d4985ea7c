import { codeField, emailField, focused, newPasswordField } from '../../platform/fields.ts';
import type { FieldSpec } from '../../platform/form.ts';
import { type ProfileField, profileSpec } from '../../users/index.ts';
import { at, type Common, shown } from './frame.ts';
import { maskAddress } from './mask.ts';

/**
 * Make an account. POST /signin/:uid/register {email, password, terms?, altcha?, …profile fields}, or with
 * {with: 'passkey'} instead of the password
 * @param input.fields profile fields asked for, in order, each required or not
 */
export function registerPage(
  input: Common & {
    minLength: number;
    fields?: { name: ProfileField; required: boolean }[];
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
  const profile = (input.fields ?? []).map(({ name, required }) => ({ ...profileSpec(name), required }));
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
