import { acrOf, amrOf } from '../credentials/index.ts';
import { lookOf } from '../users/index.ts';
import { deviceCookie, rememberedCookie } from './device.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';
import { whence } from './steps/problems.ts';

/** Everything is proved: the device is remembered, the journal and the owner told, and the engine resumes with who it is. */
export function createComplete(ports: SigninPorts) {
  const { attempts, events, settings, users, notices, rememberedDevices, risk, present } = ports;
  const device = deviceCookie(settings);
  const remembered = rememberedCookie(settings);

  /** A browser, or a country, never seen with this account is told to its owner, but for the very first. */
  const tellOwner = async (interaction: Interaction, userId: string, newDevice: boolean) => {
    const what = newDevice ? 'new-device' : 'new-place';
    if (!newDevice && !(await risk.isNewPlace({ userId, ip: interaction.ctx.ip }))) return;
    const [before] = await events.history({ subject: userId, type: 'signin.succeeded', limit: 1 });
    const user = before && (await users.byId(userId));
    if (user) await notices.tell(user, what, whence(interaction));
  };

  const rememberDevice = async ({ ctx }: Interaction, userId: string) => {
    const browser = { cookie: remembered.read(ctx), userAgent: ctx.get('user-agent'), ip: ctx.ip };
    remembered.write(ctx, await rememberedDevices.remember(userId, browser));
    await events.record({
      type: 'device.remembered',
      actor: { kind: 'user', id: userId },
      subject: userId,
      ip: ctx.ip,
      userAgent: ctx.get('user-agent'),
    });
  };

  return async (interaction: Interaction): Promise<void> => {
    const { ctx, prompt, attempt, client } = interaction;
    // A consent is only answered by consenting: who changes the account there is asked again as the other one.
    const answered = prompt.name === 'consent' ? {} : { [prompt.name]: {} };
    if (attempt.proved.length === 0) return interaction.finish(answered);

    const accountId = attempt.userId!;
    const amr = amrOf(attempt.proved);
    const acr = acrOf(attempt.proved);
    const known = device.read(ctx);
    const newDevice = !attempts.knownDevice(known, accountId);
    await tellOwner(interaction, accountId, newDevice);
    if (attempt.rememberDevice) await rememberDevice(interaction, accountId);
    await users.signedIn(accountId);
    await events.record({
      type: 'signin.succeeded',
      actor: { kind: 'user', id: accountId },
      subject: accountId,
      client: client.id,
      ip: ctx.ip,
      userAgent: ctx.get('user-agent'),
      data: { methods: amr, ...(acr ? { acr } : {}), newDevice },
    });
    device.write(ctx, attempts.deviceToken(accountId, known));
    const user = await users.byId(accountId);
    if (user) present.wear(ctx, lookOf(user));
    await interaction.finish({
      ...answered,
      login: {
        ...{ accountId, remember: attempt.remember, amr },
        ...(acr ? { acr } : {}),
        // What was added to a session makes it stronger, not younger: whoever finds it open still has no password.
        ...(attempt.upon ? { ts: attempt.upon.authTime } : {}),
      },
    });
  };
}
