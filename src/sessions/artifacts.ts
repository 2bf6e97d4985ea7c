import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { sha256, type Vault } from '../platform/index.ts';
import type { KeyValue } from '../platform/kv/index.ts';
import type { CaughtUp } from './caught-up.ts';

/**
 * The engine judges expiry itself, and tells an expired code from an unknown one (RFC 8628, section 3.5:
 * `expired_token`). So an artifact is kept a little longer than it lives.
 */
export const graceSeconds = 60;

/** How an engine's model is kept in the fleeting half. */
export interface FleetingModel {
  /**
   * Sealed whole under CARDEA_SECRET, because the payload itself carries bearer values (a device code, a request_uri, a
   * notification token). The others carry only their own id, which is stripped.
   */
  sealed?: true;
  /** Among those of another model, so that who does not know which one it is looks once. */
  among?: string;
  /** Single use: what whoever comes too late is told. */
  spent?: () => Error;
  /**
   * What a spent one looks like to the engine. `shown`: as consumed, so that the engine ends the grant of a code that
   * is replayed (RFC 6749, section 4.1.2). `hidden`: as unknown; polling twice is no theft.
   */
  afterUse?: 'shown' | 'hidden';
}

const spentGrant = () => new errors.InvalidGrant('already used');

export const fleetingModels: Record<string, FleetingModel> = {
  AccessToken: {},
  ClientCredentials: { among: 'AccessToken' },
  AuthorizationCode: { spent: spentGrant, afterUse: 'shown' },
  PreAuthorizedCode: { spent: spentGrant, afterUse: 'hidden' },
  DeviceCode: { sealed: true, spent: spentGrant, afterUse: 'hidden' },
  BackchannelAuthenticationRequest: { sealed: true, spent: spentGrant, afterUse: 'hidden' },
  PushedAuthorizationRequest: {
    sealed: true,
    spent: () => new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used'),
    afterUse: 'shown',
  },
  Interaction: { sealed: true },
};

/**
 * Keeps one model of the engine in the fleeting half. Keys are hashes of the ids: who reads the store cannot present
 * what is in it. Nothing is listed by grant: the engine reads the grant again at each use of a token, so ending the
 * grant is enough.
 */
export function createFleetingAdapter(
  model: string,
  kept: FleetingModel,
  deps: { kv: KeyValue; vault: Vault; caughtUp?: CaughtUp | undefined },
): Adapter {
  const { kv, vault, caughtUp } = deps;
  // By these a request comes to the engine; what they hang on is asked for next.
  const heard = model === 'AccessToken' || model === 'AuthorizationCode' ? caughtUp : undefined;
  const keyOf = (id: string) => `${kept.among ?? model}:${sha256(id)}`;
  const userCodeKey = (userCode: string) => `UserCode:${vault.mac(userCode, 'user-code')}`;

  const pack = (key: string, payload: AdapterPayload): string => {
    if (kept.sealed) return vault.seal(JSON.stringify(payload), key);
    const { jti, consumed, ...rest } = payload;
    return JSON.stringify(rest);
  };
  const unpack = (key: string, value: string): AdapterPayload =>
    JSON.parse(kept.sealed ? vault.open(value, key) : value);

  return {
    async upsert(id, payload, expiresIn) {
      const key = keyOf(id);
      const seconds = secondsToKeep(model, expiresIn);
      const writes = [kv.put(key, pack(key, payload), seconds)];
      // Short and guessable, hence a MAC and not a hash; it names the device code's key, which opens nothing.
      if (payload.userCode) writes.push(kv.put(userCodeKey(payload.userCode as string), key, seconds));
      await Promise.all(writes);
    },
    async find(id) {
      const key = keyOf(id);
      if (!kept.spent) {
        const value = await (heard ?? kv).get(key);
        if (value === undefined) return undefined;
        const payload = unpack(key, value);
        if (payload.kind !== model) return undefined;
        heard?.note(payload);
        return { ...payload, jti: id };
      }
      const stored = await (heard ?? kv).read(key);
      if (!stored || (stored.usedAt && kept.afterUse === 'hidden')) return undefined;
      const payload = unpack(key, stored.value);
      heard?.note(payload);
      return { ...payload, jti: id, consumed: stored.usedAt };
    },
    async findByUserCode(userCode) {
      const key = await kv.get(userCodeKey(userCode));
      const value = key && (await kv.get(key));
      return value ? unpack(key, value) : undefined;
    },
    async consume(id) {
      if (!(await kv.use(keyOf(id)))) throw (kept.spent ?? spentGrant)();
    },
    async destroy(id) {
      await kv.remove(keyOf(id));
    },
    async revokeByGrantId() {},
    async findByUid() {
      return undefined;
    },
  };
}

/** Where an access token is kept, whoever it was given to. */
export const accessTokenKey = (token: string): string => `AccessToken:${sha256(token)}`;

/** A DPoP proof or client assertion is accepted once: writing the mark is the check. */
export function createReplayAdapter(kv: KeyValue): Adapter {
  const keyOf = (id: string) => `ReplayDetection:${id}`;
  const none = async () => undefined;
  return {
    async upsert(id, payload, expiresIn) {
      const seconds = secondsToKeep('ReplayDetection', expiresIn);
      const fresh = await kv.add(keyOf(id), JSON.stringify({ iss: payload.iss, exp: payload.exp }), seconds);
      if (!fresh) throw new errors.InvalidGrant('replay detected');
    },
    async find(id) {
      const value = await kv.get(keyOf(id));
      return value === undefined ? undefined : { ...JSON.parse(value), jti: id };
    },
    destroy: none,
    consume: none,
    revokeByGrantId: none,
    findByUid: none,
    findByUserCode: none,
  };
}

function secondsToKeep(model: string, expiresIn: number | undefined): number {
  if (typeof expiresIn !== 'number') throw new TypeError(`${model} cannot be kept without an end`);
  return expiresIn + graceSeconds;
}
