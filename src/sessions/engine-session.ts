import { type Adapter, type AdapterPayload, Provider } from 'oidc-provider';
import { type Clock, secondsAfter, sha256 } from '../platform/index.ts';
import type { KeyValue } from '../platform/kv/index.ts';
import { graceSeconds } from './artifacts.ts';
import type { CaughtUp } from './caught-up.ts';
import {
  type Authorization,
  type Authorizations,
  type Changes,
  type createRegistry,
  type Ended,
  isChange,
  type SessionRecord,
} from './registry.ts';

/**
 * How long a rotated session id still leads to its session: for the requests that were under way with it, and for the browser
 * that took it back from the slowest of their answers.
 */
const aliasSeconds = 600;
/** How stale "last seen" and the expiry may be, in the registry and under the cookie's id, so that not each request writes. */
const touchSeconds = 60;

/** What is kept under the id of a cookie. */
interface Kept extends AdapterPayload {
  /**
   * When the registry's row was written last, in milliseconds, if this was written along with it. Two who write at once may
   * leave one that is not the row's: whoever remembers that row may then lack a part of it for half a minute, which is
   * asked for again (`authorize`), and nothing of what was stopped.
   */
  seen?: number | undefined;
  /** Under an id that another took the place of. */
  replaced?: true;
}

/** A document as it stands. */
interface Document {
  id: string;
  /** As JSON: the engine changes what it is given. */
  value: string;
  exp: number;
  seen: number | undefined;
}

/** What a request found, to tell afterwards what it changed. */
interface AsRead {
  record: Pick<SessionRecord, 'authTime' | 'acr' | 'amr' | 'seenAt' | 'authorizations'>;
  /** What stands under the cookie's id; nothing that counts where that was replaced. */
  found?: Document | undefined;
}

export interface RequestFacts {
  /** The engine is replacing this id by a new one: a rotation, not the end of the session. */
  isRotation(id: string): boolean;
  ip: string | undefined;
  userAgent: string | undefined;
}

/** Read from the engine's context of the request at hand. */
export function currentRequest(): RequestFacts {
  const ctx = Provider.ctx;
  const session = ctx?.oidc?.session as { jti?: string; oldId?: string } | undefined;
  return {
    isRotation: (id) => session?.oldId === id && session.jti !== id,
    ip: ctx?.ip,
    userAgent: ctx?.get('user-agent') || undefined,
  };
}

/**
 * The engine writes whole session documents, and the last writer would win. Here a session is two things: under each
 * cookie id (hashed) a small fleeting document that names its uid, and, once somebody has signed in, the registry's
 * row, which holds the truth: account, strength, authorizations. So requests in parallel merge what they changed, a
 * session ended by anyone is gone for all at once, and losing the fleeting half loses no grant that hangs on a session.
 *
 * ```
 *   cookie id ──▶ document {uid, state}  ──▶ registry row (uid): living? account, auth time, authorizations
 *   old id ─(10 min)─▶ the same uid            ▲ findByUid, for tokens bound to a session, asks only here
 * ```
 */
export function createSessionAdapter(deps: {
  kv: KeyValue;
  registry: ReturnType<typeof createRegistry>;
  clock: Clock;
  request: () => RequestFacts;
  /** Ends the session for good; tells who wants to know. */
  end: (uid: string) => Promise<unknown>;
  /** Applications were signed out of a session that goes on: makes the change and tells, all or nothing. */
  leave: (left: Ended[], change: () => Promise<void>) => Promise<void>;
  caughtUp?: CaughtUp | undefined;
}): Adapter {
  const { kv, registry, clock, request, end, leave, caughtUp } = deps;
  const keyOf = (id: string) => `Session:${sha256(id)}`;
  // The engine changes the very object we gave it, so the object itself can be asked what it was.
  const asRead = new WeakMap<object, AsRead>();

  const document = (record: SessionRecord, found?: Document): AdapterPayload => {
    const authorizations = copyOf(record.authorizations);
    asRead.set(authorizations, { record, found });
    return {
      kind: 'Session',
      uid: record.uid,
      accountId: record.accountId,
      loginTs: epoch(record.authTime),
      ...(record.acr !== undefined && { acr: record.acr }),
      ...(record.amr !== undefined && { amr: record.amr }),
      ...(!record.remember && { transient: true }),
      authorizations: authorizations as AdapterPayload['authorizations'],
      iat: epoch(record.createdAt),
      exp: epoch(record.expiresAt),
    };
  };

  /** From memory where the request has heard of all stops and what is remembered `serves`; else looked up. */
  const find = async (uid: string, serves: (known: SessionRecord) => boolean): Promise<SessionRecord | undefined> => {
    const known = caughtUp?.has() ? await registry.standing.get(uid) : undefined;
    return known && known.expiresAt > clock.now() && serves(known) ? known : registry.standing.fresh(uid);
  };

  /** @returns when the row was written; nothing when there was nothing to write */
  const register = async (payload: AdapterPayload, expiresIn: number): Promise<Date | undefined> => {
    const authorizations = (payload.authorizations ?? {}) as Authorizations;
    const now = clock.now();
    const expiresAt = secondsAfter(now, expiresIn);
    const signIn = {
      uid: payload.uid!,
      accountId: payload.accountId!,
      authTime: new Date(payload.loginTs! * 1000),
      acr: payload.acr,
      amr: payload.amr,
      remember: !payload.transient,
      expiresAt,
    };
    const before = asRead.get(authorizations);
    const changes = changesSince(before, authorizations);
    if (!before || isNewSignIn(before, payload)) {
      const { ip, userAgent } = request();
      await registry.signIn({ ...signIn, ip, userAgent }, changes, now);
    } else if (isChange(changes) || secondsAfter(before.record.seenAt, touchSeconds) <= now) {
      const update = () => registry.update(signIn.uid, expiresAt, changes, now);
      if (changes.removed.length === 0) await update();
      else await leave(partsLeft(before, changes.removed, signIn), update);
    } else return undefined;
    const record = { ...signIn, seenAt: now, authorizations: copyOf(authorizations) };
    asRead.set(authorizations, { record, found: before?.found });
    return now;
  };

  return {
    async upsert(id, payload, expiresIn) {
      // The registry first: it may refuse.
      const written = payload.accountId ? await register(payload, expiresIn!) : undefined;
      const { jti, authorizations, ...rest } = payload;
      const before = authorizations && asRead.get(authorizations);
      if (!written && before?.found?.id === id && isAsGood(before.found, rest)) return;
      const kept: Kept = { ...rest, seen: written?.getTime() };
      const value = JSON.stringify(kept);
      await kv.put(keyOf(id), value, expiresIn! + graceSeconds);
      if (before) before.found = { id, value, exp: kept.exp!, seen: kept.seen };
    },
    async find(id) {
      const value = await (caughtUp ?? kv).get(keyOf(id));
      if (value === undefined) return undefined;
      const { replaced, ...kept }: Kept = JSON.parse(value);
      const { seen, ...rest } = kept;
      if (!kept.accountId) return { ...rest, jti: id };
      const record = await find(kept.uid!, ({ seenAt }) => seenAt.getTime() === seen);
      if (record?.accountId !== kept.accountId) return undefined;
      const found = replaced ? undefined : { id, value, exp: kept.exp!, seen };
      return { ...rest, ...document(record, found), exp: kept.exp, jti: id };
    },
    async findByUid(uid) {
      // For a token that is bound to it: account and grant are all that is looked at. Whether another was granted
      // meanwhile is told by nobody, so what does not fit is looked up.
      const { clientId, grantId } = caughtUp?.origin() ?? {};
      const fits = (known: SessionRecord) => known.authorizations[clientId!]?.grantId === grantId;
      const record = await find(uid, clientId === undefined ? () => false : fits);
      return record && document(record);
    },
    async destroy(id) {
      const key = keyOf(id);
      const value = await kv.get(key);
      if (value === undefined) return;
      const kept: Kept = JSON.parse(value);
      const { accountId, uid } = kept;
      // Only the id of somebody signed in keeps leading anywhere: an id from before the sign-in may have been planted
      // by an attacker (session fixation) and must not lead to what came after.
      if (accountId && request().isRotation(id))
        return kv.put(key, JSON.stringify({ ...kept, replaced: true }), aliasSeconds);
      if (accountId) await end(uid!);
      await kv.remove(key);
    },
    async consume() {},
    async revokeByGrantId() {},
    async findByUserCode() {
      return undefined;
    },
  };
}

const epoch = (date: Date): number => Math.floor(date.getTime() / 1000);

/** Whether what stands says what is to be written, and for about as long. */
const isAsGood = ({ value, exp, seen }: Document, wanted: AdapterPayload): boolean =>
  wanted.exp! - exp < touchSeconds && JSON.stringify({ ...wanted, exp, seen }) === value;

const isNewSignIn = ({ record }: AsRead, payload: AdapterPayload): boolean =>
  epoch(record.authTime) !== payload.loginTs ||
  record.acr !== payload.acr ||
  JSON.stringify(record.amr) !== JSON.stringify(payload.amr);

const copyOf = (authorizations: Authorizations): Authorizations =>
  Object.fromEntries(Object.entries(authorizations).map(([clientId, one]) => [clientId, { ...one }]));

const isSame = (one: Authorization, before: Authorization | undefined): boolean =>
  before !== undefined &&
  (Object.keys({ ...before, ...one }) as (keyof Authorization)[]).every((name) => one[name] === before[name]);

function changesSince(before: AsRead | undefined, authorizations: Authorizations): Changes {
  const known = before?.record.authorizations ?? {};
  return {
    set: Object.fromEntries(Object.entries(authorizations).filter(([id, one]) => !isSame(one, known[id]))),
    removed: Object.keys(known).filter((clientId) => !(clientId in authorizations)),
  };
}

const partsLeft = (
  before: AsRead,
  clientIds: string[],
  { uid, accountId }: { uid: string; accountId: string },
): Ended[] =>
  clientIds.flatMap((clientId) => {
    const { sid } = before.record.authorizations[clientId]!;
    return sid ? [{ accountId, sessionUid: uid, clientId, sid }] : [];
  });
