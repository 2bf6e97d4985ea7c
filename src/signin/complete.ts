import { acrOf, amrOf } from '../credentials/index.ts';
import { Refusal } from '../platform/index.ts';
import { lookOf } from '../users/index.ts';
import { deviceCookie, rememberedCookie } from './device.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';
import { whence } from './steps/problems.ts';

/** Everything is proved: the device is remembered, the journal and the owner told, and the engine resumes with who it is. */
export function createComplete(ports: SigninPorts) {
  const { attempts, events, settings, users, notices, rememberedDevices, risk, present, federation } = ports;
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

  /**
   * Links what was to be linked, and makes sure that what was come by still leads here. @returns whether to go on
   */
  const settleProvider = async (interaction: Interaction): Promise<boolean> => {
    const { attempt } = interaction;
    const { linking, came, userId } = attempt;
    if (!userId || attempt.proved.length === 0) return true;
    try {
      const linked = linking?.answer === 'yes' ? await link(interaction, userId, linking) : undefined;
      if (came) {
        came.identityId ??= linked;
        await arrived(interaction, userId, came);
      }
      return true;
    } catch (error) {
      if (!(error instanceof Refusal) || !error.code.startsWith('federation.')) throw error;
      interaction.restart({
        direct: true,
        linking: undefined,
        problem: { code: error.code, params: { provider: '' } },
      });
      await interaction.advance();
      return false;
    }
  };

  const over = () => new Refusal('federation.over', { kind: 'conflict' });

  const link = async (
    interaction: Interaction,
    userId: string,
    { provider: { id }, arrival }: NonNullable<Interaction['attempt']['linking']>,
  ): Promise<string> => {
    const { proved } = interaction.attempt;
    const [user, provider] = [await users.byId(userId), await federation.providers.find(id)];
    if (!user || !provider) throw over();
    const how = proved.includes('fed') ? 'trusted_address' : 'proved';
    const { identityId } = await federation.link({ user, provider, arrival, from: whence(interaction), how });
    return identityId;
  };

  /** What was come by still leads here, and is noted: unlinked or switched off since, it does not. */
  const arrived = async (
    interaction: Interaction,
    userId: string,
    { provider: id, identityId = '', arrival }: NonNullable<Interaction['attempt']['came']>,
  ) => {
    const [user, provider] = [await users.byId(userId), await federation.providers.find(id)];
    if (!user || !provider || !(await federation.stillLinked(identityId, userId))) throw over();
    await federation.cameBy({ user, identityId, provider, arrival, from: whence(interaction) });
  };

  return async (interaction: Interaction): Promise<void> => {
    const { ctx, prompt, attempt, client } = interaction;
    if (!(await settleProvider(interaction))) return;
    // A consent is only answered by consenting: who changes the account there is asked again as the other one.
    // Who has just said who they are has chosen an account by it.
    const chosen = prompt.name === 'login' ? { select_account: {} } : {};
    const answered = prompt.name === 'consent' ? {} : { ...chosen, [prompt.name]: {} };
    if (attempt.proved.length === 0) return interaction.finish(answered);

    const accountId = attempt.userId!;
    const { came, upon } = attempt;
    // What was added to a session makes it stronger, not younger: whoever finds it open still has no password.
    const since = upon?.authTime ?? (came?.authTime ? Math.floor(Date.parse(came.authTime) / 1000) : undefined);
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
      data: { methods: amr, ...(acr ? { acr } : {}), newDevice, ...(came ? { provider: came.provider } : {}) },
    });
    device.write(ctx, attempts.deviceToken(accountId, known));
    const user = await users.byId(accountId);
    if (user) present.wear(ctx, lookOf(user));
    await interaction.finish({
      ...answered,
      login: {
        accountId,
        remember: attempt.remember,
        amr,
        ...(acr ? { acr } : {}),
        ...(since === undefined ? {} : { ts: since }),
      },
      // Noted with the session by whoever hears of it from the engine.
      ...(came?.identityId
        ? { federation: { identityId: came.identityId, sid: came.arrival.sid, idToken: came.arrival.idToken } }
        : {}),
    });
  };
}
