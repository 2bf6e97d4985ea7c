import { consentPage } from '../pages/consent.ts';
import type { MissingConsent, SigninPorts } from '../ports.ts';
import type { StepHandler } from './step.ts';

/** Do you agree? What is allowed is remembered for the person and the application, whatever becomes of this session. */
export function createConsentStep({ users, resources, grantConsent, events }: SigninPorts): StepHandler {
  return {
    async ask(interaction) {
      const missing = interaction.prompt.details as MissingConsent;
      const user = await users.byId(interaction.sessionAccountId!);
      const asked = await Promise.all(
        Object.entries(missing.missingResourceScopes ?? {}).map(async ([identifier, names]) => {
          const server = await resources.find(identifier);
          return {
            name: server?.name ?? identifier,
            scopes: names
              .filter((name) => !missing.missingOIDCScope?.includes(name))
              .map((name) => ({ name, description: server?.scopes[name] })),
          };
        }),
      );
      interaction.show(
        consentPage({
          uid: interaction.uid,
          client: interaction.client,
          account: user?.email ?? '',
          scopes: missing.missingOIDCScope ?? [],
          claims: missing.missingOIDCClaims ?? [],
          resources: asked.filter(({ scopes }) => scopes.length > 0),
        }),
      );
    },

    async answer(interaction) {
      const { client, ctx, grantId } = interaction;
      const accountId = interaction.sessionAccountId!;
      if (interaction.form.decision !== 'allow') {
        return interaction.finish({ error: 'access_denied', error_description: 'the person did not agree' });
      }
      const missing = interaction.prompt.details as MissingConsent;
      const grant = await grantConsent({ accountId, clientId: client.id, grantId, missing });
      await events.record({
        type: 'consent.given',
        actor: { kind: 'user', id: accountId },
        subject: accountId,
        client: client.id,
        ip: ctx.ip,
        data: {
          scopes: [...(missing.missingOIDCScope ?? []), ...Object.values(missing.missingResourceScopes ?? {}).flat()],
        },
      });
      await interaction.finish({ consent: { grantId: grant } });
    },
  };
}
