import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { isForm, type KnownProofs, type ShortWay } from '../front/index.ts';
import { type Keys, keysStopped, signNow } from '../keys/index.ts';
import { type Clock, type Rate, randomToken, type Stops } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { type Step, storedPayload, wrapGrant } from './engine-internals.ts';

/** A token that the engine gave out, to be given out again under another name and a later hour. */
export interface Decided {
  /** The answer without its token. */
  answer: { expires_in: number; [name: string]: unknown };
  /** What is kept of an opaque token; without it the token is a JWT. */
  kept?: Record<string, unknown>;
  /** The first part of a JWT, and its claims. */
  header: string;
  claims: Record<string, unknown>;
  /** Of the key that signed. */
  kid?: string;
}

export interface ServiceTokenPorts {
  /** Of the token endpoint. */
  path: string;
  known: KnownProofs<Decided>;
  sessions: Pick<Sessions, 'adapter'>;
  stops: Stops;
  keys: Keys;
  clock: Clock;
  /** How much a client may ask for. */
  rate: Rate;
  /** For counting. */
  issued?: ((grantType: string) => void) | undefined;
}

const grantType = 'client_credentials';
const isForService = (body: string) => body.includes(`grant_type=${grantType}`);

/** A service sends the same request again and again; what it sent is what proves it. */
const proofOf = (authorization: string | undefined, body: string) => `${authorization ?? ''}\n${body}`;

/**
 * Client credentials (RFC 6749, section 4.4) without the engine. It decides the first time: who asks, for which resource,
 * with which scopes, in which format, for how long. A request that is the same to the byte is decided the same for half a
 * minute, unless the client, the resource server or the key was changed: the token differs in its id and its times.
 */
export function issueServiceTokensShortly(ports: ServiceTokenPorts): ShortWay {
  const { path, known, sessions, stops, keys, clock, rate, issued } = ports;
  const store = sessions.adapter('ClientCredentials');

  const asJwt = ({ header, claims, kid }: Decided, times: object): string | undefined => {
    const key = keys.current().all.find((one) => one.kid === kid);
    const unsigned = `${header}.${encode({ ...claims, jti: randomToken(), ...times })}`;
    const signature = key && signNow(key, unsigned);
    return signature && `${unsigned}.${signature.toString('base64url')}`;
  };

  /** Kept before it is known whether it may be: nobody has been told of it yet. */
  const asOpaque = async ({ kept, answer }: Decided, times: object): Promise<string> => {
    const id = randomToken();
    await store.upsert(id, { ...kept, ...times } as never, answer.expires_in);
    return id;
  };

  return {
    method: 'POST',
    path,
    takes: isForm,
    leave: (request, body) =>
      isForService(body) ? known.began(request, proofOf(request.headers.authorization, body)) : undefined,
    async answer(request, body) {
      if (!isForService(body)) return undefined;
      const found = known.find(request, proofOf(request.headers.authorization, body));
      if (!found) return undefined;
      const due = rate.demand(found.clientId);
      if (due) await due;
      const decided = found.value;
      const iat = Math.floor(clock.now().getTime() / 1000);
      const times = { iat, exp: iat + decided.answer.expires_in };
      // Where it cannot be told what was stopped, what was decided is no longer good.
      const caughtUp = stops.catchUp().catch(() => {});
      const [opaque] = await Promise.all([decided.kept && asOpaque(decided, times), caughtUp]);
      if (!known.isGood(found)) return undefined;
      const access_token = opaque ?? asJwt(decided, times);
      if (access_token === undefined) return undefined;
      issued?.(grantType);
      return { ...decided.answer, access_token };
    },
  };
}

/** Notes what the engine decides. */
export function noteServiceTokens(provider: Provider, known: KnownProofs<Decided>): void {
  const note = async (ctx: KoaContextWithOIDC) => {
    const { ClientCredentials: token } = ctx.oidc.entities;
    // One that is bound to a key was proved anew.
    if (!token || token.isSenderConstrained()) return;
    const { access_token, ...answer } = ctx.body as { access_token: string; expires_in: number };
    const kept = await storedPayload(token);
    const decided = kept ? { answer, kept, header: '', claims: {} } : { answer, ...readJwt(access_token) };
    const from = [`resource-server:${token.aud}`, keysStopped];
    await known.remember(ctx.req, ctx.oidc.client!.clientId, decided, from);
  };
  wrapGrant(
    provider,
    grantType,
    (engine: Step): Step =>
      async (ctx, next) => {
        await engine(ctx, next);
        // Whatever fails here, the token is given: the next one will be decided again.
        await note(ctx).catch(() => {});
      },
  );
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString());

function readJwt(token: string): Pick<Decided, 'header' | 'claims' | 'kid'> {
  const [header, payload] = token.split('.') as [string, string];
  return { header, claims: decode(payload), kid: decode(header).kid as string };
}
