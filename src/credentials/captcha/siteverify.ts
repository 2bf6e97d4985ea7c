import { Refusal } from '../../platform/index.ts';
import type { CaptchaProvider } from './provider.ts';

export interface SiteverifySettings {
  provider: 'turnstile' | 'hcaptcha';
  siteKey: string;
  secret: string;
  verifyUrl?: string;
  timeout?: number;
}

const providers = {
  turnstile: {
    field: 'cf-turnstile-response',
    className: 'cf-turnstile',
    script: 'https://challenges.cloudflare.com/turnstile/v0/api.js',
    verifyUrl: 'https://challenges.cloudflare.com/turnstile/v0/siteverify',
    hosts: ['https://challenges.cloudflare.com'],
  },
  hcaptcha: {
    field: 'h-captcha-response',
    className: 'h-captcha',
    script: 'https://js.hcaptcha.com/1/api.js',
    verifyUrl: 'https://api.hcaptcha.com/siteverify',
    hosts: ['https://hcaptcha.com', 'https://*.hcaptcha.com'],
  },
} as const;

/** Where the widget's script, frames and calls live, for the Content-Security-Policy. */
export const widgetHosts = (provider: string): readonly string[] =>
  provider === 'turnstile' || provider === 'hcaptcha' ? providers[provider].hosts : [];

/**
 * Cloudflare Turnstile and hCaptcha: their script in the page gives an answer, their server says whether it is good, once.
 * While that server does not answer, what asks for a captcha is refused: it is asked for when something looks wrong.
 */
export function createSiteverify(options: {
  settings: SiteverifySettings;
  fetch: typeof globalThis.fetch;
}): CaptchaProvider {
  const { settings, fetch } = options;
  const { provider, siteKey, secret, timeout = 3_000 } = settings;
  const { field, className, script, verifyUrl } = providers[provider];

  return {
    challenge: async () => ({ provider, field, siteKey, script, className }),

    async verify(fields, ip) {
      const answer = fields[field];
      if (!answer) throw new Refusal('captcha.missing', { kind: 'invalid' });
      if (typeof answer !== 'string' || answer.length > 10_000) throw refused();
      const body = new URLSearchParams({ secret, response: answer, sitekey: siteKey, ...(ip ? { remoteip: ip } : {}) });
      const { success } = await fetch(settings.verifyUrl ?? verifyUrl, {
        method: 'POST',
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(timeout),
      })
        .then(async (response) => {
          if (!response.ok) throw new Error(`${provider} answered ${response.status}`);
          return (await response.json()) as { success?: boolean };
        })
        .catch((cause: unknown) => {
          throw new Refusal('captcha.unavailable', { kind: 'unavailable', retryAfter: 10, cause });
        });
      if (success !== true) throw refused();
    },
  };
}

const refused = () => new Refusal('captcha.refused', { kind: 'invalid' });
