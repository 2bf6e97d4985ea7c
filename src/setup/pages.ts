import { emailField, newPasswordField } from '../platform/fields.ts';
import { createForm, type FieldSpec, type Typed } from '../platform/form.ts';
import type { Page } from '../platform/views.ts';
import { snippets } from './snippets.ts';

/** The wizard behind the one-time link: organisation → administrator → application → done. Forms post to `/setup/…`. */

const STEPS = ['organisation', 'administrator', 'application'] as const;
export type Step = (typeof STEPS)[number];

interface StepInput extends Typed {
  /** The secret of the one-time link, carried along as the hidden field `token`; empty when a cookie carries it. */
  token?: string;
}

function step(name: Step, input: StepInput, fields: FieldSpec[]) {
  return {
    page: `setup/${name}`,
    title: `setup.${name}.title`,
    step: STEPS.indexOf(name) + 1,
    steps: STEPS.map((key, at) => ({
      key,
      label: `setup.step.${key}`,
      done: at < STEPS.indexOf(name),
      current: key === name,
    })),
    token: input.token ?? '',
    languageUrl: `/setup${input.token ? `?token=${encodeURIComponent(input.token)}` : ''}`,
    form: createForm(`/setup/${name}`, fields, input),
  };
}

/** The link is spent or too old. @param input.administrators whether there is one already */
export function setupLinkPage(input: { state: 'used' | 'expired' }): Page & { state: string } {
  return { page: 'setup/link', title: `setup.link.${input.state}.title`, state: input.state };
}

/** POST /setup/organisation {token, name, colour, logo} */
export function organisationPage(input: StepInput) {
  return step('organisation', input, [
    {
      name: 'name',
      label: 'label.organisation',
      autocomplete: 'organization',
      required: true,
      autofocus: true,
      maxlength: 80,
    },
    {
      name: 'colour',
      type: 'color',
      label: 'label.colour',
      hint: 'hint.colour',
      value: '#2b62d0',
      ltr: true,
      maxlength: 40,
      required: true,
    },
    { name: 'logo', type: 'url', label: 'label.logo', hint: 'hint.logo', maxlength: 2000, ltr: true },
  ]);
}

/** POST /setup/administrator {token, name, email, password} */
export function administratorPage(input: StepInput & { minLength: number }) {
  return step('administrator', input, [
    { name: 'name', label: 'label.name', autocomplete: 'name', required: true, autofocus: true, maxlength: 200 },
    emailField,
    newPasswordField(input.minLength),
  ]);
}

/** POST /setup/application {token, name, redirect_uris (one a line), kind: web|spa|native|service, skip?} */
export function applicationPage(input: StepInput) {
  return step('application', input, [
    { name: 'name', label: 'label.application', required: true, autofocus: true, maxlength: 80 },
    {
      name: 'kind',
      type: 'select',
      label: 'label.kind',
      required: true,
      value: 'web',
      options: { web: 'kind.web', spa: 'kind.spa', native: 'kind.native', service: 'kind.service' },
    },
    {
      name: 'redirect_uris',
      type: 'textarea',
      hint: 'hint.redirect_uris',
      required: true,
      ltr: true,
      maxlength: 8000,
    },
  ]);
}

/** Shown once: the client's id and secret, and what to paste where. */
export function finishedPage(input: {
  issuer: string;
  organisation: string;
  administrator: string;
  client?: { id: string; secret?: string | undefined; name: string; kind: string; redirectUris: string[] } | undefined;
}) {
  const { client, issuer } = input;
  return {
    page: 'setup/finished',
    title: 'setup.finished.title',
    wide: true,
    // Loading it again would lose the secret.
    languageUrl: false as const,
    issuer,
    organisation: input.organisation,
    administrator: input.administrator,
    client,
    home: '/',
    discovery: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    snippets: client
      ? snippets({
          issuer,
          clientId: client.id,
          secret: client.secret,
          redirectUri: client.redirectUris[0],
          kind: client.kind,
        })
      : [],
  };
}
