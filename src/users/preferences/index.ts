/** What people choose for themselves: language, look, time zone, what they are told and what applications are not. */
export { applyPreferences, lookOf, type Preferences, preferencesOf, readPreferences, wants } from './preferences.ts';
export {
  type NotificationCategory,
  type NotificationChannel,
  notificationCategories,
  notificationChannels,
  type PreferencesPatch,
  preferencesPatch,
  type Theme,
  themes,
  type WithholdableClaim,
  withholdableClaims,
} from './shape.ts';
