import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import {
  applyPreferences,
  type By,
  notificationCategories,
  notificationChannels,
  type PreferencesPatch,
  preferencesOf,
  preferencesPatch,
  themes,
  type User,
  withholdableClaims,
} from '../../users/index.ts';
import { etagOf } from '../conditions.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId } from '../schemas.ts';

const section = 'Settings';

const each = <Names extends readonly string[], Value extends z.ZodType>(names: Names, value: Value) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, value])) as Record<Names[number], Value>);

const settings = z
  .strictObject({
    language: z.string().nullable(),
    theme: z.enum(themes),
    zoneinfo: z.string().nullable(),
    notifications: each(notificationCategories, each(notificationChannels, z.boolean())),
    privacy: z.strictObject({
      withhold: z.array(z.enum(withholdableClaims)).describe('Claims that applications of others are not told'),
    }),
  })
  .meta({ id: 'Settings' });

const letters = each(notificationCategories, z.boolean()).meta({ id: 'EmailPreferences' });
const lettersWanted = z
  .strictObject({
    security: z.literal(true).optional().describe('Letters about the safety of the account cannot be switched off'),
    account: z.boolean(),
    news: z.boolean(),
  })
  .meta({ id: 'EmailPreferencesReplacement' });
const change = preferencesPatch.meta({ id: 'SettingsChange' });

const show = (user: User) => {
  const { language = null, zoneinfo = null, ...rest } = preferencesOf(user);
  return { body: { language, zoneinfo, ...rest }, etag: etagOf(user.version) };
};
const showLetters = (user: User) => {
  const { notifications } = preferencesOf(user);
  const body = { security: true, account: notifications.account.email, news: notifications.news.email };
  return { body, etag: etagOf(user.version) };
};

/** What a replacement does not name goes back to what it was before anybody chose. */
const whole = (patch: PreferencesPatch): PreferencesPatch => ({ language: null, zoneinfo: null, ...patch });

/** What people chose for themselves; of others only the letters they want can be read and changed. */
export function settingsRoutes({ users }: ApiPorts): Route[] {
  const found = async (id: string): Promise<User> => {
    const user = await users.byId(id);
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };
  const write = (id: string, by: By, patch: PreferencesPatch, demandMatch: (version: number) => void, anew = false) =>
    users.update(id, by, (user) => {
      demandMatch(user.version);
      if (anew) user.settings = {};
      applyPreferences(user, anew ? whole(patch) : patch);
    });
  const lettersOf = ({ account, news }: z.output<typeof lettersWanted>): PreferencesPatch => ({
    notifications: { account: { email: account }, news: { email: news } },
  });

  return [
    route({
      method: 'GET',
      path: '/users/me/settings',
      ...{ section, summary: 'Read your settings', scopes: ['account.read'] },
      answer: settings,
      handle: async ({ caller }) => show(await found(caller.accountId!)),
    }),
    route({
      method: 'PUT',
      path: '/users/me/settings',
      ...{ section, summary: 'Replace your settings', scopes: ['account.write'] },
      details: 'What is not named goes back to what it is for everybody.',
      body: change,
      answer: settings,
      ifMatch: 'honoured',
      handle: async ({ body, caller, by, demandMatch }) =>
        show(await write(caller.accountId!, by, body, demandMatch, true)),
    }),
    route({
      method: 'PATCH',
      path: '/users/me/settings',
      ...{ section, summary: 'Change your settings', scopes: ['account.write'] },
      body: change,
      answer: settings,
      ifMatch: 'honoured',
      handle: async ({ body, caller, by, demandMatch }) => show(await write(caller.accountId!, by, body, demandMatch)),
    }),
    route({
      method: 'GET',
      path: '/users/me/email-preferences',
      ...{ section, summary: 'Read which letters you want', scopes: ['account.read'] },
      answer: letters,
      handle: async ({ caller }) => showLetters(await found(caller.accountId!)),
    }),
    route({
      method: 'PUT',
      path: '/users/me/email-preferences',
      ...{ section, summary: 'Replace which letters you want', scopes: ['account.write'] },
      body: lettersWanted,
      answer: letters,
      ifMatch: 'honoured',
      handle: async ({ body, caller, by, demandMatch }) =>
        showLetters(await write(caller.accountId!, by, lettersOf(body), demandMatch)),
    }),
    route({
      method: 'GET',
      path: '/users/{id}/email-preferences',
      ...{ section, summary: 'Read which letters a person wants', scopes: ['users.read'] },
      params: byId,
      answer: letters,
      refusals: ['user.unknown'],
      handle: async ({ params }) => showLetters(await found(params.id)),
    }),
    route({
      method: 'PUT',
      path: '/users/{id}/email-preferences',
      ...{ section, summary: 'Replace which letters a person wants', scopes: ['users.write'] },
      params: byId,
      body: lettersWanted,
      answer: letters,
      ifMatch: 'honoured',
      refusals: ['user.unknown'],
      handle: async ({ params, body, by, demandMatch }) =>
        showLetters(await write(params.id, by, lettersOf(body), demandMatch)),
    }),
  ];
}
