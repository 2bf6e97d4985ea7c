import type { AppContext } from '../platform/http/index.ts';
import type { AccountPorts } from './ports.ts';

type Handler = (ctx: AppContext) => Promise<void>;

const json =
  (body: object): Handler =>
  async (ctx) => {
    ctx.set('cache-control', 'public, max-age=3600');
    ctx.type = 'json';
    ctx.body = body;
  };

/** Where password managers send people to make a passkey and to look after theirs (Passkey Endpoints, W3C). */
export const passkeyEndpoints = ({ settings: { issuer } }: Pick<AccountPorts, 'settings'>): Handler =>
  json({ enroll: `${issuer}/account/passkeys`, manage: `${issuer}/account/passkeys` });

/** Which other origins may use our passkeys (WebAuthn Level 3, section 5.11.1); browsers ask, people do not. */
export const relatedOrigins = ({ passkeys }: Pick<AccountPorts, 'passkeys'>): Handler =>
  json({ origins: passkeys.origins });
