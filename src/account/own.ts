import type { AppContext } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import type { SignedIn, SignedInGuard } from './signed-in.ts';

/** What the sections share: who is here, where from, and the way back to the page after a change. */
export const whenceOf = (ctx: AppContext, locale: string) => ({ ip: ctx.ip, userAgent: ctx.get('user-agent'), locale });

/** The person does it themselves, from here. */
export const byPerson = (ctx: AppContext, { user }: Pick<SignedIn, 'user'>) => ({
  actor: { kind: 'user' as const, id: user.id },
  ip: ctx.ip,
  userAgent: ctx.get('user-agent'),
});

/** Codes of what a page says was done, as they may come back in its query. */
const said = new Set([
  'profile_saved',
  'settings_saved',
  'email_changed',
  'picture_saved',
  'picture_removed',
  'totp_added',
  'totp_removed',
  'codes_added',
  'codes_removed',
  'session_ended',
  'others_ended',
  'device_forgotten',
  'withdrawn',
  'organisation_joined',
  'organisation_left',
  'linked',
  'unlinked',
]);

export const doneOf = (ctx: AppContext): string | undefined => {
  const done = [ctx.query.done].flat()[0];
  return done && said.has(done) ? done : undefined;
};

/** What a section does for whoever is signed in. */
export type OwnWork = (ctx: AppContext, self: SignedIn) => Promise<void>;

/**
 * Does it, or says on the page why not.
 * @param room whose refusals these are, as their codes begin; any other error is thrown on
 * @param say shows the page with the refusal
 */
export const orSay =
  (room: string, say: (ctx: AppContext, self: SignedIn, refusal: Refusal) => Promise<void>, work: OwnWork): OwnWork =>
  async (ctx, self) => {
    try {
      await work(ctx, self);
    } catch (error) {
      if (!(error instanceof Refusal) || !error.code.startsWith(`${room}.`)) throw error;
      await say(ctx, self, error);
    }
  };

/** A page or change for whoever is signed in. */
export const asSelf =
  (guard: SignedInGuard, work: OwnWork, options?: { fresh?: boolean; back?: string }) =>
  async (ctx: AppContext): Promise<void> => {
    const self = await guard.demand(ctx, options);
    if (self) await work(ctx, self);
  };
