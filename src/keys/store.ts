import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Db } from '../platform/db/index.ts';
import type { Vault } from '../platform/index.ts';
import type { KeyRow } from './stages.ts';

/** A stored key with its private part as sealed. */
export interface StoredKey extends KeyRow {
  sealedPrivate: string | undefined;
}

/** What a private part is bound to, so that no row's can be put into another's place. */
export const keyContext = (kid: string) => `signing_key:${kid}`;

/** A fresh key pair under its RFC 7638 thumbprint. */
export async function makeKey(
  alg: string,
  vault: Vault,
): Promise<Pick<StoredKey, 'kid' | 'alg' | 'publicJwk' | 'sealedPrivate'>> {
  const pair = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  const kid = await calculateJwkThumbprint(publicJwk);
  const described = { kid, alg, use: 'sig' };
  return {
    kid,
    alg,
    publicJwk: { ...publicJwk, ...described },
    sealedPrivate: vault.seal(JSON.stringify({ ...privateJwk, ...described }), keyContext(kid)),
  };
}

/** @throws Error when the private part cannot be opened under the secrets at hand */
export const openKey = (key: StoredKey, vault: Vault): JWK =>
  JSON.parse(vault.open(key.sealedPrivate!, keyContext(key.kid)));

/** Keys not gone at `now`. */
export async function standingKeys(db: Db, now: Date): Promise<StoredKey[]> {
  const rows = await db.query<Record<string, never>>(
    'select * from signing_key where gone_from is null or gone_from > $1 order by signs_from, kid',
    [now],
  );
  return rows.map((row) => ({
    kid: row.kid!,
    alg: row.alg!,
    publicJwk: row.public_jwk!,
    sealedPrivate: row.sealed_private ?? undefined,
    createdAt: new Date(row.created_at!),
    signsFrom: new Date(row.signs_from!),
    retiresFrom: moment(row.retires_from),
    goneFrom: moment(row.gone_from),
  }));
}

const moment = (value: string | null | undefined): Date | undefined => (value == null ? undefined : new Date(value));

export async function insertKey(db: Db, key: StoredKey): Promise<void> {
  await db.query(
    `insert into signing_key (kid, alg, public_jwk, sealed_private, created_at, signs_from) values ($1, $2, $3::jsonb, $4, $5, $6)`,
    [key.kid, key.alg, JSON.stringify(key.publicJwk), key.sealedPrivate, key.createdAt, key.signsFrom],
  );
}
