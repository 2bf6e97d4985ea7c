import { errors, Provider } from 'oidc-provider';
import { type Refusal, refusalHeaders } from '../platform/index.ts';

/** Something was done too often, in the engine's words: HTTP 429, and when to come again. */
export class TooMany extends errors.OIDCProviderError {
  constructor(cause: Refusal, description = 'too many requests, try again later') {
    super(429, 'temporarily_unavailable', { cause, detail: cause.code });
    this.error_description = description;
    // The engine's errors carry no headers; the answer under way does.
    Provider.ctx?.set(refusalHeaders(cause));
  }
}
