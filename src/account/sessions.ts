import { describeAgent } from '../platform/agent.ts';
import { goTo, readForm } from '../platform/http/index.ts';
import { sha256 } from '../platform/index.ts';
import { asSelf, byPerson, doneOf } from './own.ts';
import { sessionsPage } from './own-pages.ts';
import type { AccountPorts } from './ports.ts';
import { accountClientId, type SignedInGuard } from './signed-in.ts';

const home = '/account/sessions';

/** A page names sessions by a hash of their id, which is of no use anywhere else. */
const nameOf = (uid: string): string => sha256(uid).slice(0, 22);

/** Where one is signed in, and the devices that need no second factor. */
export function createSessionsPages(ports: AccountPorts, guard: SignedInGuard) {
  const { db, sessions, clients, rememberedDevices, events, present } = ports;
  const nameOfClient = async (id: string) => (await clients.find(id))?.metadata.client_name ?? id;

  return {
    show: asSelf(guard, async (ctx, { user, session }) => {
      const living = await sessions.listOf(user.id);
      present.page(
        ctx,
        sessionsPage({
          sessions: await Promise.all(
            living.map(async ({ uid, userAgent, ip, createdAt, seenAt, authorizations }) => ({
              id: nameOf(uid),
              ...describeAgent(userAgent),
              ip,
              current: uid === session.uid,
              since: createdAt,
              seen: seenAt,
              applications: await Promise.all(
                Object.keys(authorizations)
                  .filter((id) => id !== accountClientId)
                  .map(nameOfClient),
              ),
            })),
          ),
          devices: (await rememberedDevices.listOf(user.id)).map(({ id, userAgent, ip, usedAt, expiresAt }) => ({
            ...{ id, ip, seen: usedAt, until: expiresAt },
            ...describeAgent(userAgent),
          })),
          done: doneOf(ctx),
        }),
      );
    }),

    end: asSelf(
      guard,
      async (ctx, self) => {
        const { session: named } = readForm(ctx);
        const ended = (await sessions.listOf(self.user.id)).find(({ uid }) => nameOf(uid) === named);
        if (ended) {
          await db.transact(async () => {
            await sessions.endSession(ended.uid, 'account.signed_out');
            const data = { session: nameOf(ended.uid), why: 'account.signed_out' };
            await events.record({ type: 'session.ended', ...byPerson(ctx, self), subject: self.user.id, data });
          });
        }
        goTo(ctx, ended?.uid === self.session.uid ? '/' : `${home}?done=session_ended`);
      },
      { back: home },
    ),

    endOthers: asSelf(
      guard,
      async (ctx, self) => {
        await endAll(ctx, self, self.session.uid);
        goTo(ctx, `${home}?done=others_ended`);
      },
      { back: home },
    ),

    endAll: asSelf(
      guard,
      async (ctx, self) => {
        await endAll(ctx, self);
        goTo(ctx, '/');
      },
      { back: home },
    ),

    forget: asSelf(
      guard,
      async (ctx, self) => {
        if (await rememberedDevices.forget(self.user.id, readForm(ctx).device ?? '')) {
          await events.record({ type: 'device.forgotten', ...byPerson(ctx, self), subject: self.user.id });
        }
        goTo(ctx, `${home}?done=device_forgotten`);
      },
      { back: home },
    ),
  };

  function endAll(ctx: Parameters<typeof byPerson>[0], self: Parameters<typeof byPerson>[1], except?: string) {
    return db.transact(async () => {
      await sessions.endAllOf(self.user.id, 'account.signed_out', except ? { except } : {});
      // A device left behind somewhere is as good as one signed in there.
      await rememberedDevices.forgetAll(self.user.id);
      const data = { why: 'account.signed_out' };
      await events.record({ type: 'session.all_ended', ...byPerson(ctx, self), subject: self.user.id, data });
    });
  }
}
