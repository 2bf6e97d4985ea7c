import Router from '@koa/router';
import type { AppContext } from '../platform/http/index.ts';
import { createPasswordPages } from './password.ts';
import type { AccountPorts } from './ports.ts';
import { createResetPages } from './reset.ts';
import { createVerifyPages } from './verify.ts';

/** A page: GET shows, POST does. */
export type Handler = (ctx: AppContext) => Promise<void>;

/** Every URL of the account pages. */
export function createAccount(ports: AccountPorts) {
  const { csrf } = ports;
  const verify = createVerifyPages(ports);
  const reset = createResetPages(ports);
  const password = createPasswordPages(ports);

  const router = new Router();
  const get = (path: string, handler: Handler) => router.get(path, (ctx) => handler(ctx as unknown as AppContext));
  const post = (path: string, handler: Handler) =>
    router.post(path, csrf.guard, (ctx) => handler(ctx as unknown as AppContext));

  get('/account/verify', verify.show);
  post('/account/verify', verify.confirm);
  post('/account/verify/send', verify.send);
  get('/account/forgot', reset.showForgot);
  post('/account/forgot', reset.forgot);
  get('/account/reset', reset.show);
  post('/account/reset', reset.complete);
  get('/account/password', password.show);
  post('/account/password', password.change);
  // A Well-Known URL for Changing Passwords: where password managers send people.
  router.get('/.well-known/change-password', (ctx) => ctx.redirect('/account/password'));
  return { router };
}
