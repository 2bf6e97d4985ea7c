import { attributesOf, moment, numbered, type Source, said, saidOf, text, yes } from './source.ts';

/** `manage.py dumpdata auth.user`: an array of models. */
export const django: Source = {
  how: 'json',
  convert(raw, context) {
    const fields = raw.fields as Record<string, unknown> | undefined;
    if (!fields || !/\.(user|customuser|account)$/i.test(String(raw.model))) return undefined;
    const hash = text(fields.password);
    return said({
      externalId: numbered('django', raw.pk),
      userName: text(fields.username),
      email: text(fields.email),
      givenName: text(fields.first_name),
      familyName: text(fields.last_name),
      name: [text(fields.first_name), text(fields.last_name)].filter(Boolean).join(' ') || undefined,
      state: fields.is_active === false ? 'Suspended' : undefined,
      // An exclamation mark says that there is none.
      passwordHash: hash?.startsWith('!') ? undefined : hash,
      attributes: attributesOf(fields, context),
      createdAt: moment(fields.date_joined),
      lastSignInAt: moment(fields.last_login),
    });
  },
};

/** The table `wp_users` as CSV. */
export const wordpress: Source = {
  how: 'csv',
  needs: ['user_login', 'user_pass'],
  convert: (raw) =>
    said({
      externalId: numbered('wordpress', raw.ID),
      userName: text(raw.user_login),
      email: text(raw.user_email),
      name: text(raw.display_name),
      profile: saidOf({ nickname: text(raw.user_nicename), website: text(raw.user_url) }),
      passwordHash: text(raw.user_pass),
      createdAt: moment(text(raw.user_registered)?.replace(' ', 'T').concat('Z')),
    }),
};

/** The table `AspNetUsers` as CSV. */
export const aspnet: Source = {
  how: 'csv',
  needs: ['Id', 'PasswordHash'],
  convert: (raw, context) =>
    said({
      externalId: text(raw.Id),
      userName: text(raw.UserName),
      email: text(raw.Email),
      emailVerified: yes(raw.EmailConfirmed),
      passwordHash: text(raw.PasswordHash),
      profile: saidOf({ phone_number: text(raw.PhoneNumber) }),
      attributes: attributesOf(raw, context),
    }),
};
