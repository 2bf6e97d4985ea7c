import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** A fresh unguessable token, base64url. @param bytes of randomness */
export const randomToken = (bytes = 32): string => randomBytes(bytes).toString('base64url');

/** How a token of full entropy is stored: base64url SHA-256. (Guessable values need {@link Vault.mac}.) */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** Compares in constant time; hashing first makes the lengths equal. */
export const sameBytes = (a: string, b: string): boolean =>
  timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));

let lastMillisecond = 0;
let sequence = 0;

/** A UUIDv7 (RFC 9562): sorts by time, also within one millisecond of one process (its 12 bits `rand_a` count). */
export function newId(): string {
  const now = Date.now();
  if (now > lastMillisecond) {
    lastMillisecond = now;
    sequence = randomBytes(2).readUInt16BE() & 0x3ff;
  } else if (++sequence > 0xfff) {
    lastMillisecond += 1;
    sequence = 0;
  }
  const bytes = randomBytes(16);
  bytes.writeUIntBE(lastMillisecond, 0, 6);
  bytes.writeUInt16BE(0x7000 | sequence, 6);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Whether it can be the id of something of ours; what cannot is not asked of the database, which would fail over it. */
export const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** Seals what must be read again and authenticates what must not be forged, under keys derived from CARDEA_SECRET. */
export interface Vault {
  /** AES-256-GCM. @param context associated data: the sealed text opens only under the same context */
  seal(plain: string, context: string): string;
  /** @throws Error when the text was altered, sealed for another context or under an unknown secret */
  open(sealed: string, context: string): string;
  /** HMAC-SHA-256, base64url. @param purpose separates the uses: a MAC for one means nothing to another */
  mac(text: string, purpose: string): string;
  /** The MACs of a text under every secret, newest first: for keys that others derive from, such as a cookie signer's. */
  macs(text: string, purpose: string): string[];
  /** Whether `mac` was made for this text and purpose under any of the secrets, compared in constant time. */
  hasMac(text: string, purpose: string, mac: string): boolean;
  /** Whether the text was sealed under the newest secret; if not, seal it again. */
  isCurrent(sealed: string): boolean;
}

/** As an object: Node takes ten times as long over a key in bytes. */
const keyFor = (secret: string, purpose: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'cardea', purpose, 32)));

/**
 * @param secrets newest first. The first seals and signs; the others still open and verify, so that a secret can be
 *   replaced without locking anything.
 */
export function createVault(secrets: string | readonly string[]): Vault {
  const generations = [secrets].flat().map((secret) => ({
    id: createHash('sha256').update(keyFor(secret, 'id').export()).digest('base64url').slice(0, 6),
    sealing: keyFor(secret, 'seal'),
    macKeys: new Map<string, KeyObject>(),
    secret,
  }));
  const newest = generations[0]!;

  const macUnder = (generation: typeof newest, text: string, purpose: string): string => {
    let key = generation.macKeys.get(purpose);
    if (!key) {
      key = keyFor(generation.secret, `mac:${purpose}`);
      generation.macKeys.set(purpose, key);
    }
    return createHmac('sha256', key).update(text).digest('base64url');
  };

  return {
    seal(plain, context) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', newest.sealing, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return `${newest.id}.${Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open(sealed, context) {
      const [id, body = ''] = sealed.split('.');
      const generation = generations.find((candidate) => candidate.id === id);
      if (!generation) throw new Error('sealed under a secret that is not configured');
      const bytes = Buffer.from(body, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', generation.sealing, bytes.subarray(0, 12), { authTagLength: 16 })
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
    },
    mac: (text, purpose) => macUnder(newest, text, purpose),
    macs: (text, purpose) => generations.map((generation) => macUnder(generation, text, purpose)),
    hasMac: (text, purpose, mac) =>
      generations.some((generation) => sameBytes(macUnder(generation, text, purpose), mac)),
    isCurrent: (sealed) => sealed.startsWith(`${newest.id}.`),
  };
}
