import { randomBytes } from 'node:crypto';
import type { DPoPHandle, IDToken } from 'openid-client';

/** One authorization request on its way: what the answer must match. */
export interface Pending {
  state: string;
  nonce: string;
  codeVerifier: string;
  maxAge?: number;
  dpop?: DPoPHandle;
  /** The access token is to be one for this API. */
  resource?: string;
}

/** A person who has signed in, and the tokens we hold for them. Tokens never leave the server. */
export interface SignedIn {
  claims: IDToken;
  idToken: string;
  accessToken: string;
  refreshToken?: string;
  tokenType: string;
  scope: string;
  expiresAt?: Date;
  refreshes: number;
  dpop?: DPoPHandle;
  /** What opens our API, once it was called: a token of its own, good for nothing else. */
  api?: { accessToken: string; dpop?: DPoPHandle };
}

/** Said once, on the next page. */
export interface Notice {
  tone: 'good' | 'bad';
  text: string;
  detail?: string;
  /** A way on, when there is one. */
  action?: { label: string; href: string };
}

export interface Session {
  id: string;
  pending: Map<string, Pending>;
  signedIn?: SignedIn;
  notice?: Notice;
  expiresAt: number;
}

const LIFE = 12 * 3_600_000;
const MOST_SESSIONS = 10_000;
const MOST_PENDING = 10;

/**
 * Sessions in memory: enough for an example, gone with the process. A real application keeps them
 * where all its processes see them (Redis, a database): the same five functions.
 */
export function createSessions(now = () => Date.now()) {
  const sessions = new Map<string, Session>();

  function find(id: string | undefined): Session | undefined {
    const session = id === undefined ? undefined : sessions.get(id);
    if (session && session.expiresAt <= now()) sessions.delete(session.id);
    else return session;
  }

  function open(): Session {
    // A map keeps its order: the first is the oldest.
    if (sessions.size >= MOST_SESSIONS) sessions.delete(sessions.keys().next().value!);
    const session = { id: randomBytes(32).toString('base64url'), pending: new Map(), expiresAt: now() + LIFE };
    sessions.set(session.id, session);
    return session;
  }

  /** Several tabs may sign in at once, so that there may be several; not without end. */
  function expect(session: Session, pending: Pending): void {
    if (session.pending.size >= MOST_PENDING) session.pending.delete(session.pending.keys().next().value!);
    session.pending.set(pending.state, pending);
  }

  /** A new id with the new rights: an id planted before the sign-in is worth nothing after it (session fixation). */
  function signIn(old: Session, signedIn: SignedIn): Session {
    sessions.delete(old.id);
    const session = open();
    session.pending = old.pending;
    session.signedIn = signedIn;
    return session;
  }

  const close = (session: Session) => sessions.delete(session.id);

  /** Ends the session the provider names, or all of a person's when it names none. Answers how many. */
  function closeWhere({ sid, sub }: { sid?: string; sub?: string }): number {
    const ended = [...sessions.values()].filter(({ signedIn }) =>
      sid === undefined ? sub !== undefined && signedIn?.claims.sub === sub : signedIn?.claims.sid === sid,
    );
    for (const session of ended) {
      // Whoever is about to sign in as somebody else keeps the request that is on its way.
      if (session.pending.size > 0) session.signedIn = undefined;
      else close(session);
    }
    return ended.length;
  }

  return { find, open, expect, signIn, close, closeWhere };
}

export type Sessions = ReturnType<typeof createSessions>;
