/**
 * The engine's insides that Cardea touches; nothing else imports them. `engine-internals.test.ts` pins each, so that
 * an upgrade that moves one fails there and not in production.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
// @ts-expect-error the engine's insides have no types
import introspectionSteps from 'oidc-provider/lib/actions/introspection.js';
// @ts-expect-error
import revocationSteps from 'oidc-provider/lib/actions/revocation.js';
// @ts-expect-error
import tokenSteps from 'oidc-provider/lib/actions/token.js';
// @ts-expect-error
import als from 'oidc-provider/lib/helpers/als.js';
// @ts-expect-error
import Router from 'oidc-provider/lib/helpers/router.js';
// @ts-expect-error
import validateDpop from 'oidc-provider/lib/helpers/validate_dpop.js';
// @ts-expect-error
import instance from 'oidc-provider/lib/helpers/weak_cache.js';
// @ts-expect-error
import rejectStructuredTokens from 'oidc-provider/lib/shared/reject_structured_tokens.js';
import { allForEngine, forEngine } from './faults.ts';

export type Step = (ctx: KoaContextWithOIDC, next: () => Promise<void>) => Promise<void> | void;

/**
 * Stands `around` the handler of a grant type. The parameters that the engine reads for it stay as they were.
 */
export function wrapGrant(provider: Provider, grantType: string, around: (engine: Step) => Step): void {
  const { grantTypeHandlers } = instance(provider) as { grantTypeHandlers: Map<string, Step> };
  const engine = grantTypeHandlers.get(grantType);
  if (!engine) throw new Error(`the engine has no handler for ${grantType}`);
  const ours = around(engine);
  grantTypeHandlers.set(
    grantType,
    forEngine(async (ctx: KoaContextWithOIDC, next: () => Promise<void>) => ours(ctx, next)),
  );
}

/** Stands `around` the handlers of all grant types; the client has proved itself by then. */
export function wrapGrants(provider: Provider, around: (engine: Step) => Step): void {
  const { grantTypeHandlers } = instance(provider) as { grantTypeHandlers: Map<string, Step> };
  for (const grantType of [...grantTypeHandlers.keys()]) wrapGrant(provider, grantType, around);
}

/** The scopes that the engine gives a meaning to, those of custom claims included. */
export const openIdScopesOf = (provider: Provider): ReadonlySet<string> =>
  (instance(provider) as { configuration: { scopes: Set<string> } }).configuration.scopes;

/** The key thumbprint of the request's DPoP proof, after the checks of RFC 9449, section 4.3. */
export const dpopKey = async (provider: Provider, ctx: KoaContextWithOIDC): Promise<string | undefined> =>
  (await validateDpop(provider, ctx))?.thumbprint;

/** What the store keeps of a token that was just issued, without its id and times; undefined for a JWT. */
export async function storedPayload(token: object): Promise<Record<string, unknown> | undefined> {
  type Issued = { getValueAndPayload(): Promise<{ payload?: Record<string, unknown> }> };
  const { payload } = await (token as Issued).getValueAndPayload();
  if (!payload) return undefined;
  const { jti: _jti, iat: _iat, exp: _exp, ...kept } = payload;
  return kept;
}

/** What answers at the introspection and revocation endpoints, after the engine authenticated the client. */
export interface TokenEndpoints {
  introspect(ctx: KoaContextWithOIDC, engine: () => Promise<void>): Promise<void>;
  revoke(ctx: KoaContextWithOIDC, engine: () => Promise<void>): Promise<void>;
}

const tokenEndpoints = new WeakMap<Provider, TokenEndpoints>();

/** Lets `endpoints` answer for this provider, JWTs included, which the engine itself refuses. */
export function answerTokenEndpoints(provider: Provider, endpoints: TokenEndpoints): void {
  tokenEndpoints.set(provider, allForEngine(endpoints));
}

/** The engine's steps are module-wide lists: the one that refuses JWTs goes, and the last one asks us first. */
function opened(steps: Step[], ask: keyof TokenEndpoints): void {
  const refusing = steps.indexOf(rejectStructuredTokens);
  const engine = steps.at(-1);
  if (refusing < 0 || !engine) throw new Error(`the engine's ${ask} endpoint is not as expected`);
  steps.splice(refusing, 1);
  steps[steps.length - 1] = async (ctx, next) => {
    const ours = tokenEndpoints.get(ctx.oidc.provider);
    const engineAnswers = async () => engine(ctx, next);
    await (ours ? ours[ask](ctx, engineAnswers) : engineAnswers());
  };
}
opened(introspectionSteps, 'introspect');
opened(revocationSteps, 'revoke');

/** RFC 6749, section 5.2, has a code of its own for a grant type that the client may not use. */
const mayUse: Step = async (ctx, next) => {
  const { client, params } = ctx.oidc;
  if (!client!.grantTypeAllowed(String(params!.grant_type)))
    throw new errors.UnauthorizedClient('requested grant type is not allowed for this client');
  await next();
};
const grantTypeCheck = (tokenSteps as Step[]).findIndex(({ name }) => name === 'allowedGrantTypeCheck');
if (grantTypeCheck < 0) throw new Error('the engine’s token endpoint is not as expected');
tokenSteps[grantTypeCheck] = mayUse;

type EnsureContext = (ctx: KoaContextWithOIDC & { router?: object }, next: () => Promise<void>) => Promise<void>;
type WithContext = Provider & { OIDCContext: new (ctx: KoaContextWithOIDC) => KoaContextWithOIDC['oidc'] };

const letGo = new WeakMap<object, WithContext>();

/**
 * Has this provider's requests be forgotten once they are answered. The engine gives each an accessor, `ctx.oidc`, with a
 * function of its own; V8 keeps the functions of accessors among old objects, so that all such a function refers to, the
 * whole request, is copied about until the next full collection. A property does the same.
 */
export const letRequestsGo = (provider: Provider): void => {
  letGo.set(instance(provider).router, provider as WithContext);
};

const ensureProperty =
  (ensureAccessor: EnsureContext): EnsureContext =>
  (ctx, next) => {
    const provider = ctx.router && letGo.get(ctx.router);
    if (!provider) return ensureAccessor(ctx, next);
    (ctx as { oidc: KoaContextWithOIDC['oidc'] }).oidc = new provider.OIDCContext(ctx);
    return als.run(ctx, next);
  };

for (const method of ['get', 'post', 'put', 'delete', 'options']) {
  const plain = Router.prototype[method];
  Router.prototype[method] = function register(name: string, path: string, ensure: EnsureContext, ...steps: Step[]) {
    if (ensure.name !== 'ensureOIDC') throw new Error('the engine’s routes are not as expected');
    return plain.call(this, name, path, ensureProperty(ensure), ...steps);
  };
}
