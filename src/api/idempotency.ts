import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, secondsAfter, sha256, type Vault } from '../platform/index.ts';

/** An answer that can be given again. */
export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string | undefined;
}

const keptSeconds = 24 * 60 * 60;

/**
 * The header `Idempotency-Key`: a request sent again is answered again and not done again. What is done and the note of
 * it commit together, so there is no moment at which a crash would leave one without the other; a refusal is not kept,
 * as nothing was done.
 */
export function createIdempotency({ db, clock, vault }: { db: Db; clock: Clock; vault: Vault }) {
  return {
    /**
     * @param key as the caller chose it; each caller has keys of their own
     * @param request what must be the same the next time
     * @throws Refusal `idempotency.running` (conflict) while the first one is at work, `idempotency.reused` (invalid)
     */
    once: (caller: string, key: string, request: string, work: () => Promise<KeptAnswer>) =>
      db.transact(async (): Promise<KeptAnswer & { replayed: boolean }> => {
        const name = sha256(`${caller}\n${key}`);
        // Tried and not waited for: sixty who wait would hold the connections that the first one needs.
        const [lock] = await db.query<{ got: boolean }>(
          'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as got',
          [`idempotency:${name}`],
        );
        if (!lock!.got) throw new Refusal('idempotency.running', { kind: 'conflict', retryAfter: 1 });
        const [kept] = await db.query<{ request: string; answer: string }>(
          'select request, answer from kept_answer where name = $1 and expires_at > $2',
          [name, clock.now()],
        );
        if (kept) {
          if (kept.request !== sha256(request)) throw new Refusal('idempotency.reused', { kind: 'invalid' });
          return { ...(JSON.parse(vault.open(kept.answer, contextOf(name))) as KeptAnswer), replayed: true };
        }
        const answer = await work();
        // Sealed: it may say who people are, or a secret that is shown once.
        const sealed = vault.seal(JSON.stringify(answer), contextOf(name));
        await db.query(
          `insert into kept_answer (name, request, answer, expires_at) values ($1, $2, $3, $4)
           on conflict (name) do update
             set request = excluded.request, answer = excluded.answer, expires_at = excluded.expires_at`,
          [name, sha256(request), sealed, secondsAfter(clock.now(), keptSeconds)],
        );
        return { ...answer, replayed: false };
      }),

    /** Forgets what is older than a day; call it every hour or so. */
    async tidy(): Promise<void> {
      await db.query('delete from kept_answer where expires_at < $1', [clock.now()]);
    },
  };
}

export type Idempotency = ReturnType<typeof createIdempotency>;

const contextOf = (name: string) => `api.answer:${name}`;

/** The key as the draft writes it, a quoted string, or bare as most do. @throws Refusal `request.invalid` */
export function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(String(header))?.[1] ?? String(header);
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const errors = [{ header: 'Idempotency-Key', code: 'format', detail: '1 to 255 visible ASCII characters' }];
  throw new Refusal('request.invalid', { kind: 'invalid', details: { errors } });
}
