import type { Events } from '../events/index.ts';
import type { SecurityNotice } from '../mail/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Clock, newId, Refusal, type Vault } from '../platform/index.ts';
import type { User, Users } from '../users/index.ts';
import type { Provider } from './definition.ts';
import type { Arrival } from './upstreams/upstream.ts';

/** Somebody's identity at a provider, linked to their account here. */
export interface Identity {
  id: string;
  providerId: string;
  issuer: string;
  subject: string;
  accountId: string;
  /** What the person is called there: to tell one's own links apart. */
  label: string | undefined;
  linkedAt: Date;
  lastUsedAt: Date | undefined;
}

/** Where it is done from, and in which language to write if the person has chosen none. */
export interface Whence {
  ip: string;
  userAgent?: string | undefined;
  locale: string;
}

export type Tell = (user: User, what: SecurityNotice, from: Whence) => Promise<void>;

interface Row {
  id: string;
  provider_id: string;
  issuer: string;
  subject: string;
  account_id: string;
  label: string | null;
  linked_at: string;
  last_used_at: string | null;
}

const columns = 'id, provider_id, issuer, subject, account_id, label, linked_at, last_used_at';
const tokenContext = (id: string) => `upstream_identity:${id}`;
/** What holds back whoever else takes away a way in, until this transaction ends. */
export const waysInLock = (accountId: string) => `ways-in:${accountId}`;

export function createIdentities(deps: {
  db: Db;
  clock: Clock;
  vault: Vault;
  events: Pick<Events, 'record'>;
  users: Pick<Users, 'byId'>;
  tell: Tell;
  /** Whether the account can be entered by something of its own: a password, a passkey. */
  hasOwnWayIn(accountId: string): Promise<boolean>;
  enabled(): Promise<readonly Pick<Provider, 'id'>[]>;
}) {
  const { db, clock, vault, events, users, tell, hasOwnWayIn, enabled } = deps;

  const find = async (issuer: string, subject: string): Promise<Identity | undefined> => {
    const [row] = await db.query<Row>(`select ${columns} from upstream_identity where issuer = $1 and subject = $2`, [
      issuer,
      subject,
    ]);
    return row && identity(row);
  };
  const listOf = async (accountId: string): Promise<Identity[]> =>
    (
      await db.query<Row>(`select ${columns} from upstream_identity where account_id = $1 order by linked_at, id`, [
        accountId,
      ])
    ).map(identity);
  const usable = async (accountId: string): Promise<Identity[]> => {
    const ids = (await enabled()).map(({ id }) => id);
    return (await listOf(accountId)).filter(({ providerId }) => ids.includes(providerId));
  };

  const record = (
    type: 'federation.linked' | 'federation.unlinked',
    accountId: string,
    provider: string,
    { ip, userAgent }: Whence,
    how?: string,
  ) =>
    events.record({
      type,
      actor: { kind: 'user', id: accountId },
      subject: accountId,
      ip,
      userAgent,
      data: { provider, ...(how ? { how } : {}) },
    });

  const keepTokens = async (id: string, provider: Provider, { tokens, idToken }: Arrival) => {
    const kept = provider.keep_tokens
      ? vault.seal(JSON.stringify({ ...tokens, id_token: idToken }), tokenContext(id))
      : null;
    await db.query(
      'update upstream_identity set sealed_tokens = $2 where id = $1 and sealed_tokens is distinct from $2',
      [id, kept],
    );
  };

  /** As {@link find}; whoever else links this identity waits until the transaction ends. */
  const hold = async (issuer: string, subject: string): Promise<Identity | undefined> => {
    await db.lock(`upstream:${issuer} ${subject}`);
    return find(issuer, subject);
  };

  return {
    find,
    hold,
    listOf,
    byId: async (id: string): Promise<Identity | undefined> => {
      const [row] = await db.query<Row>(`select ${columns} from upstream_identity where id = $1`, [id]);
      return row && identity(row);
    },

    /** Whether a provider in force leads into the account. Holds back, until the transaction ends, whoever takes one away. */
    async hasWayIn(accountId: string): Promise<boolean> {
      await db.lock(waysInLock(accountId));
      return (await usable(accountId)).length > 0;
    },

    /**
     * Links; the owner is told by letter unless the account has just been made by it.
     * @throws Refusal `federation.linked_elsewhere` (conflict): another living account has this identity
     */
    link(input: {
      user: User;
      provider: Provider;
      arrival: Arrival;
      from: Whence;
      how: 'created' | 'trusted_address' | 'proved' | 'account';
    }): Promise<Identity> {
      const { user, provider, arrival, from, how } = input;
      return db.transact(async () => {
        const present = await hold(arrival.issuer, arrival.subject);
        if (present && present.accountId !== user.id) {
          const owner = await users.byId(present.accountId);
          // As with addresses: a deleted account does not keep its identities from being used again.
          if (owner && owner.state !== 'Deleted')
            throw new Refusal('federation.linked_elsewhere', { kind: 'conflict' });
          await db.query('delete from upstream_identity where id = $1', [present.id]);
        }
        if (present?.accountId === user.id) return present;
        const [row] = await db.query<Row>(
          `insert into upstream_identity (id, provider_id, issuer, subject, account_id, label, linked_at)
           values ($1, $2, $3, $4, $5, $6, $7) returning ${columns}`,
          [newId(), provider.id, arrival.issuer, arrival.subject, user.id, labelOf(arrival), clock.now()],
        );
        await record('federation.linked', user.id, provider.id, from, how);
        if (how !== 'created') await tell(user, 'link-added', from);
        return identity(row!);
      });
    },

    /** Takes a link away. @throws Refusal `federation.link_unknown` (missing), `federation.last_way_in` (conflict) */
    unlink: (user: User, id: string, from: Whence): Promise<void> =>
      db.transact(async () => {
        await db.lock(waysInLock(user.id));
        const own = (await listOf(user.id)).find((one) => one.id === id);
        if (!own) throw new Refusal('federation.link_unknown', { kind: 'missing' });
        const others = (await usable(user.id)).filter((one) => one.id !== id);
        if (others.length === 0 && !(await hasOwnWayIn(user.id)))
          throw new Refusal('federation.last_way_in', { kind: 'conflict' });
        await db.query('delete from upstream_identity where id = $1', [id]);
        await record('federation.unlinked', user.id, own.providerId, from);
        await tell(user, 'link-removed', from);
      }),

    /** Those made since: for an owner who says that it was not them. */
    async removeSince(accountId: string, since: Date): Promise<void> {
      await db.query('delete from upstream_identity where account_id = $1 and linked_at >= $2', [accountId, since]);
    },

    /** Notes that the person came by it. */
    used: (one: Identity, provider: Provider, arrival: Arrival): Promise<void> =>
      db.transact(async () => {
        await db.query('update upstream_identity set last_used_at = $2, label = $3, provider_id = $4 where id = $1', [
          one.id,
          clock.now(),
          labelOf(arrival) ?? one.label ?? null,
          provider.id,
        ]);
        await keepTokens(one.id, provider, arrival);
      }),

    /** The tokens of the last sign-in, where the provider's policy keeps them. */
    async tokensOf(id: string): Promise<Record<string, unknown> | undefined> {
      const [row] = await db.query<{ sealed_tokens: string | null }>(
        'select sealed_tokens from upstream_identity where id = $1',
        [id],
      );
      return row?.sealed_tokens ? JSON.parse(vault.open(row.sealed_tokens, tokenContext(id))) : undefined;
    },

    /** @returns how many were not sealed under the newest secret */
    reseal: (): Promise<number> =>
      db.transact(async () => {
        const rows = await db.query<{ id: string; sealed_tokens: string }>(
          'select id, sealed_tokens from upstream_identity where sealed_tokens is not null for update',
        );
        const old = rows.filter(({ sealed_tokens: sealed }) => !vault.isCurrent(sealed));
        for (const { id, sealed_tokens: sealed } of old) {
          const fresh = vault.seal(vault.open(sealed, tokenContext(id)), tokenContext(id));
          await db.query('update upstream_identity set sealed_tokens = $2 where id = $1', [id, fresh]);
        }
        return old.length;
      }),
  };
}

export type Identities = ReturnType<typeof createIdentities>;

const identity = (row: Row): Identity => ({
  id: row.id,
  providerId: row.provider_id,
  issuer: row.issuer,
  subject: row.subject,
  accountId: row.account_id,
  label: row.label ?? undefined,
  linkedAt: new Date(row.linked_at),
  lastUsedAt: row.last_used_at ? new Date(row.last_used_at) : undefined,
});

const labelOf = ({ email, claims }: Arrival): string | undefined => {
  const said = email ?? claims.preferred_username ?? claims.name;
  return typeof said === 'string' ? said.slice(0, 254) : undefined;
};
