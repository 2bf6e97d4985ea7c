import { z } from 'zod';
import { isTimeZone } from '../../platform/time-zone.ts';

/** What letters and messages are about, as far as people may choose. `security` concerns the safety of the account. */
export const notificationCategories = ['security', 'account', 'news'] as const;
export type NotificationCategory = (typeof notificationCategories)[number];

export const notificationChannels = ['email', 'sms'] as const;
export type NotificationChannel = (typeof notificationChannels)[number];

/** Claims that people may keep from applications of others, whatever they agreed to (OpenID Connect Core 1.0, 5.1). */
export const withholdableClaims = ['picture', 'birthdate', 'gender', 'phone_number', 'address', 'website'] as const;
export type WithholdableClaim = (typeof withholdableClaims)[number];

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const language = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/);

const channels = z.strictObject({ email: z.boolean().optional(), sms: z.boolean().optional() });

/** A change: what is absent stays, `null` takes a choice back. */
export const preferencesPatch = z.strictObject({
  language: language.nullish(),
  theme: z.enum(themes).optional(),
  zoneinfo: z.string().refine(isTimeZone).nullish(),
  notifications: z
    .strictObject({
      // Whoever is in somebody's account must not silence the letters that tell of it.
      security: z.strictObject({ email: z.literal(true).optional(), sms: z.boolean().optional() }).optional(),
      account: channels.optional(),
      news: channels.optional(),
    })
    .optional(),
  privacy: z.strictObject({ withhold: z.array(z.enum(withholdableClaims)).max(20).optional() }).optional(),
});

export type PreferencesPatch = z.infer<typeof preferencesPatch>;

/** What is kept in `user_account.settings`: only what somebody chose, so that defaults may change. */
export type StoredPreferences = Omit<PreferencesPatch, 'zoneinfo'>;
