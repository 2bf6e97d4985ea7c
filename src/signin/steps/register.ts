import { captchaOf } from '../captcha.ts';
import type { Interaction } from '../interaction.ts';
import { providerButtons } from '../pages/providers.ts';
import { registerPage } from '../pages/register.ts';
import type { SigninPorts } from '../ports.ts';
import type { AskedFields } from './asked-fields.ts';
import { asker, type Problem, problemOf } from './problems.ts';
import { most, type StepHandler, typed } from './step.ts';

/** The other button: no password, but a passkey as soon as the address is proved. */
const withPasskey = (form: Interaction['form']): boolean => form.with === 'passkey';

/** The address that the application, or the link of an invitation, expects. */
const hinted = ({ params }: Interaction): string | undefined =>
  typeof params.login_hint === 'string' ? params.login_hint.slice(0, 254) : undefined;

/** Make an account. Whether the address has one already shows neither here nor on the next page, only in the letter. */
export function createRegisterStep(ports: SigninPorts, asked: AskedFields): StepHandler {
  const { settings, registration, policy, captcha, federation } = ports;
  const { mode } = settings.registration;
  const kind = 'registration' as const;

  const page = async (interaction: Interaction, more: object = {}) => ({
    ...registerPage({
      uid: interaction.uid,
      client: interaction.client,
      minLength: policy.lengths().minimum,
      ...(await asked.shown()),
      captcha: await captchaOf(captcha, kind, interaction.ctx.ip),
      ...more,
    }),
    ...providerButtons(interaction.uid, await federation.buttons(interaction.client.wanted)),
  });

  const missing = (form: Interaction['form']): Problem[] => [
    ...(typed(form.email) ? [] : [{ field: 'email', code: 'identifier.missing' }]),
    ...(form.password || withPasskey(form) ? [] : [{ field: 'password', code: 'password.missing' }]),
  ];

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
      const { facts, problems, termsVersion } = await asked.read(form);
      const gaps = [...missing(form), ...problems];
      if (gaps.length > 0) return again(gaps);
      const email = typed(form.email);
      try {
        if (await captcha.required({ kind, ip: ctx.ip })) await captcha.verify(form, ctx.ip);
        const { handle } = await registration.register({
          ...asker(interaction),
          email,
          password: withPasskey(form) ? undefined : form.password!.slice(0, most),
          profile: facts,
          termsVersion,
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
