import { acrOf } from '../credentials/index.ts';
import { deviceCookie } from './device.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';

/** Everything is proved: the device is remembered, the journal told, and the engine resumes with who it is. */
export function createComplete({ attempts, events, settings }: SigninPorts) {
  const device = deviceCookie(settings);

  return async (interaction: Interaction): Promise<void> => {
    const { ctx, prompt, attempt, client } = interaction;
    // A consent is only answered by consenting: who changes the account there is asked again as the other one.
    const answered = prompt.name === 'consent' ? {} : { [prompt.name]: {} };
    if (attempt.proved.length === 0) return interaction.finish(answered);

    const accountId = attempt.userId!;
    const acr = acrOf(attempt.proved);
    const known = device.read(ctx);
    await events.record({
      type: 'signin.succeeded',
      actor: { kind: 'user', id: accountId },
      subject: accountId,
      client: client.id,
      ip: ctx.ip,
      userAgent: ctx.get('user-agent'),
      data: { methods: attempt.proved, ...(acr ? { acr } : {}), newDevice: !attempts.knownDevice(known, accountId) },
    });
    device.write(ctx, attempts.deviceToken(accountId, known));
    await interaction.finish({
      ...answered,
      login: { accountId, remember: attempt.remember, amr: attempt.proved, ...(acr ? { acr } : {}) },
    });
  };
}
