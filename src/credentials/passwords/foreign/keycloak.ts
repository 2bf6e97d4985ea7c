import { base64 } from './family.ts';

/** A credential of type `password` in an export of a realm; both texts are JSON. */
export interface KeycloakCredential {
  credentialData: string;
  secretData: string;
}

/**
 * Keycloak keeps a hash's parameters and its bytes apart; as one text they are PBKDF2's modular form, or argon2's.
 * @returns undefined for what is neither
 */
export function keycloakHash({ credentialData, secretData }: KeycloakCredential): string | undefined {
  try {
    const { algorithm, hashIterations, additionalParameters = {} } = JSON.parse(credentialData);
    const { value, salt } = JSON.parse(secretData);
    const digest = base64(String(value))?.toString('base64').replace(/=+$/, '');
    const grain = base64(String(salt))?.toString('base64').replace(/=+$/, '');
    if (!digest || !grain || !Number.isSafeInteger(hashIterations)) return undefined;
    if (/^pbkdf2(-sha256|-sha512)?$/.test(algorithm)) return `$${algorithm}$${hashIterations}$${grain}$${digest}`;
    if (algorithm !== 'argon2') return undefined;
    const one = (name: string) => [additionalParameters[name]].flat()[0];
    const version = one('version') === '1.0' ? 16 : 19;
    return `$argon2${one('type')}$v=${version}$m=${one('memory')},t=${hashIterations},p=${one('parallelism')}$${grain}$${digest}`;
  } catch {
    return undefined;
  }
}
