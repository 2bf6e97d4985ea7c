import Router from '@koa/router';
import { type AppContext, multipartBody } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { createCodesPages } from './codes.ts';
import { createEmailPages } from './email.ts';
import { createLinkedPages } from './linked.ts';
import { createNotMePages } from './not-me.ts';
import { createOrganisationPages } from './organisations.ts';
import { createPasskeyPages } from './passkeys.ts';
import { createPasswordPages } from './password.ts';
import type { AccountPorts } from './ports.ts';
import { createProfilePages } from './profile.ts';
import { createRecoveryLinkPages } from './recovery-link.ts';
import { createResetPages } from './reset.ts';
import { createSecurityPages } from './security.ts';
import { createSelfPages } from './self.ts';
import { createSessionsPages } from './sessions.ts';
import { createSettingsPages } from './settings.ts';
import { callback, createSignedInGuard } from './signed-in.ts';
import { createVerifyPages } from './verify.ts';
import { passkeyEndpoints, relatedOrigins } from './well-known.ts';

/** A page: GET shows, POST does. */
export type Handler = (ctx: AppContext) => Promise<void>;

/** Every URL of the account pages. */
export function createAccount(ports: AccountPorts) {
  const { csrf } = ports;
  const verify = createVerifyPages(ports);
  const reset = createResetPages(ports);
  const guard = createSignedInGuard({ ...ports, issuer: ports.settings.issuer });
  const password = createPasswordPages(ports, guard);
  const self = createSelfPages(ports, guard);
  const profile = createProfilePages(ports, guard);
  const email = createEmailPages(ports, guard);
  const uploads = multipartBody({ limit: ports.settings.pictures.maxBytes + 10_000 });
  const security = createSecurityPages(ports, guard);
  const codes = { email: createCodesPages(ports, guard, 'email'), sms: createCodesPages(ports, guard, 'sms') };
  const recoveryLink = createRecoveryLinkPages(ports);
  const passkeys = createPasskeyPages(ports, guard);
  const sessions = createSessionsPages(ports, guard);
  const linked = createLinkedPages(ports, guard);
  const settings = createSettingsPages(ports, guard);
  const organisations = createOrganisationPages(ports, guard);
  const notMe = createNotMePages(ports);

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

  // One's own account, signed in.
  get(callback, guard.back);
  get('/account', self.overview);
  get('/account/profile', profile.show);
  post('/account/profile', profile.save);
  router.post('/account/picture', async (koa) => {
    const ctx = koa as unknown as AppContext;
    // Nobody's upload is read before somebody is signed in.
    if (!(await guard.look(ctx))) return profile.setPicture(ctx);
    try {
      await uploads(ctx, () => csrf.guard(ctx, async () => profile.setPicture(ctx)) as Promise<void>);
    } catch (error) {
      if (error instanceof Refusal && error.code === 'upload.too_large') return profile.tooLarge(ctx);
      throw error;
    }
  });
  post('/account/picture/remove', profile.removePicture);
  get('/pictures/:name', profile.picture);
  get('/account/email', email.show);
  post('/account/email', email.request);
  get('/account/email/confirm', email.showLink);
  post('/account/email/confirm', email.confirm);
  post('/account/email/link', email.confirmLink);
  get('/account/email/undo', email.showUndo);
  post('/account/email/undo', email.undo);
  get('/account/security', security.show);
  get('/account/security/totp', security.showSetup);
  post('/account/security/totp', security.enrol);
  post('/account/security/totp/remove', security.remove);
  for (const kind of ['email', 'sms'] as const) {
    get(`/account/security/${kind}`, codes[kind].show);
    post(`/account/security/${kind}`, codes[kind].send);
    post(`/account/security/${kind}/confirm`, codes[kind].confirm);
    post(`/account/security/${kind}/remove`, codes[kind].remove);
  }
  post('/account/security/recovery-codes', security.reissue);
  get('/account/passkeys', passkeys.show);
  post('/account/passkeys', passkeys.add);
  post('/account/passkeys/options', passkeys.options);
  post('/account/passkeys/:id/rename', passkeys.rename);
  post('/account/passkeys/:id/remove', passkeys.remove);
  get('/account/linked', linked.show);
  post('/account/linked', linked.connect);
  get('/account/linked/return', linked.back);
  post('/account/linked/:id/remove', linked.remove);
  get('/account/sessions', sessions.show);
  post('/account/sessions/end', sessions.end);
  post('/account/sessions/end-others', sessions.endOthers);
  post('/account/sessions/end-all', sessions.endAll);
  post('/account/devices/forget', sessions.forget);
  get('/account/applications', self.applications);
  post('/account/applications/withdraw', self.withdraw);
  get('/account/organisations', organisations.show);
  post('/account/organisations/accept', organisations.accept);
  post('/account/organisations/decline', organisations.decline);
  post('/account/organisations/leave', organisations.leave);
  get('/account/invitation', organisations.showInvitation);
  post('/account/invitation/sign-in', organisations.signIn);
  post('/account/invitation/join', organisations.join);
  get('/account/activity', self.activity);
  get('/account/settings', settings.show);
  post('/account/settings', settings.save);

  get('/account/recovery', recoveryLink.show);
  post('/account/recovery', recoveryLink.use);
  get('/account/not-me', notMe.show);
  post('/account/not-me', notMe.lock);
  // A Well-Known URL for Changing Passwords: where password managers send people.
  router.get('/.well-known/change-password', (ctx) => ctx.redirect('/account/password'));
  get('/.well-known/passkey-endpoints', passkeyEndpoints(ports));
  get('/.well-known/webauthn', relatedOrigins(ports));
  return { router };
}
