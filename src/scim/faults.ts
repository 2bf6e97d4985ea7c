import type { Middleware } from 'koa';
import type { AppContext } from '../platform/http/index.ts';
import { Refusal, refusalHeaders, statusOfKind } from '../platform/index.ts';

/** RFC 7644, section 3.12, table 9; RFC 9865, section 3. */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue'
  | 'invalidVers'
  | 'sensitive'
  | 'invalidCursor'
  | 'expiredCursor'
  | 'invalidCount';

/** An error of the protocol, as it is answered. */
export class ScimFault extends Error {
  override readonly name = 'ScimFault';
  readonly status: number;
  readonly scimType: ScimType | undefined;

  constructor(status: number, scimType: ScimType | undefined, detail: string) {
    super(detail);
    this.status = status;
    this.scimType = scimType;
  }
}

/** The request is wrong, and how (400). */
export const bad = (scimType: ScimType, detail: string): ScimFault => new ScimFault(400, scimType, detail);

export const errorSchema = 'urn:ietf:params:scim:api:messages:2.0:Error';

export const errorBody = ({ status, scimType, message }: Pick<ScimFault, 'status' | 'scimType' | 'message'>) => ({
  schemas: [errorSchema],
  status: String(status),
  ...(scimType && { scimType }),
  detail: message,
});

/** What other rooms refuse, in SCIM's words; a refusal that is not here is told by its kind and its code. */
const known: Record<string, (refusal: Refusal) => ScimFault> = {
  'user.email_taken': () => new ScimFault(409, 'uniqueness', 'another user has this address or user name'),
  'user.user_name_taken': () => new ScimFault(409, 'uniqueness', 'another user has this user name'),
  'user.email_malformed': () => bad('invalidValue', 'the e-mail address is malformed'),
  'token.insufficient_scope': ({ details }) =>
    new ScimFault(403, undefined, `the token needs the scope ${String(details.scopes)}`),
  'limit.exceeded': () => new ScimFault(429, undefined, 'too many requests, try again later'),
};

export function faultOf(thrown: unknown): ScimFault | undefined {
  if (thrown instanceof ScimFault) return thrown;
  // What the protocol engine was told of a refusal in its own words is still that refusal.
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const refusal = thrown instanceof Refusal ? thrown : cause instanceof Refusal ? cause : undefined;
  if (refusal) return known[refusal.code]?.(refusal) ?? ofKind(refusal);
  return undefined;
}

function ofKind(refusal: Refusal): ScimFault {
  const { code, kind } = refusal;
  if (code.startsWith('password.')) return bad('invalidValue', `the password is refused: ${code}`);
  return new ScimFault(statusOfKind[kind], kind === 'invalid' ? 'invalidValue' : undefined, code);
}

/** Who sends a body and goes away before its end is no fault of ours. */
const isCutOff = (thrown: unknown): boolean =>
  ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((thrown as NodeJS.ErrnoException | undefined)?.code ?? '');

/** Every answer of this door that is not a success. A bug is logged whole and told as nothing but the request's id. */
export const scimFaults: Middleware = async (ctx, next) => {
  try {
    await next();
  } catch (thrown) {
    const { state } = ctx as AppContext;
    const fault = faultOf(thrown);
    if (isCutOff(thrown)) {
      state.log().info('the connection was cut off');
      ctx.status = 400;
      return;
    }
    if (!fault) state.log().error({ err: thrown }, 'a request failed');
    else state.log().info({ status: fault.status, scimType: fault.scimType }, 'refused');
    if (thrown instanceof Refusal) ctx.set(refusalHeaders(thrown));
    ctx.status = fault?.status ?? 500;
    ctx.body = JSON.stringify(
      errorBody(fault ?? { status: 500, scimType: undefined, message: `internal error, request ${state.traceId}` }),
    );
    ctx.type = 'application/scim+json';
  }
};
