import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Fault } from './fault.ts';
import type { Tree } from './schema.ts';
import { developmentMark } from './secret.ts';
import { settingName } from './variables.ts';

// What settings must agree on, and what production refuses because it is only for development.

type Rule = (tree: Tree) => readonly (readonly [path: string, problem: string, right: string] | false)[];

export function checkRules(tree: Tree): Fault[] {
  const rules = tree.mode === 'production' ? [...always, ...production] : always;
  return rules
    .flatMap((rule) => rule(tree))
    .filter((fault) => fault !== false)
    .map(([path, problem, right]) => ({ setting: settingName(path), problem, right }));
}

const always: Rule[] = [
  ({ database }) => [
    database.url === undefined &&
      !database.embedded && [
        'database.url',
        'is missing',
        'postgresql://user:password@host:5432/cardea, or database.embedded: true in a file named by CARDEA_CONFIG ' +
          'for the embedded server in the data directory',
      ],
    database.url !== undefined &&
      (URL.parse(database.url)?.pathname ?? '').length < 2 && [
        'database.url',
        'names no database',
        'postgresql://…/cardea',
      ],
  ],
  ({ server: { tls }, issuer }) => [
    (tls.cert_file === undefined) !== (tls.key_file === undefined) && [
      tls.cert_file === undefined ? 'server.tls.cert_file' : 'server.tls.key_file',
      'is missing',
      'TLS_CERT_FILE and TLS_KEY_FILE together, or none of them',
    ],
    tls.cert_file !== undefined &&
      issuer.startsWith('http:') && [
        'issuer',
        `is ${issuer}, but Cardea serves TLS`,
        'an issuer that begins with https://',
      ],
    certificateFault(tls),
  ],
  ({ bootstrap }) => [
    bootstrap !== undefined &&
      !isReadable(bootstrap) && [
        'bootstrap',
        `names ${bootstrap}, which cannot be read`,
        'a file that this user may read',
      ],
  ],
  ({ captcha }) => [
    ...(['site_key', 'secret'] as const).map(
      (name) =>
        (captcha.provider === 'turnstile' || captcha.provider === 'hcaptcha') &&
        captcha[name] === undefined &&
        ([`captcha.${name}`, 'is missing', `the one ${captcha.provider} gave you`] as const),
    ),
    captcha.provider === 'none' &&
      captcha.when === 'always' && ['captcha.when', 'is always, without a provider', 'a provider, or when: never'],
  ],
  ({ objects: { store, s3 } }) =>
    (['endpoint', 'bucket', 'access_key_id', 'secret_access_key'] as const).map(
      (name) =>
        store === 's3' &&
        s3[name] === undefined &&
        ([`objects.s3.${name}`, 'is missing', 'what the storage is reached by, or objects.store: disk'] as const),
    ),
  ({ sms }) => [
    ...(['url', 'user', 'token'] as const).map(
      (name) =>
        sms.transport === 'http' &&
        sms[name] === undefined &&
        ([`sms.${name}`, 'is missing', 'the one your provider gave you, or sms.transport: none'] as const),
    ),
    sms.transport === 'http' &&
      (sms.from === undefined) === (sms.messaging_service === undefined) && [
        'sms.from',
        sms.from === undefined ? 'is missing' : 'is set, and sms.messaging_service as well',
        'one of the two',
      ],
    // Who lets anybody have messages sent anywhere pays for those who earn by it.
    sms.transport === 'http' &&
      sms.countries.length === 0 && ['sms.countries', 'is empty', 'the countries your people’s numbers are of'],
  ],
  ({ passkeys }) =>
    (['metadata', 'metadata_root'] as const).map((name) => {
      const file = passkeys[name];
      return (
        file !== undefined &&
        !isReadable(file) &&
        ([`passkeys.${name}`, `names ${file}, which cannot be read`, 'a file that this user may read'] as const)
      );
    }),
  ({ risk }) => [
    ...(['table', 'networks_table'] as const).map((name) => {
      const file = risk[name];
      return (
        file !== undefined &&
        !isReadable(file) &&
        ([`risk.${name}`, `names ${file}, which cannot be read`, 'a file that this user may read'] as const)
      );
    }),
    risk.table === undefined &&
      risk.rules.some(({ when }) => when.includes('new_country') || when.includes('impossible_speed')) && [
        'risk.table',
        'is missing, and a rule asks where somebody is',
        'a table in MaxMind’s format, or rules without new_country and impossible_speed',
      ],
  ],
  ({ trickle: { url, secret } }) => [
    url !== undefined &&
      (secret?.length ?? 0) < 16 && [
        'trickle.secret',
        secret === undefined ? 'is missing' : 'is short',
        'at least 16 characters that the old system knows as well',
      ],
  ],
  ({ registration, branding }) => [
    registration.terms === 'required' &&
      branding.terms_url === undefined && [
        'branding.terms_url',
        'is missing',
        'the address of the terms that must be accepted',
      ],
    new Set(registration.fields.map(({ name }) => name)).size !== registration.fields.length && [
      'registration.fields',
      'names a field twice',
      'each field once',
    ],
  ],
  ({ sessions, tokens }) => [
    order('sessions.idle', sessions.idle, 'sessions.absolute', sessions.absolute),
    order(
      'sessions.remembered_idle',
      sessions.remembered_idle,
      'sessions.remembered_absolute',
      sessions.remembered_absolute,
    ),
    order(
      'tokens.refresh_token_idle',
      tokens.refresh_token_idle,
      'tokens.refresh_token_absolute',
      tokens.refresh_token_absolute,
    ),
  ],
  ({ keys, tokens }) => [
    order('2 × keys.jwks_max_age', 2 * keys.jwks_max_age, 'keys.publish_ahead', keys.publish_ahead),
    order('keys.publish_ahead', keys.publish_ahead, 'keys.rotate_after', keys.rotate_after),
    ...(['access_token', 'client_credentials', 'id_token'] as const).map((name) =>
      order(`tokens.${name}`, tokens[name], 'keys.retire_after', keys.retire_after),
    ),
  ],
  ({ passwords }) => [
    order('passwords.min_length', passwords.min_length, 'passwords.min_length_alone', passwords.min_length_alone),

    order('passwords.min_length_alone', passwords.min_length_alone, 'passwords.max_length', passwords.max_length),
  ],
  ({ passkeys: { rp_id }, issuer }) => {
    const host = URL.parse(issuer)?.hostname ?? '';
    return [
      rp_id !== undefined &&
        host !== rp_id &&
        !host.endsWith(`.${rp_id}`) && [
          'passkeys.rp_id',
          `is ${rp_id}, but the issuer is at ${host}`,
          'the issuer’s host, or a domain above it',
        ],
    ];
  },
  ({ secrets }) => secrets.map((secret) => new Set(secret).size < 10 && ['secrets', 'is easily guessed', randomSecret]),
];

const randomSecret = 'random text, as from: openssl rand -base64 48';

const production: Rule[] = [
  ({ federation }) => [
    Object.keys(federation.endpoints).length > 0 && [
      'federation.endpoints',
      'has stand-ins for providers: they are only for tests',
      'none',
    ],
  ],
  ({ trickle: { url } }) => [
    url?.startsWith('http:') === true &&
      !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(url).hostname) && [
        'trickle.url',
        'would carry passwords in the clear',
        'an address that begins with https://',
      ],
  ],
  ({ issuer }) => [
    issuer.startsWith('http:') && [
      'issuer',
      `is ${issuer}: plain http is only for development`,
      'an issuer that begins with https://',
    ],
  ],
  ({ secrets }) => [
    secrets.some((secret) => secret.startsWith(developmentMark)) && [
      'secrets',
      'was generated for development',
      `a secret of your own: ${randomSecret}`,
    ],
    secrets.some((secret) => /change.?me|example|insecure/i.test(secret)) && [
      'secrets',
      'is one out of an example',
      randomSecret,
    ],
  ],
  ({ demo }) => [demo.enabled && ['demo.enabled', 'is true: the demo application is only for development', 'false']],
  ({ sms }) => [
    sms.transport === 'mailbox' && ['sms.transport', 'is mailbox, which is only for development', 'http, or none'],
  ],
  ({ mail }) => [
    mail.smtp_url === undefined && [
      'mail.smtp_url',
      'is missing: the mailbox page is only for development',
      'smtps://user:password@host:465, or smtp:// for STARTTLS on port 587',
    ],
  ],
];

/** The smaller one must not be larger; the fault is told of the smaller one's name. */
const order = (small: string, a: number, large: string, b: number) =>
  a > b && ([small.replace(/^2 × /, ''), `is more than ${large} allows (${a} > ${b})`, `${small} ≤ ${large}`] as const);

function certificateFault({ cert_file, key_file }: Tree['server']['tls']) {
  if (cert_file === undefined || key_file === undefined) return false;
  for (const [path, file] of [
    ['server.tls.cert_file', cert_file],
    ['server.tls.key_file', key_file],
  ] as const) {
    if (!isReadable(file))
      return [path, `names ${file}, which cannot be read`, 'a PEM file that this user may read'] as const;
  }
  try {
    createSecureContext({ cert: readFileSync(cert_file), key: readFileSync(key_file) });
    return false;
  } catch (error) {
    return [
      'server.tls.cert_file',
      `does not work (${(error as Error).message})`,
      'a certificate and its own key, PEM',
    ] as const;
  }
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
