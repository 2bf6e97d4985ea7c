import { createForm, type FieldSpec, type Typed } from '../platform/form.ts';
import { languageName } from '../platform/formats.ts';
import { type Preferences, profileSpec, withholdableClaims } from '../users/index.ts';
import { ownPage } from './own-pages.ts';

const home = '/account/settings';

const box = (name: string, value: boolean): FieldSpec => ({
  name,
  type: 'checkbox',
  required: true,
  label: `label.settings.${name}`,
  value,
});

/**
 * POST /account/settings {language, theme, zoneinfo, account_email?, news_email?, withhold_<claim>?, security_sms?}
 * @param input.locales languages that pages speak
 * @param input.sms whether notices of security may come by SMS as well: the number is proved
 */
export function settingsPage(
  input: Typed & { preferences: Preferences; locales: readonly string[]; sms: boolean; done?: string | undefined },
) {
  const { preferences, locales, sms } = input;
  const { notifications, privacy } = preferences;
  const fields: Record<string, FieldSpec[]> = {
    look: [
      {
        name: 'language',
        type: 'select',
        required: true,
        label: 'label.settings.language',
        options: { '': 'settings.language.browser' },
        choices: Object.fromEntries(locales.map((tag) => [tag, languageName(tag)])),
        value: preferences.language ?? '',
      },
      {
        name: 'theme',
        type: 'select',
        required: true,
        label: 'label.settings.theme',
        options: { system: 'settings.theme.system', light: 'settings.theme.light', dark: 'settings.theme.dark' },
        value: preferences.theme,
      },
      { ...profileSpec('zoneinfo'), required: true, value: preferences.zoneinfo ?? '' },
    ],
    notifications: [
      ...(sms ? [box('security_sms', notifications.security.sms)] : []),
      box('account_email', notifications.account.email),
      box('news_email', notifications.news.email),
    ],
    privacy: withholdableClaims.map((claim) => ({
      ...box(`withhold_${claim}`, privacy.withhold.includes(claim)),
      label: `label.settings.withhold.${claim}`,
    })),
  };
  const form = createForm(home, Object.values(fields).flat(), input);
  return {
    ...ownPage('settings', 'settings', input),
    languageUrl: home,
    form,
    groups: Object.entries(fields).map(([name, specs]) => ({
      name,
      fields: specs.map((spec) => form.fields[spec.name]),
    })),
  };
}
