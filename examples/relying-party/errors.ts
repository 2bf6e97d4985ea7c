import * as oidc from 'openid-client';
import type { Message } from './pages.ts';

/** What went wrong on the way back from the provider, in words for the person, with a way on. */
export function explain(error: unknown): Message & { status: number; expected?: boolean } {
  if (error instanceof oidc.AuthorizationResponseError) {
    const known = ANSWERS[error.error] ?? {
      title: 'You could not be signed in',
      text: 'The provider refused our request.',
    };
    return {
      ...known,
      detail: `${error.error}${error.error_description ? `: ${error.error_description}` : ''}`,
      again: true,
      status: 400,
      expected: true,
    };
  }
  if (error instanceof oidc.ResponseBodyError) {
    return {
      title: 'The sign-in could not be completed',
      text: 'It may have taken too long, or it was completed before. Signing in again helps.',
      detail: error.error,
      again: true,
      status: 400,
    };
  }
  if (error instanceof TypeError) {
    return {
      title: 'We cannot reach the provider',
      text: 'It does not answer at the moment. Please try again in a little while.',
      again: true,
      status: 502,
    };
  }
  return {
    title: 'The answer did not match our question',
    text: 'For your safety we did not use it. Please sign in again.',
    again: true,
    status: 400,
  };
}

/** Errors of OAuth 2.0 §4.1.2.1, OpenID Connect Core §3.1.2.6 and RFC 9470, as a person would say them. */
const ANSWERS: Record<string, { title: string; text: string }> = {
  access_denied: {
    title: 'You did not continue',
    text: 'Nothing was shared with us. You can sign in whenever you like.',
  },
  login_required: {
    title: 'You are not signed in',
    text: 'The provider has no session of yours that we could join quietly.',
  },
  consent_required: {
    title: 'Your agreement is needed',
    text: 'The provider has to ask you before it shares anything with us.',
  },
  interaction_required: {
    title: 'You are needed',
    text: 'The provider has a question for you, so this cannot happen quietly.',
  },
  account_selection_required: { title: 'Which account?', text: 'The provider has to ask you which account you mean.' },
  unmet_authentication_requirements: {
    title: 'A stronger sign-in is not possible yet',
    text: 'Your account has no means to prove more than it did. The provider is where you can add one.',
  },
  temporarily_unavailable: { title: 'The provider is busy', text: 'Please try again in a little while.' },
  server_error: { title: 'The provider had a fault', text: 'It is not yours. Please try again in a little while.' },
};
