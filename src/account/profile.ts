import type { Problem } from '../platform/form.ts';
import { type AppContext, type Form, goTo, readForm, uploadOf } from '../platform/http/index.ts';
import { type Budget, Refusal } from '../platform/index.ts';
import {
  fieldProblems,
  fieldSpecs,
  fieldsAsked,
  formValues,
  mergeValues,
  profileProblems,
  readProfile,
  typedValues,
  type User,
} from '../users/index.ts';
import { asSelf, byPerson, doneOf, orSay } from './own.ts';
import type { AccountPorts } from './ports.ts';
import { profileFields, profilePage, profileValues } from './profile-page.ts';
import type { SignedInGuard } from './signed-in.ts';

const home = '/account/profile';

/** Drawing a picture anew is the most work a signed-in person can ask of us. */
const uploads: Budget = { name: 'account.pictures', points: 30, seconds: 60 * 60, onFault: 'open' };

/** Who the person is, as they say it themselves; and their picture. */
export function createProfilePages(ports: AccountPorts, guard: SignedInGuard) {
  const { users, fields, pictures, limits, clock, present, settings } = ports;

  const page = async (ctx: AppContext, user: User, more: object = {}, status = 200) => {
    const custom = fieldsAsked(await fields.list(), 'profile');
    const model = profilePage({
      email: user.email ?? '',
      name: user.displayName(),
      custom: fieldSpecs(custom),
      picture: user.profile.picture,
      maxBytes: settings.pictures.maxBytes,
      values: { ...formValues(custom, user.attributes), ...profileValues(user) },
      ...more,
    });
    present.page(ctx, model, { status });
  };

  /** What a check found wrong, or what it made; anything else that is thrown stays thrown. */
  const checked = async <T>(check: Promise<T>, problemsIn: (error: unknown) => Problem[] | undefined) => {
    try {
      return { result: await check, problems: [] };
    } catch (error) {
      const problems = problemsIn(error);
      if (!problems) throw error;
      return { problems };
    }
  };

  return {
    show: asSelf(guard, async (ctx, { user }) => page(ctx, user, { done: doneOf(ctx) })),

    save: asSelf(
      guard,
      async (ctx, self) => {
        const form = readForm(ctx);
        const asked = fieldsAsked(await fields.list(), 'profile');
        const typed = typedIn(form);
        const custom = typedValues(asked, form);
        // All that is wrong is said at once.
        const standard = await checked(readProfile(typed, clock.now()), profileProblems);
        const own = await checked(fields.check(custom, { as: 'user', at: 'profile' }), fieldProblems);
        const problems = [...standard.problems, ...own.problems];
        if (problems.length > 0) {
          return page(ctx, self.user, { values: { ...formValues(asked, custom), ...typed }, problems }, 422);
        }
        await users.update(self.user.id, byPerson(ctx, self), (user) => {
          standard.result?.(user);
          user.attributes = mergeValues(user.attributes, own.result ?? {});
        });
        goTo(ctx, `${home}?done=profile_saved`);
      },
      { back: home },
    ),

    setPicture: asSelf(
      guard,
      orSay(
        'picture',
        (ctx, { user }, { code }) => page(ctx, user, { pictureProblem: { code } }, 422),
        async (ctx, self) => {
          const upload = uploadOf(ctx, 'picture');
          if (!upload) throw new Refusal('picture.missing', { kind: 'invalid' });
          await limits.demand(uploads, self.user.id);
          await pictures.set(self.user.id, upload, byPerson(ctx, self));
          goTo(ctx, `${home}?done=picture_saved`);
        },
      ),
      { back: home },
    ),

    /** The file was too large to be looked at, the guard's field with it: nothing is done, so nothing has to be guarded. */
    tooLarge: asSelf(
      guard,
      async (ctx, { user }) => {
        const params = { megabytes: Math.floor(settings.pictures.maxBytes / 1_000_000) };
        await page(ctx, user, { pictureProblem: { code: 'picture.too_large', params } }, 413);
      },
      { back: home },
    ),

    removePicture: asSelf(
      guard,
      async (ctx, self) => {
        await pictures.remove(self.user.id, byPerson(ctx, self));
        goTo(ctx, `${home}?done=picture_removed`);
      },
      { back: home },
    ),

    /** Anybody who knows the address. It changes with the picture, so what is cached is never another one. */
    async picture(ctx: AppContext) {
      const { name = '' } = (ctx as unknown as { params: { name?: string } }).params;
      const bytes = await pictures.find(name);
      if (!bytes) throw new Refusal('page.missing', { kind: 'missing' });
      ctx.set({
        'cache-control': 'public, max-age=86400, immutable',
        // Other sites show it: that is what the claim is for. As a document of its own it may do nothing.
        'cross-origin-resource-policy': 'cross-origin',
        'content-security-policy': "default-src 'none'; sandbox",
        'content-disposition': 'inline; filename="picture.webp"',
        etag: `"${name}"`,
      });
      ctx.type = 'image/webp';
      ctx.status = 200;
      if (ctx.fresh) ctx.status = 304;
      else ctx.body = Buffer.from(bytes);
    },
  };
}

const typedIn = (form: Form) =>
  Object.fromEntries(profileFields.flatMap((name) => (form[name] === undefined ? [] : [[name, form[name]]])));
