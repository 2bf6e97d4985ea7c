/**
 * Signing keys: made, published, rotated, retired, encrypted at rest. Says which key signs now and which are published;
 * signing itself is left to whoever has something to sign.
 */

export type { JwksResponse } from './jwks.ts';
export { type CurrentKeys, createKeys, type Keys } from './keys.ts';
export { defaultKeySettings, type KeySettings, keysStopped, type Rotated, type RotateOptions } from './rotation.ts';
export { signNow } from './sign.ts';
export { type KeyRow, type Stage, stageAt } from './stages.ts';
