import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { AppContext } from './state.ts';

/**
 * The policy of every page. There is no `form-action`: Chromium applies it to the redirects that follow a submitted
 * form as well, and would block the way back to the application after a sign-in.
 */
export function contentSecurityPolicy(nonce: string, options: { https: boolean; widgets?: readonly string[] }): string {
  const widgets = (options.widgets ?? []).map((host) => ` ${host}`).join('');
  return [
    `default-src 'none'`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
    `connect-src 'self'${widgets}`,
    `font-src 'self'`,
    // An application's logo may live anywhere.
    `img-src 'self' data: https:`,
    `script-src 'self' 'nonce-${nonce}'${widgets}`,
    `style-src 'self' 'nonce-${nonce}'`,
    `worker-src 'self'`,
    `frame-src 'self'${widgets}`,
    `manifest-src 'self'`,
    ...(options.https ? ['upgrade-insecure-requests'] : []),
  ].join('; ');
}

/**
 * Headers that protect the pages; a door may tighten or replace its own.
 * @param options.widgets hosts of a captcha that somebody else serves
 */
export function securityHeaders(options: { https: boolean; widgets?: readonly string[] }): Middleware {
  const policy = contentSecurityPolicy('\0', options).split('\0');
  const fixed = Object.entries({
    ...everywhere(options),
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self)',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
  });
  return async (ctx, next) => {
    const nonce = randomUUID();
    (ctx as AppContext).state.nonce = nonce;
    ctx.res.setHeader('content-security-policy', policy.join(nonce));
    for (const [name, value] of fixed) ctx.res.setHeader(name, value);
    await next();
  };
}

/** For answers that are no pages: nothing in them may run or be framed, whoever takes them for one. */
export function serviceHeaders(options: { https: boolean }): Middleware {
  const fixed = Object.entries({
    ...everywhere(options),
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  });
  return async (ctx, next) => {
    for (const [name, value] of fixed) ctx.res.setHeader(name, value);
    await next();
  };
}

const everywhere = ({ https }: { https: boolean }) => ({
  'x-content-type-options': 'nosniff',
  ...(https && { 'strict-transport-security': 'max-age=63072000; includeSubDomains' }),
});
