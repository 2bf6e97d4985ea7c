import { Refusal } from '../../platform/refusal.ts';
import type { User } from '../user.ts';
import {
  type NotificationCategory,
  type NotificationChannel,
  notificationCategories,
  type PreferencesPatch,
  preferencesPatch,
  type StoredPreferences,
  type Theme,
  type WithholdableClaim,
} from './shape.ts';

/** What a person chose for themselves, with the defaults filled in. */
export interface Preferences {
  /** Of pages and letters, when they have chosen one: a BCP 47 tag. */
  language: string | undefined;
  theme: Theme;
  /** In which dates are shown, and the claim `zoneinfo`; UTC without one. */
  zoneinfo: string | undefined;
  notifications: Record<NotificationCategory, Record<NotificationChannel, boolean>>;
  privacy: {
    /** Claims that applications of others are not told, whatever was agreed to. */
    withhold: WithholdableClaim[];
  };
}

type Holder = Pick<User, 'settings' | 'profile'>;

const defaults: Preferences['notifications'] = {
  security: { email: true, sms: false },
  account: { email: true, sms: false },
  // What nobody asked for is not sent.
  news: { email: false, sms: false },
};

const stored = ({ settings }: Pick<User, 'settings'>): StoredPreferences => (settings ?? {}) as StoredPreferences;

export function preferencesOf(user: Holder): Preferences {
  const { language, theme = 'system', notifications = {}, privacy = {} } = stored(user);
  return {
    language: language ?? undefined,
    theme,
    zoneinfo: user.profile.zoneinfo,
    notifications: Object.fromEntries(
      notificationCategories.map((category) => [category, { ...defaults[category], ...notifications[category] }]),
    ) as Preferences['notifications'],
    privacy: { withhold: privacy.withhold ?? [] },
  };
}

/**
 * Reads a change as it comes from outside. `notifications.security.email` takes nothing but true.
 * @throws Refusal `settings.refused` (invalid); `details.fields` names what does not fit
 */
export function readPreferences(input: unknown): PreferencesPatch {
  const read = preferencesPatch.safeParse(input);
  if (read.success) return read.data;
  const fields = [...new Set(read.error.issues.map(({ path }) => path.join('.')))];
  throw new Refusal('settings.refused', { kind: 'invalid', details: { fields } });
}

/**
 * Makes the change on the person, within `users.update`. The language is also the claim `locale`, and the time zone is the
 * claim `zoneinfo` and nothing else.
 */
export function applyPreferences(user: Pick<User, 'settings' | 'profile' | 'locale'>, patch: PreferencesPatch): void {
  const { zoneinfo, language, notifications, privacy, ...rest } = patch;
  const before = stored(user);
  const next: StoredPreferences = { ...before, ...rest };
  if (language !== undefined) {
    if (language === null) delete next.language;
    else next.language = user.locale = language;
  }
  if (notifications) {
    next.notifications = Object.fromEntries(
      notificationCategories.flatMap((category) => {
        const joined = { ...before.notifications?.[category], ...notifications[category] };
        return Object.keys(joined).length > 0 ? [[category, joined]] : [];
      }),
    );
  }
  if (privacy) next.privacy = { ...before.privacy, ...privacy };
  user.settings = next;
  if (zoneinfo !== undefined) {
    const { zoneinfo: _, ...profile } = user.profile;
    user.profile = zoneinfo === null ? profile : { ...profile, zoneinfo };
  }
}

/** Whether the person wants to be told of this in this way. What concerns safety is always told by letter. */
export const wants = (user: Holder, category: NotificationCategory, channel: NotificationChannel): boolean =>
  preferencesOf(user).notifications[category][channel];

/** How pages look for this person. */
export function lookOf(user: Holder) {
  const { language, theme, zoneinfo: timeZone } = preferencesOf(user);
  return { language, theme: theme === 'system' ? undefined : theme, timeZone };
}
