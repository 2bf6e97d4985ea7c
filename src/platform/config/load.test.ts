import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configurationPage } from './document.ts';
import { ConfigurationFault, loadSettings, maskedSettings } from './index.ts';
import { schema } from './schema.ts';
import { variables } from './variables.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'cardea-config-'));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const secret = 'kP3vX9qLm2Wz8RtY5bNc7HsJ4dFg6KxA';
const production = {
  NODE_ENV: 'production',
  CARDEA_ISSUER: 'https://id.example.com',
  CARDEA_SECRET: secret,
  DATABASE_URL: 'postgresql://cardea:hunter2@db/cardea',
  SMTP_URL: 'smtps://user:hunter3@mail.example.com',
};

const load = (env: Record<string, string | undefined> = {}, yaml?: string) => {
  if (yaml !== undefined) writeFileSync(join(cwd, 'own.yaml'), yaml);
  return loadSettings({ env: yaml === undefined ? env : { ...env, CARDEA_CONFIG: 'own.yaml' }, cwd });
};
const faults = (env: Record<string, string | undefined>, yaml?: string) => {
  try {
    load(env, yaml);
  } catch (error) {
    if (error instanceof ConfigurationFault) return error.faults;
    throw error;
  }
  throw new Error('there is no fault');
};
const names = (env: Record<string, string | undefined>, yaml?: string) =>
  faults(env, yaml).map((fault) => fault.setting);

describe('settings', () => {
  it('make a development machine out of nothing', () => {
    const settings = load();
    expect(settings).toMatchObject({
      mode: 'development',
      issuer: 'http://localhost:3000',
      data: join(cwd, 'var'),
      server: { host: '127.0.0.1', port: 3000 },
      demo: { enabled: true, port: 3001 },
      mailbox: { enabled: true },
      tokens: { accessToken: 600, refreshTokenReplay: 10 },
      mail: { from: '"Cardea" <no-reply@localhost>' },
    });
    expect(settings.database.url).toBeUndefined();
  });

  it('have no port for figures unless there is to be one, and then on this machine', () => {
    expect(load().metrics).toEqual({ host: '127.0.0.1' });
    expect(load({ CARDEA_METRICS_PORT: '9464' }).metrics).toEqual({ port: 9464, host: '127.0.0.1' });
    expect(names({ CARDEA_METRICS_PORT: 'yes' })).toEqual(['CARDEA_METRICS_PORT']);
  });

  it('are frozen all the way down', () => {
    const settings = load();
    expect(() => {
      (settings.server as { port: number }).port = 1;
    }).toThrow(TypeError);
    expect(Object.isFrozen(settings.keys.algorithms)).toBe(true);
  });

  it('keep one generated secret, readable by its owner only', () => {
    const [first] = load().secrets;
    expect(load().secrets).toEqual([first]);
    expect(statSync(join(cwd, 'var/secret')).mode & 0o777).toBe(0o600);
  });

  it('rise from the defaults over the mode and a file of one’s own to the environment', () => {
    const settings = load({ PORT: '4000' }, 'server: { port: 5000, host: "::1" }\nbranding: { name: Acme }\n');
    expect(settings.server).toMatchObject({ port: 4000, host: '::1' });
    expect(settings.branding).toMatchObject({ name: 'Acme', color: '#3155c6' });
    expect(settings.issuer).toBe('http://localhost:4000');
    expect(settings.demo.port).toBe(4001);
  });

  it('take what a production needs', () => {
    const settings = load(production);
    expect(settings).toMatchObject({
      demo: { enabled: false },
      mailbox: { enabled: false },
      server: { host: '0.0.0.0' },
    });
  });

  it('come from files, whose last line break does not count', () => {
    writeFileSync(join(cwd, 'secret.txt'), `${secret}\n`);
    const settings = load({ ...production, CARDEA_SECRET: undefined, CARDEA_SECRET_FILE: 'secret.txt' });
    expect(settings.secrets).toEqual([secret]);
  });

  it('take several secrets, newest first', () => {
    const older = secret.toLowerCase();
    expect(load({ ...production, CARDEA_SECRET: `${secret}, ${older}` }).secrets).toEqual([secret, older]);
  });

  it('count an empty variable as one that is not set', () => {
    expect(load({ REDIS_URL: '', DATABASE_URL: ' ' }).redis.url).toBeUndefined();
  });

  it('take the nodes of a Redis Cluster, and trusted proxies, as lists with commas', () => {
    const settings = load({ REDIS_URL: 'redis://a:1, redis://b:2', CARDEA_TRUSTED_PROXIES: '10.0.0.0/8,loopback' });
    expect(settings.redis.url).toBe('redis://a:1,redis://b:2');
    const sentinels = 'redis+sentinel://u:hunter7@a:26379,[::1],c/cardea/2?sentinel_password=hunter8';
    const guarded = load({ REDIS_URL: sentinels });
    expect(guarded.redis.url).toBe(sentinels);
    expect(JSON.stringify(maskedSettings(guarded))).not.toMatch(/hunter[78]/);
    for (const wrong of ['redis+sentinel://a', 'redis+sentinel://a/n,redis://b', 'redis+sentinel://a:99999/n'])
      expect(names({ REDIS_URL: wrong })).toEqual(['REDIS_URL']);
    expect(settings.proxy.trusted).toEqual(['10.0.0.0/8', 'loopback']);
  });

  it.each([
    ['90', 90],
    ['90s', 90],
    ['15m', 900],
    ['1.5h', 5400],
    ['1d', 86_400],
  ])('read the time %s', (written, seconds) => {
    expect(load({}, `tokens: { access_token: ${written} }`).tokens.accessToken).toBe(seconds);
  });
});

describe('faults', () => {
  it('are told all at once, each with what would be right', () => {
    const told = faults({
      NODE_ENV: 'production',
      PORT: 'eighty',
      CARDEA_ISSUR: 'https://id.example.com',
      CARDEA_SECRET: 'short',
      REDIS_URL: 'http://redis',
    });
    expect(told.map((fault) => fault.setting).sort()).toEqual(
      ['CARDEA_ISSUER', 'CARDEA_ISSUR', 'CARDEA_SECRET', 'DATABASE_URL', 'PORT', 'REDIS_URL', 'SMTP_URL'].sort(),
    );
    for (const fault of told) expect(fault.right).not.toBe('');
    expect(told.find((fault) => fault.setting === 'CARDEA_ISSUR')?.right).toBe('did you mean CARDEA_ISSUER?');
  });

  it('never show a secret', () => {
    try {
      load({ CARDEA_SECRET: 'too-short-hunter2', DATABASE_URL: 'mysql://me:hunter2@db/x', SMTP_URL: 'hunter2' });
    } catch (error) {
      expect((error as Error).message).toContain('3 faults');
      expect((error as Error).message).not.toContain('hunter2');
    }
    expect.assertions(2);
  });

  it('name a setting that does not exist in YAML, with the one that was meant', () => {
    const [fault] = faults({}, 'tokens: { acces_token: 10m }');
    expect(fault).toEqual({
      setting: 'tokens.acces_token',
      problem: 'is not a setting',
      right: 'did you mean access_token?',
    });
  });

  it('know the value and its file twin as two answers to one question', () => {
    expect(names({ PORT: '1', PORT_FILE: '/nowhere' })).toEqual(['PORT']);
    expect(names({ PORT_FILE: '/nowhere' })).toEqual(['PORT_FILE']);
  });

  it('speak of files that cannot be read or are no YAML', () => {
    expect(names({ CARDEA_CONFIG: 'absent.yaml' })).toEqual([join(cwd, 'absent.yaml')]);
    expect(faults({}, 'a: [1')[0]?.problem).toMatch(/^is not YAML/);
    expect(faults({}, '- a')[0]?.problem).toBe('holds no settings');
    expect(names({ CARDEA_BOOTSTRAP: 'absent.yaml' })).toEqual(['CARDEA_BOOTSTRAP']);
  });

  it.each([
    ['NODE_ENV', 'staging'],
    ['PORT', '70000'],
    ['CARDEA_LOG_LEVEL', 'loud'],
    ['CARDEA_PROCESSES', 'many'],
    ['CARDEA_TRUSTED_PROXIES', '0.0.0.0/0'],
    ['CARDEA_TRUSTED_PROXIES', 'proxy.example.com'],
    ['CARDEA_ISSUER', 'id.example.com'],
    ['CARDEA_ISSUER', 'https://id.example.com/'],
    ['CARDEA_ISSUER', 'https://id.example.com/auth'],
    ['CARDEA_ISSUER', 'https://ID.example.com'],
    ['CARDEA_ISSUER', 'https://user@id.example.com'],
    ['CARDEA_ISSUER', 'https://id.example.com?x=1'],
    ['CARDEA_ISSUER', 'ftp://id.example.com'],
    ['CARDEA_SECRET', 'a'.repeat(40)],
    ['CARDEA_SECRET', `${secret},short`],
    ['DATABASE_URL', 'postgresql://host'],
    ['SMTP_URL', 'mail.example.com'],
  ])('%s is not %s', (name, value) => {
    expect(names({ [name]: value })).toEqual([name]);
  });

  it.each([
    ['mode', 'mode: production'],
    ['tokens.access_token', 'tokens: { access_token: soon }'],
    ['tokens.access_token', 'tokens: { access_token: 1.5 }'],
    ['tokens.access_token', 'tokens: { access_token: 3d }'],
    ['tokens.refresh_token_idle', 'tokens: { refresh_token_absolute: 1d }'],
    ['sessions.idle', 'sessions: { absolute: 1h }'],
    ['sessions.remembered_idle', 'sessions: { remembered_idle: 200d }'],
    ['keys.jwks_max_age', 'keys: { publish_ahead: 9m }'],
    ['keys.publish_ahead', 'keys: { rotate_after: 2h }'],
    ['tokens.id_token', 'keys: { retire_after: 15m }'],
    ['keys.algorithms', 'keys: { algorithms: [HS256] }'],
    ['keys.algorithms', 'keys: { algorithms: [] }'],
    ['passwords.min_length', 'passwords: { min_length: 6 }'],
    ['passwords.min_length', 'passwords: { min_length: 12 }'],
    ['branding.color', 'branding: { color: red }'],
    ['branding.logo', 'branding: { logo: "javascript:alert(1)" }'],
    ['branding.terms_url', 'registration: { terms: required }'],
    [
      'registration.fields',
      'registration: { fields: [{name: nickname, required: true}, {name: nickname, required: true}] }',
    ],
    ['registration.fields.0.name', 'registration: { fields: [{name: shoe_size, required: true}] }'],
    ['CARDEA_CAPTCHA_SECRET', 'captcha: { provider: turnstile, site_key: x }'],
    ['captcha.when', 'captcha: { provider: none, when: always }'],
    ['limits.codes.points', 'limits: { codes: { points: 0 } }'],
    ['proxy.client_certificate_header', 'proxy: { client_certificate_header: "x y" }'],
    ['server', 'server: 3000'],
    ['demo.enabled', 'demo: { enabled: "yes" }'],
    ['CARDEA_MAIL_FROM', 'mail: { from: "a\\nBcc: b" }'],
    ['DATABASE_URL', 'database: { embedded: false }'],
  ])('%s is wrong in %s', (setting, yaml) => {
    expect(names({}, yaml)).toEqual([setting]);
  });

  it('say so when nothing can be written where the secret would be', () => {
    expect(names({ CARDEA_DATA: '/dev/null/var' })).toEqual(['CARDEA_DATA']);
  });
});

describe('production refuses what is only for development', () => {
  it.each([
    ['a plain issuer', { CARDEA_ISSUER: 'http://localhost:3000' }, '', 'CARDEA_ISSUER'],
    ['no issuer', { CARDEA_ISSUER: undefined }, '', 'CARDEA_ISSUER'],
    ['no secret', { CARDEA_SECRET: undefined }, '', 'CARDEA_SECRET'],
    ['a secret out of an example', { CARDEA_SECRET: `change-me-${secret}` }, '', 'CARDEA_SECRET'],
    ['the mailbox', { SMTP_URL: undefined }, '', 'SMTP_URL'],
    ['the demo application', {}, 'demo: { enabled: true }', 'demo.enabled'],
    [
      'stand-ins for providers',
      {},
      'federation: { endpoints: { "https://github.com": "http://localhost:1" } }',
      'federation.endpoints',
    ],
    ['the embedded database', { DATABASE_URL: undefined }, '', 'DATABASE_URL'],
  ])('%s', (_, env, yaml, setting) => {
    expect(names({ ...production, ...env }, yaml)).toEqual([setting]);
  });

  it('the secret that was generated, wherever it is given', () => {
    load();
    expect(names({ ...production, CARDEA_SECRET: undefined, CARDEA_SECRET_FILE: 'var/secret' })).toEqual([
      'CARDEA_SECRET',
    ]);
  });

  it('but takes the embedded database when told so in words', () => {
    const settings = load({ ...production, DATABASE_URL: undefined }, 'database: { embedded: true }');
    expect(settings.database).toMatchObject({ embedded: true });
  });

  it('and makes no secret there', () => {
    expect(names({ NODE_ENV: 'production', CARDEA_DATA: 'elsewhere' })).toContain('CARDEA_SECRET');
    expect(existsSync(join(cwd, 'elsewhere'))).toBe(false);
  });
});

describe('TLS by Cardea itself', () => {
  it('needs both files, readable, belonging together', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(cwd, 'cert.pem'), 'no certificate');
    expect(names({ TLS_CERT_FILE: 'cert.pem' })).toEqual(['TLS_KEY_FILE']);
    expect(names({ TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'absent.pem' })).toEqual(['TLS_KEY_FILE']);
    expect(names({ TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' })).toEqual(['TLS_CERT_FILE']);
    expect(
      names({ CARDEA_ISSUER: 'http://localhost:3000', TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' }),
    ).toEqual(['CARDEA_ISSUER', 'TLS_CERT_FILE']);
  });
});

describe('what is shown', () => {
  it('is masked: secrets, and passwords in URLs', () => {
    const shown = JSON.stringify(
      maskedSettings(
        load(
          { ...production, REDIS_URL: 'redis://:hunter4@a:1,rediss://u:hunter5@b:2', CARDEA_CAPTCHA_SECRET: 'hunter6' },
          'captcha: { provider: turnstile, site_key: visible }',
        ),
      ),
    );
    expect(shown).not.toMatch(/hunter|kP3v/);
    expect(shown).toContain('postgresql://cardea:••••••@db/cardea');
    expect(shown).toContain('rediss://u:••••••@b:2');
    expect(shown).toContain('visible');
  });
});

describe('the documentation', () => {
  it('is what the schema says: node src/platform/config/document.ts > docs/configuration.md', () => {
    const file = join(import.meta.dirname, '../../../docs/configuration.md');
    expect(readFileSync(file, 'utf8')).toBe(configurationPage());
  });

  it('knows each variable as a setting that exists', () => {
    const exists = (path: string) =>
      path.split('.').reduce<unknown>((at, name) => (at as { shape?: Record<string, unknown> })?.shape?.[name], schema);
    for (const { path } of variables) expect(exists(path), path).toBeDefined();
  });
});
