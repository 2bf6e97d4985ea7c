import type { FactorsHeld } from '../credentials/index.ts';
import { asToldToOwner } from '../events/index.ts';
import { describeAgent } from '../platform/agent.ts';
import { goTo, readForm } from '../platform/http/index.ts';
import { isId } from '../platform/index.ts';
import { asSelf, byPerson, doneOf } from './own.ts';
import { activityPage, applicationsPage, overviewPage, type Protection } from './own-pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';
import { accountClientId, type SignedInGuard } from './signed-in.ts';

const pageSize = 30;

/** What somebody else would need. A passkey takes nothing from a password that is still enough by itself. */
function protectionOf(held: FactorsHeld, mayGoWithout: boolean): Protection {
  if (held.totp || held.email || held.sms) return 'two';
  if (held.passkeys > 0) return held.password && mayGoWithout ? 'passkey' : 'two';
  return held.password ? 'one' : 'elsewhere';
}

/** The sections that show: overview, applications, activity. */
export function createSelfPages(ports: AccountPorts, guard: SignedInGuard) {
  const { db, sessions, clients, consents, events, factors, notices, present } = ports;

  /** What each application may do: by consent, by what it holds now, or both. */
  const applicationsOf = async (userId: string) => {
    const found = new Map<string, { since: Date | undefined; scopes: Set<string> }>();
    const note = (clientId: string, since: Date, scopes: string[]) => {
      if (clientId === accountClientId) return;
      const known = found.get(clientId) ?? { since, scopes: new Set<string>() };
      if (!known.since || since < known.since) known.since = since;
      for (const scope of scopes) known.scopes.add(scope);
      found.set(clientId, known);
    };
    for (const { clientId, givenAt, scopes, resourceScopes } of await consents.listOf(userId))
      note(clientId, givenAt, [...scopes, ...Object.values(resourceScopes).flat()]);
    for (const { clientId, createdAt, scopes, resourceScopes } of await sessions.grantsOf(userId))
      note(clientId, createdAt, [...scopes, ...Object.values(resourceScopes).flat()]);
    return Promise.all(
      [...found].map(async ([id, { since, scopes }]) => {
        const metadata = (await clients.find(id))?.metadata;
        return { id, name: metadata?.client_name ?? id, logo: metadata?.logo_uri, since, scopes: [...scopes] };
      }),
    );
  };

  return {
    overview: asSelf(guard, async (ctx, { user }) => {
      const mayGoWithout = await factors.mayGoWithout(user);
      const protection = protectionOf(await factors.of(user.id), mayGoWithout);
      present.page(
        ctx,
        overviewPage({
          name: user.displayName(),
          email: user.email ?? '',
          protection,
          advised: protection !== 'two' && (user.administrator || !mayGoWithout),
          notices: await notices.lately(user.id),
          sessions: (await sessions.listOf(user.id)).length,
          applications: (await applicationsOf(user.id)).length,
        }),
      );
    }),

    applications: asSelf(guard, async (ctx, { user }) => {
      present.page(ctx, applicationsPage({ applications: await applicationsOf(user.id), done: doneOf(ctx) }));
    }),

    withdraw: asSelf(
      guard,
      async (ctx, self) => {
        const client = textOf(readForm(ctx).client);
        const { id } = self.user;
        await db.transact(async () => {
          const grants = (await sessions.grantsOf(id)).filter(({ clientId }) => clientId === client);
          const withdrawn = await consents.withdraw(id, client);
          for (const grant of grants) await sessions.endGrant(grant.id, 'consent.withdrawn');
          if (!withdrawn && grants.length === 0) return;
          await events.record({ type: 'consent.withdrawn', ...byPerson(ctx, self), subject: id, client });
        });
        goTo(ctx, '/account/applications?done=withdrawn');
      },
      { back: '/account/applications' },
    ),

    activity: asSelf(guard, async (ctx, { user }) => {
      const before = textOf(ctx.query.before);
      const rows = await events.history({
        subject: user.id,
        limit: pageSize + 1,
        ...(isId(before) ? { before } : {}),
      });
      const shown = rows.slice(0, pageSize).map((record) => asToldToOwner(record, user.id));
      present.page(
        ctx,
        activityPage({
          events: await Promise.all(
            shown.map(async ({ type, at, client, ip, userAgent }) => ({
              ...{ type, at, ip },
              ...describeAgent(userAgent),
              application:
                client && client !== accountClientId
                  ? ((await clients.find(client))?.metadata.client_name ?? client)
                  : undefined,
            })),
          ),
          older: rows.length > pageSize ? shown.at(-1)?.id : undefined,
        }),
      );
    }),
  };
}
