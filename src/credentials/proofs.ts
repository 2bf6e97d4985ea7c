import { randomInt } from 'node:crypto';
import type { Db } from '../platform/db/index.ts';
import {
  type Clock,
  newId,
  Refusal,
  randomToken,
  sameBytes,
  secondsAfter,
  sha256,
  type Vault,
} from '../platform/index.ts';

export type ProofPurpose = 'verify_email' | 'reset_password' | 'choose_password' | 'change_email';

/** What goes into a letter, and what stays in the browser that asked for it. */
export interface IssuedProof {
  /** Eight digits, to be typed into the browser that holds the handle. */
  code: string;
  /** 256 random bits, good in any browser. */
  link: string;
  /** Goes into the browser's cookie or attempt: without it the code is worth nothing. */
  handle: string;
  expiresAt: Date;
}

/** Somebody has shown a letter's code or link. Still has to be {@link Proofs.use}d. */
export interface Proof {
  readonly id: string;
  readonly userId: string;
  readonly purpose: ProofPurpose;
  /** The address the letter went to. */
  readonly email: string;
  readonly expiresAt: Date;
}

/**
 * The codes and links of letters, by which a person proves to read an address. Kept as hashes (codes as MACs: so few
 * possibilities are soon tried). One of each purpose is good at a time, for one use.
 *
 * Anybody can have a letter sent and guess at its code, five times a letter. With eight digits and the 30 wrong ones a day that
 * `budgets.wrongCodes` leaves each account, guessing without pause for a year finds the code of one account in nine thousand.
 *
 * ```
 *  issue ──▶ open ── use ──▶ used          match (code, link) and peek (link) change nothing but the attempts left
 *             ├── five wrong codes ──▶ the code is dead, the link is not
 *             ├── newer one issued, address changed ──▶ replaced
 *             └── time ──▶ expired
 * ```
 */
export interface Proofs {
  /**
   * Makes code and link, in place of older ones of the purpose; in the open transaction.
   * @param input.ttl seconds
   * @param input.handle of the browser, when it has one already (the letter is sent again)
   */
  issue(input: {
    userId: string;
    purpose: ProofPurpose;
    email: string;
    ttl: number;
    handle?: string | undefined;
  }): Promise<IssuedProof>;
  /** A handle that leads nowhere, for those to whom no letter is sent but who must not learn it. */
  decoy(): string;
  /** The handle of whoever answers this question of ours: the same for a form that is sent twice. */
  handleOf(question: string): string;
  /**
   * Compares a code, at the cost of one of its five attempts. That cost is paid outside of any transaction, so that
   * none gives it back by rolling back: call it before opening one.
   * @throws Refusal `proof.code_refused` (invalid): wrong, expired, used, too often tried, or from elsewhere: it does not say
   */
  matchCode(input: { handle: string; purpose: ProofPurpose; code: string }): Promise<Proof>;
  /** Looks at a link and changes nothing; what a GET does. @throws Refusal `proof.link_refused` (invalid) */
  peekLink(link: string, purpose: ProofPurpose | readonly ProofPurpose[]): Promise<Proof>;
  /**
   * Uses it up, in the open transaction: of 64 at once one wins.
   * @throws Refusal `proof.spent` (conflict) when it was used, replaced or has expired since
   */
  use(proof: Proof): Promise<void>;
  /** {@link matchCode} and {@link use}. */
  redeemCode(input: { handle: string; purpose: ProofPurpose; code: string }): Promise<Proof>;
  /** {@link peekLink} and {@link use}. */
  redeemLink(link: string, purpose: ProofPurpose | readonly ProofPurpose[]): Promise<Proof>;
  /** Whether the handle is of the browser that asked for this letter. */
  isFrom(proof: Proof, handle: string | undefined): Promise<boolean>;
  /** The unused proof to which a handle belongs, to send the letter again: also when it has expired, that is why. */
  behind(handle: string, purpose: ProofPurpose): Promise<Proof | undefined>;
  /** Whose proof this browser asked for, if it has been used: the letter's link was opened meanwhile, here or elsewhere. */
  settled(handle: string, purpose: ProofPurpose): Promise<string | undefined>;
  /** For a form between the code and the last step: names the proof, without the code, to whoever sealed it. */
  toTicket(proof: Proof): string;
  /** @throws Refusal `proof.spent` (conflict) when it is not ours or no longer good */
  fromTicket(ticket: string): Promise<Proof>;
  /** Ends what a person has been sent, for instance because the address has changed. */
  revoke(userId: string, purpose?: ProofPurpose): Promise<void>;
  /** Removes some that expired more than a day ago. @returns how many */
  sweep(): Promise<number>;
}

const attempts = 5;
const codeDigits = 8;
const ticketContext = 'proof.ticket';

interface Row {
  id: string;
  user_id: string;
  purpose: ProofPurpose;
  email: string;
  code_mac: string;
  expires_at: Date;
}

const proofOf = (row: Row): Proof => ({
  id: row.id,
  userId: row.user_id,
  purpose: row.purpose,
  email: row.email,
  // In a transaction the driver gives it as text.
  expiresAt: new Date(row.expires_at),
});

export function createProofs(options: { db: Db; clock: Clock; vault: Vault }): Proofs {
  const { db, clock, vault } = options;
  const columns = 'id, user_id, purpose, email, code_mac, expires_at';
  const codeMac = (id: string, code: string) => vault.mac(`${id} ${code}`, 'proof.code');

  const first = async (where: string, params: readonly unknown[]): Promise<Proof | undefined> => {
    const [row] = await db.query<Row>(
      `select ${columns} from one_time_proof where used_at is null and expires_at > $1 and ${where}`,
      [clock.now(), ...params],
    );
    return row && proofOf(row);
  };

  const proofs: Proofs = {
    async issue({ userId, purpose, email, ttl, handle = randomToken() }) {
      const id = newId();
      const link = randomToken();
      const code = randomInt(10 ** codeDigits)
        .toString()
        .padStart(codeDigits, '0');
      const expiresAt = secondsAfter(clock.now(), ttl);
      await db.query(
        `insert into one_time_proof
           (id, user_id, purpose, email, code_mac, link_hash, handle_hash, attempts_left, issued_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (user_id, purpose) do update set
           id = excluded.id, email = excluded.email, code_mac = excluded.code_mac, link_hash = excluded.link_hash,
           handle_hash = excluded.handle_hash, attempts_left = excluded.attempts_left,
           issued_at = excluded.issued_at, expires_at = excluded.expires_at, used_at = null`,
        [id, userId, purpose, email, codeMac(id, code), sha256(link), sha256(handle), attempts, clock.now(), expiresAt],
      );
      return { code, link, handle, expiresAt };
    },

    decoy: () => randomToken(),

    handleOf: (question) => vault.mac(question, 'proof.handle'),

    async matchCode({ handle, purpose, code }) {
      // On a connection of its own: counting first and for good is what bounds 64 guesses at once to five.
      const { rows } = await db.pool.query<Row>(
        `update one_time_proof set attempts_left = attempts_left - 1
         where handle_hash = $1 and purpose = $2 and used_at is null and expires_at > $3 and attempts_left > 0
         returning ${columns}`,
        [sha256(handle), purpose, clock.now()],
      );
      const row = rows.find(({ id, code_mac }) => sameBytes(code_mac, codeMac(id, code.replace(/[\s-]/g, ''))));
      if (!row) throw new Refusal('proof.code_refused', { kind: 'invalid' });
      return proofOf(row);
    },

    async peekLink(link, purpose) {
      const proof = await first('link_hash = $2 and purpose = any($3)', [sha256(link), [purpose].flat()]);
      if (!proof) throw new Refusal('proof.link_refused', { kind: 'invalid' });
      return proof;
    },

    async use({ id }) {
      const used = await db.query(
        `update one_time_proof set used_at = $2
         where id = $1 and used_at is null and expires_at > $2 returning id`,
        [id, clock.now()],
      );
      if (used.length === 0) throw new Refusal('proof.spent', { kind: 'conflict' });
    },

    async redeemCode(input) {
      const proof = await proofs.matchCode(input);
      await proofs.use(proof);
      return proof;
    },

    async redeemLink(link, purpose) {
      const proof = await proofs.peekLink(link, purpose);
      await proofs.use(proof);
      return proof;
    },

    isFrom: async ({ id }, handle) =>
      handle !== undefined &&
      (await db.query('select 1 from one_time_proof where id = $1 and handle_hash = $2', [id, sha256(handle)])).length >
        0,

    async behind(handle, purpose) {
      const [row] = await db.query<Row>(
        `select ${columns} from one_time_proof where handle_hash = $1 and purpose = $2 and used_at is null`,
        [sha256(handle), purpose],
      );
      return row && proofOf(row);
    },

    async settled(handle, purpose) {
      const [row] = await db.query<{ user_id: string }>(
        `select user_id from one_time_proof
         where handle_hash = $1 and purpose = $2 and used_at is not null and expires_at > $3`,
        [sha256(handle), purpose, clock.now()],
      );
      return row?.user_id;
    },

    toTicket: ({ id }) => vault.seal(id, ticketContext),

    async fromTicket(ticket) {
      const proof = await first('id = $2', [opened(ticket)]);
      if (!proof) throw new Refusal('proof.spent', { kind: 'conflict' });
      return proof;
    },

    async revoke(userId, purpose) {
      await db.query('delete from one_time_proof where user_id = $1 and ($2::text is null or purpose = $2)', [
        userId,
        purpose ?? null,
      ]);
    },

    async sweep() {
      const gone = await db.query(
        `delete from one_time_proof where id in (select id from one_time_proof where expires_at < $1 limit 1000)
         returning id`,
        [secondsAfter(clock.now(), -24 * 60 * 60)],
      );
      return gone.length;
    },
  };

  const opened = (ticket: string): string => {
    try {
      return vault.open(ticket, ticketContext);
    } catch (error) {
      throw new Refusal('proof.spent', { kind: 'conflict', cause: error });
    }
  };
  return proofs;
}
