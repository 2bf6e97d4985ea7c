import { describe, expect, it } from 'vitest';
import { applyPreferences, preferencesOf, readPreferences, wants } from './index.ts';

const somebody = () =>
  ({ settings: {}, profile: {}, locale: null as string | null }) as never as Parameters<typeof applyPreferences>[0];

describe('what a person chose for themselves', () => {
  it('begins with letters about the account, none with news, and the look of the system', () => {
    const user = somebody();
    expect(preferencesOf(user)).toEqual({
      language: undefined,
      theme: 'system',
      zoneinfo: undefined,
      notifications: {
        security: { email: true, sms: false },
        account: { email: true, sms: false },
        news: { email: false, sms: false },
      },
      privacy: { withhold: [] },
    });
    expect(user.settings).toEqual({});
  });

  it('keeps what a change does not name, and takes a choice back by null', () => {
    const user = somebody();
    applyPreferences(user, readPreferences({ language: 'de', theme: 'dark', zoneinfo: 'Europe/Berlin' }));
    applyPreferences(user, readPreferences({ notifications: { news: { email: true } } }));
    applyPreferences(user, readPreferences({ notifications: { account: { email: false } } }));
    expect(preferencesOf(user)).toMatchObject({ language: 'de', theme: 'dark', zoneinfo: 'Europe/Berlin' });
    expect([wants(user, 'news', 'email'), wants(user, 'account', 'email')]).toEqual([true, false]);
    expect([user.locale, user.profile.zoneinfo]).toEqual(['de', 'Europe/Berlin']);
    applyPreferences(user, readPreferences({ language: null, zoneinfo: null }));
    expect(preferencesOf(user)).toMatchObject({ language: undefined, theme: 'dark', zoneinfo: undefined });
  });

  it('letters about the safety of the account cannot be switched off', () => {
    expect(() => readPreferences({ notifications: { security: { email: false } } })).toThrow('settings.refused');
    const user = somebody();
    applyPreferences(user, readPreferences({ notifications: { security: { email: true, sms: true } } }));
    expect(wants(user, 'security', 'email')).toBe(true);
  });

  it.each<unknown>([
    { zoneinfo: 'Mars/Olympus' },
    { zoneinfo: '+01:00' },
    { zoneinfo: 'UTC\r\nx: y' },
    { language: 'x'.repeat(400) },
    { theme: 'pink' },
    { privacy: { withhold: ['sub'] } },
    { administrator: true },
    { __proto__: null, constructor: 1 },
    [],
    null,
    'dark',
  ])('refuses %j', (input) => {
    expect(() => readPreferences(input)).toThrow('settings.refused');
  });
});
