import type { CaptchaChallenge } from '../../credentials/index.ts';
import { createForm, type FieldSpec, type Form, type Typed } from '../../platform/form.ts';
import type { Page } from '../../platform/views.ts';

/**
 * What the pages between /authorize and the code show. Pure functions: what the flow knows goes in, what a template
 * of `views/signin` needs comes out. Every form posts to a path below `/signin/:uid`.
 */

/** The application one signs in to, as far as a page shows it. */
export interface ClientShown {
  name: string;
  logo?: string | undefined;
  /** Its privacy policy and terms. */
  policy?: string | undefined;
  terms?: string | undefined;
}

export interface Common extends Typed {
  /** Of the interaction. */
  uid: string;
  client?: ClientShown | undefined;
  captcha?: CaptchaChallenge | undefined;
}

export interface Shown extends Page {
  client?: ClientShown | undefined;
  scripts?: string[];
  /** Path of the form that gives up and returns to the application (POST, no fields). */
  cancel?: string;
}

export interface FormShown extends Shown {
  form: Form;
  captcha?: CaptchaChallenge | undefined;
}

export const at = (uid: string, path: string) => `/signin/${encodeURIComponent(uid)}${path}`;

export function shown(name: string, input: Common, fields: FieldSpec[], path = `/${name}`): FormShown {
  return {
    page: `signin/${name}`,
    title: `signin.${name}.title`,
    client: input.client,
    captcha: input.captcha,
    form: createForm(at(input.uid, path), fields, input),
    scripts: input.captcha?.provider === 'altcha' ? ['pow.js'] : [],
    ...(input.client ? { cancel: at(input.uid, '/cancel') } : {}),
  };
}
