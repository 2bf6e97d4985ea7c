import { createForm, type Typed } from '../platform/form.ts';
import type { Page } from '../platform/views.ts';

/** What the protocol itself shows: sign-out, devices, errors, the automatic form, the front page. */

export interface ClientShown {
  name: string;
  logo?: string | undefined;
}

export interface EngineForm {
  action: string;
  fields: Record<string, string>;
}

const page = (name: string): Page => ({ page: `oidc/${name}`, title: `oidc.${name}.title` });

/**
 * Reads the action and the hidden fields of the form that the engine hands to its `…Source` functions. We show a form of
 * our own with them: the engine's carries an inline handler, which our Content-Security-Policy refuses.
 */
export function readEngineForm(html: string): EngineForm {
  const fields: Record<string, string> = {};
  for (const [input] of html.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(input, 'name');
    if (name && attribute(input, 'type') === 'hidden') fields[name] = attribute(input, 'value') ?? '';
  }
  return { action: attribute(/<form\b[^>]*>/.exec(html)?.[0] ?? '', 'action') ?? '', fields };
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value
    ?.replace(/&quot;/g, '"')
    .replace(/&#(?:39|x27);/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
}

/** Shall we? Posts the engine's form with {logout: 'yes'}, or without it to stay signed in. @param input.form the engine's markup */
export function signOutPage(input: { form: string; client?: ClientShown | undefined; account?: string | undefined }) {
  return { ...page('sign-out'), engine: readEngineForm(input.form), client: input.client, account: input.account };
}

/** @param input.back where the application can be opened again */
export function signedOutPage(
  input: { client?: ClientShown | undefined; back?: string | undefined; stayed?: boolean } = {},
) {
  return { ...page(input.stayed ? 'still-signed-in' : 'signed-out'), client: input.client, back: input.back };
}

/** Posts the engine's form with {user_code}. Refused: problems of the field `user_code`. */
export function deviceCodePage(input: Typed & { form: string; charset?: 'base-20' | 'digits' }) {
  const engine = readEngineForm(input.form);
  return {
    ...page('device-code'),
    engine,
    form: createForm(
      engine.action,
      [
        {
          name: 'user_code',
          hint: 'hint.user_code',
          autocomplete: 'off',
          required: true,
          autofocus: true,
          maxlength: 20,
          ltr: true,
        },
      ],
      input,
    ),
    digits: input.charset === 'digits',
  };
}

/** Posts the engine's form ({confirm: 'yes'} is in it), with {abort: 'yes'} to refuse. */
export function deviceConfirmPage(input: {
  form: string;
  client: ClientShown;
  userCode: string;
  scopes?: string[];
  /** Where the request came from, as far as known. */
  device?: { ip?: string | undefined; userAgent?: string | undefined };
}) {
  const known = new Set(
    'openid profile email phone address offline_access groups roles permissions organization'.split(' '),
  );
  return {
    ...page('device-confirm'),
    engine: readEngineForm(input.form),
    client: input.client,
    userCode: input.userCode,
    device: input.device,
    items: (input.scopes ?? []).map((scope) => (known.has(scope) ? { code: `scope.${scope}` } : { text: scope })),
  };
}

export function deviceDonePage(input: { client?: ClientShown | undefined; refused?: boolean } = {}) {
  return { ...page(input.refused ? 'device-refused' : 'device-done'), client: input.client };
}

/**
 * What went wrong and what to do next. The words are those of `error.<code>.text` where there are any, else of the status.
 * @param input.code a refusal's code, or the `error` of the protocol
 * @param input.detail for those who build an application: `error_description`. Shown small, in English.
 */
export function errorPage(input: {
  status: number;
  code: string;
  traceId: string;
  detail?: string | undefined;
  retryAfter?: number | undefined;
  client?: ClientShown | undefined;
  back?: string | undefined;
}) {
  const { status } = input;
  const family = [404, 403, 429, 503].includes(status) ? status : status >= 500 ? 500 : 400;
  return {
    ...page('error'),
    words: [`error.${input.code}`, `error.status_${family}`],
    code: input.code,
    traceId: input.traceId,
    detail: input.detail,
    minutes: input.retryAfter ? Math.max(1, Math.ceil(input.retryAfter / 60)) : undefined,
    client: input.client,
    back: input.back,
  };
}

/** OAuth 2.0 Form Post Response Mode: the answer goes to the application by itself, or by a button without JavaScript. */
export function formPostPage(input: {
  action: string;
  fields: Record<string, string>;
  client?: ClientShown | undefined;
}) {
  return { ...page('form-post'), engine: { action: input.action, fields: input.fields }, client: input.client };
}

/** `/`: nothing to do here, said kindly. @param input.account the address of who is signed in */
export function homePage(input: { account?: string | undefined; signOut?: string | undefined } = {}) {
  return {
    ...page('home'),
    account: input.account,
    manage: '/account',
    password: '/account/password',
    signOut: input.signOut,
  };
}
