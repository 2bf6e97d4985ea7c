import { acrOf, amrOf } from '../credentials/index.ts';
import { allOf } from '../platform/index.ts';
import { lookOf, type User } from '../users/index.ts';
import { deviceCookie, rememberedCookie } from './device.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';
import { createSettling } from './settle-provider.ts';
import { whence } from './steps/problems.ts';

interface Proof {
  amr: string[];
  acr?: string;
}

/** Everything is proved: the device is remembered, the journal and the owner told, and the engine resumes with who it is. */
export function createComplete(ports: SigninPorts) {
  const { attempts, events, settings, users, notices, rememberedDevices, risk, present } = ports;
  const device = deviceCookie(settings);
  const remembered = rememberedCookie(settings);

  /** A browser, or a country, never seen with this account is told to its owner, but for the very first. */
  const tellOwner = async (interaction: Interaction, user: User, newDevice: boolean) => {
    const what = newDevice ? 'new-device' : 'new-place';
    if (!newDevice && !(await risk.isNewPlace({ userId: user.id, ip: interaction.ctx.ip }))) return;
    const [before] = await events.history({ subject: user.id, type: 'signin.succeeded', limit: 1 });
    if (before) await notices.tell(user, what, whence(interaction));
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

  const settleProvider = createSettling(ports);

  /** The journal, the device and the owner are told; the browser looks from now on as the person likes it. */
  const note = async (interaction: Interaction, user: User, { amr, acr }: Proof) => {
    const { ctx, attempt, client } = interaction;
    const known = device.read(ctx);
    const newDevice = !attempts.knownDevice(known, user.id);
    await tellOwner(interaction, user, newDevice);
    if (attempt.rememberDevice) await rememberDevice(interaction, user.id);
    const provider = attempt.came?.provider;
    const succeeded = events.record({
      type: 'signin.succeeded',
      actor: { kind: 'user', id: user.id },
      subject: user.id,
      client: client.id,
      ip: ctx.ip,
      userAgent: ctx.get('user-agent'),
      data: { methods: amr, ...(acr ? { acr } : {}), newDevice, ...(provider ? { provider } : {}) },
    });
    await allOf([succeeded, users.signedIn(user.id)]);
    device.write(ctx, attempts.deviceToken(user.id, known));
    present.wear(ctx, lookOf(user));
  };

  return async (interaction: Interaction, user: User | undefined): Promise<void> => {
    const { prompt, attempt } = interaction;
    if (!(await settleProvider(interaction))) return;
    // A consent is only answered by consenting: who changes the account there is asked again as the other one.
    // Who has just said who they are has chosen an account by it.
    const chosen = prompt.name === 'login' ? { select_account: {} } : {};
    const answered = prompt.name === 'consent' ? {} : { ...chosen, [prompt.name]: {} };
    if (!user || attempt.proved.length === 0) return interaction.finish(answered);

    const acr = acrOf(attempt.proved);
    const proof = { amr: amrOf(attempt.proved), ...(acr ? { acr } : {}) };
    await note(interaction, user, proof);
    await interaction.finish({ ...answered, ...loginOf(interaction, user.id, proof) });
  };
}

/** What the engine is told: who it is, how that was proved, and when. */
function loginOf({ attempt }: Interaction, accountId: string, proof: Proof) {
  const { came, upon, remember } = attempt;
  // What was added to a session makes it stronger, not younger: whoever finds it open still has no password.
  const since = upon?.authTime ?? (came?.authTime ? Math.floor(Date.parse(came.authTime) / 1000) : undefined);
  return {
    login: { accountId, remember, ...proof, ...(since === undefined ? {} : { ts: since }) },
    // Noted with the session by whoever hears of it from the engine.
    ...(came?.identityId
      ? { federation: { identityId: came.identityId, sid: came.arrival.sid, idToken: came.arrival.idToken } }
      : {}),
  };
}
