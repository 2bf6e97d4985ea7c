import { type Field, fieldProblems, fieldSpecs, fieldsAsked, mergeValues, typedValues } from '../../users/index.ts';
import { captchaOf } from '../captcha.ts';
import type { Interaction } from '../interaction.ts';
import { registerPage } from '../pages.ts';
import type { SigninPorts } from '../ports.ts';
import { asker, type Problem, problemOf } from './problems.ts';
import { most, type StepHandler, typed } from './step.ts';

/** Claims with columns of their own; the rest go into the profile. */
const columns: Record<string, 'givenName' | 'familyName' | 'name'> = {
  given_name: 'givenName',
  family_name: 'familyName',
  name: 'name',
};

/** The other button: no password, but a passkey as soon as the address is proved. */
const withPasskey = (form: Interaction['form']): boolean => form.with === 'passkey';

/** The address that the application, or the link of an invitation, expects. */
const hinted = ({ params }: Interaction): string | undefined =>
  typeof params.login_hint === 'string' ? params.login_hint.slice(0, 254) : undefined;

/** Make an account. Whether the address has one already shows neither here nor on the next page, only in the letter. */
export function createRegisterStep(ports: SigninPorts): StepHandler {
  const { settings, registration, policy, captcha } = ports;
  const { fields, mode, terms, termsVersion } = settings.registration;
  const { termsUrl, privacyUrl } = settings.branding;
  const agree = terms === 'required' && (termsUrl || privacyUrl);
  const kind = 'registration' as const;

  const asked = async () => fieldsAsked(await ports.fields.list(), 'registration');

  const page = async (interaction: Interaction, more: object = {}) =>
    registerPage({
      uid: interaction.uid,
      client: interaction.client,
      minLength: policy.lengths().minimum,
      fields: [...fields],
      custom: fieldSpecs(await asked()),
      ...(agree ? { terms: termsUrl, privacy: privacyUrl } : {}),
      captcha: await captchaOf(captcha, kind, interaction.ctx.ip),
      ...more,
    });

  const missing = (form: Interaction['form']): Problem[] => [
    ...fields.flatMap(({ name, required }) =>
      required && !typed(form[name]) ? [{ field: name, code: 'field.missing' }] : [],
    ),
    ...(typed(form.email) ? [] : [{ field: 'email', code: 'identifier.missing' }]),
    ...(form.password || withPasskey(form) ? [] : [{ field: 'password', code: 'password.missing' }]),
    ...(agree && form.terms === undefined ? [{ field: 'terms', code: 'terms.not_accepted' }] : []),
  ];

  /** The custom fields that are asked for here, and what is wrong with them. */
  const attributesOf = async (form: Interaction['form'], custom: Field[]) => {
    try {
      const given = { as: 'user', at: 'registration' } as const;
      const checked = await ports.fields.check(typedValues(custom, form), given);
      return { attributes: mergeValues({}, checked), problems: [] };
    } catch (error) {
      const problems = fieldProblems(error);
      if (!problems) throw error;
      return { attributes: {}, problems };
    }
  };

  return {
    async ask(interaction) {
      if (mode !== 'open')
        return interaction.finish({ error: 'access_denied', error_description: 'registration is not open' });
      interaction.show(
        await page(interaction, { values: { email: interaction.attempt.identifier ?? hinted(interaction) } }),
      );
    },

    async answer(interaction) {
      const { form, ctx } = interaction;
      const { password: _, csrf: __, with: ___, ...values } = form;
      const again = async (problems: Problem[]) =>
        interaction.show(await page(interaction, { values, problems }), { status: 422 });
      const custom = await attributesOf(form, await asked());
      const gaps = [...missing(form), ...custom.problems];
      if (gaps.length > 0) return again(gaps);
      const email = typed(form.email);
      const given = Object.fromEntries(
        fields.flatMap(({ name }) => (typed(form[name]) ? [[name, typed(form[name])]] : [])),
      );
      try {
        if (await captcha.required({ kind, ip: ctx.ip })) await captcha.verify(form, ctx.ip);
        const { handle } = await registration.register({
          ...asker(interaction),
          email,
          password: withPasskey(form) ? undefined : form.password!.slice(0, most),
          profile: {
            ...Object.fromEntries(
              Object.entries(given).flatMap(([name, value]) => (columns[name] ? [[columns[name], value]] : [])),
            ),
            profile: Object.fromEntries(Object.entries(given).filter(([name]) => !columns[name])),
            attributes: custom.attributes,
          },
          termsVersion: agree ? termsVersion : undefined,
        });
        interaction.restart({
          identifier: email,
          letter: { purpose: 'verify', handle, address: email, registered: true, passkey: withPasskey(form) },
        });
      } catch (error) {
        return again([problemOf(error, policy)]);
      }
      await interaction.advance();
    },
  };
}
