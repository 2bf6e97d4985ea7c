/** What sort of "no" it is. Each door turns a kind into its protocol's words in one place. */
export type RefusalKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'missing'
  | 'conflict'
  | 'limited'
  | 'unavailable';

export interface RefusalOptions {
  kind: RefusalKind;
  /** Facts for the answer; never a secret. */
  details?: Record<string, unknown>;
  /** Seconds until another try makes sense. */
  retryAfter?: number;
  cause?: unknown;
}

/**
 * An expected "no", with a stable code `room.reason`. Whatever else is thrown is a bug:
 * it is logged whole and shown as nothing but an id.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;
  readonly kind: RefusalKind;
  readonly details: Record<string, unknown>;
  readonly retryAfter: number | undefined;

  constructor(code: string, options: RefusalOptions) {
    super(code, { cause: options.cause });
    this.code = code;
    this.kind = options.kind;
    this.details = options.details ?? {};
    this.retryAfter = options.retryAfter;
  }
}

/** HTTP status of each kind, for the doors that speak HTTP. */
export const statusOfKind: Record<RefusalKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing: 404,
  conflict: 409,
  limited: 429,
  unavailable: 503,
};
