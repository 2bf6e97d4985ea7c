import { type Form, goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import {
  applyPreferences,
  lookOf,
  preferencesOf,
  readPreferences,
  type User,
  withholdableClaims,
} from '../users/index.ts';
import { asSelf, byPerson, doneOf } from './own.ts';
import type { AccountPorts } from './ports.ts';
import { settingsPage } from './settings-page.ts';
import type { SignedInGuard } from './signed-in.ts';

const home = '/account/settings';

/** What the person chooses for themselves; `users/preferences` knows what there is to choose. */
export function createSettingsPages(ports: AccountPorts, guard: SignedInGuard) {
  const { users, codeFactors, present, settings } = ports;
  const { locales } = settings;

  /** Text messages go only to a number that was proved. */
  const mayText = ({ profile }: User): boolean =>
    codeFactors.offered.includes('sms') && profile.phone_number !== undefined && profile.phone_number_verified === true;

  return {
    show: asSelf(guard, async (ctx, { user }) => {
      const preferences = preferencesOf(user);
      present.page(ctx, settingsPage({ preferences, locales, sms: mayText(user), done: doneOf(ctx) }));
    }),

    save: asSelf(
      guard,
      async (ctx, self) => {
        try {
          const patch = readPreferences(chosen(readForm(ctx), mayText(self.user)));
          const user = await users.update(self.user.id, byPerson(ctx, self), (known) => applyPreferences(known, patch));
          present.wear(ctx, lookOf(user));
          goTo(ctx, `${home}?done=settings_saved`);
        } catch (error) {
          if (!(error instanceof Refusal) || error.code !== 'settings.refused') throw error;
          const problems = (error.details.fields as string[]).map((field) => ({ field, code: 'field.invalid' }));
          const page = { preferences: preferencesOf(self.user), locales, sms: mayText(self.user), problems };
          present.page(ctx, settingsPage(page), { status: 422 });
        }
      },
      { back: home },
    ),
  };
}

/** The form as a change; a box that is not ticked is not sent. */
const chosen = (form: Form, sms: boolean): object => ({
  language: form.language || null,
  theme: form.theme,
  zoneinfo: form.zoneinfo || null,
  notifications: {
    ...(sms ? { security: { sms: form.security_sms !== undefined } } : {}),
    account: { email: form.account_email !== undefined },
    news: { email: form.news_email !== undefined },
  },
  privacy: { withhold: withholdableClaims.filter((claim) => form[`withhold_${claim}`] !== undefined) },
});
