import { z } from 'zod';
import { addressRange, choice, duration, list, redisUrl, share, text, url, whole, yes } from './kinds.ts';

// Every setting there is, as the YAML files write it. Defaults stand in config/default.yaml and nowhere else;
// what several settings must agree on stands in rules.ts. The descriptions become docs/configuration.md.

const section = <Shape extends z.ZodRawShape>(about: string, shape: Shape) =>
  z.strictObject(shape, { error: 'a section with settings in it' }).describe(about);

const page = () => url('https:', 'http:').optional();

/** So many in so long. */
const budget = (about: string) =>
  section(about, {
    points: whole(1, 1_000_000).describe('How many'),
    window: duration(1).describe('in which time'),
  });

export const profileFields = [
  'given_name',
  'family_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'website',
  'gender',
  'birthdate',
  'zoneinfo',
  'phone_number',
] as const;

const isOrigin = (value: string) => /^https?:/.test(value) && URL.parse(value)?.origin === value;

export const schema = section('All settings', {
  mode: choice('development', 'production', 'test').describe('What this Cardea is for'),
  issuer: z
    .string({ error: 'https:// and the name of the host' })
    .refine(
      isOrigin,
      'https:// and the name of the host in small letters, with the port if it is not the usual one: ' +
        'no path, no slash at the end, as https://id.example.com',
    )
    .describe('The public address, and the name under which applications trust it: it cannot change later'),
  data: text(4_096).describe('The directory for the embedded database and the generated secret'),
  secrets: list(
    z.string({ error: 'text' }).min(32, 'random text of at least 32 characters, as from: openssl rand -base64 48'),
    'one or more secrets, separated by commas',
  )
    .refine((secrets) => secrets.length > 0, 'at least one secret')
    .describe(
      'Encrypts what is secret at rest and signs cookies. With several, the first encrypts and the others still ' +
        'decrypt: put a new one in front, and take the old one away once everything is sealed anew',
    ),
  bootstrap: text(4_096)
    .optional()
    .describe('A YAML file with administrators, clients and users, applied at every start'),

  locales: list(
    z
      .string({ error: 'a language tag' })
      .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'a language tag, as en or de-AT'),
    'a list of language tags',
  )
    .refine((locales) => locales.length > 0, 'at least one language')
    .describe('The languages the pages and letters speak, the first where none fits'),

  server: section('Where Cardea listens', {
    host: text(255).describe('The address or name to listen on'),
    port: whole(0, 65_535).describe('The port; 0 takes any that is free'),
    tls: section('TLS by Cardea itself; leave it out when a proxy in front does it', {
      cert_file: text(4_096).optional().describe('The certificate with its chain, PEM'),
      key_file: text(4_096).optional().describe('Its private key, PEM'),
      client_ca_file: text(4_096)
        .optional()
        .describe('The authorities whose client certificates are believed (tls_client_auth), PEM; also behind a proxy'),
    }),
    drain: duration(0, 300).describe(
      'How long a stop still takes requests after it says that it is not ready, so that a balancer turns elsewhere first',
    ),
    stop_patience: duration(1, 3_600).describe('How long a stop waits for running requests'),
  }),

  proxy: section('The proxy in front, if there is one', {
    trusted: list(addressRange(), 'a list of addresses, ranges, or loopback, linklocal, uniquelocal').describe(
      'Whose X-Forwarded-* headers are believed',
    ),
    client_certificate_header: z
      .string({ error: 'the name of a header' })
      .regex(/^[a-z][a-z0-9-]*$/i, 'the name of a header, as x-client-cert')
      .optional()
      .describe('In which a trusted proxy that ends TLS hands on the client certificate (PEM, URL-encoded)'),
  }),

  cluster: section('Processes', {
    processes: z
      .union([z.literal('cores'), whole(1, 256)], { error: 'a whole number from 1 to 256, or cores' })
      .describe('How many processes serve; cores: one for each'),
  }),

  database: section('PostgreSQL, 15 or later', {
    url: url('postgres:', 'postgresql:')
      .optional()
      .describe('The server and database; without it the embedded one is used'),
    replica_url: url('postgres:', 'postgresql:')
      .optional()
      .describe(
        'A copy that may be behind, for lists, searches and figures; never asked for what decides about access',
      ),
    replica_lag: duration(1, 300).describe(
      'How far behind that copy may be; one that is further behind or out of reach is not asked, and the first one is',
    ),
    embedded: yes().describe('Whether the embedded PostgreSQL may be used; in production only when this says so'),
    connections: whole(2, 1_000).describe('The most connections of one process'),
    migrate: yes().describe(
      'Whether a start brings the schema up to date; false: it waits until "cardea migrate" has been run elsewhere',
    ),
  }),

  redis: section('Redis, for what is short-lived and much used; without it PostgreSQL keeps that as well', {
    url: redisUrl()
      .optional()
      .describe(
        'One server; several nodes of a Cluster, separated by commas; or ' +
          'redis+sentinel://user:password@host:26379,host:26379/name/0?sentinel_password=…',
      ),
  }),

  mail: section('Letters', {
    smtp_url: url('smtp:', 'smtps:')
      .optional()
      .describe('The mail server; without it, in development, the mailbox page'),
    from: text(320).optional().describe('The sender, as "Acme <no-reply@example.com>"; default: no-reply@ the issuer'),
  }),

  branding: section('How the pages and letters look until the set-up wizard says otherwise', {
    name: text(60).describe('Whose sign-in it is'),
    logo: z
      .string({ error: 'an https:// or data:image/ URL' })
      .regex(/^(https:\/\/|data:image\/(svg\+xml|png|webp|jpeg);base64,|\/)/, 'an https:// or data:image/ URL')
      .optional()
      .describe('A picture, at least 60 pixels high'),
    color: z
      .string({ error: 'a colour as #2f5fd0' })
      .regex(/^#[0-9a-f]{6}$/i, 'a colour as #2f5fd0')
      .describe('Of buttons and links; adjusted where it could not be read'),
    terms_url: page().describe('The terms of service'),
    privacy_url: page().describe('The privacy statement'),
    support_url: z
      .string({ error: 'a URL that begins with https:// or mailto:' })
      .regex(/^(https?:\/\/|mailto:)/, 'a URL that begins with https:// or mailto:')
      .optional()
      .describe('Where a person finds help'),
  }),

  directory: section('Groups, roles and organisations', {
    group_claim: choice('name', 'id').describe('What the claim groups lists: names, or ids that no renaming changes'),
    most_groups: whole(1, 2_000).describe(
      'With more groups than this, tokens leave them out and say where to ask for them',
    ),
    invitation: duration(60).describe('How long an invitation to an organisation is good'),
  }),

  registration: section('Who may open an account', {
    mode: choice('open', 'invited', 'closed').describe('Everybody, those an administrator invites, or nobody'),
    fields: z
      .array(
        section('A field', {
          name: choice(...profileFields).describe('The claim'),
          required: yes().describe('Whether it must be filled in'),
        }),
        { error: 'a list of fields with name and required' },
      )
      .describe('What else the form asks for'),
    terms: choice('none', 'required').describe('Whether the terms (branding.terms_url) must be accepted'),
    terms_version: text(40).describe('Recorded with the acceptance; people are asked again when it changes'),
  }),

  passwords: section('Passwords', {
    min_length: whole(8, 64).describe('Fewest characters'),
    min_length_alone: whole(8, 64).describe(
      'Fewest characters for people with nothing but a password; NIST SP 800-63B-4 asks for 15',
    ),
    max_length: whole(64, 256).describe('Most characters'),
    breach_check: section('Refusal of known passwords; a bundled list of the most common ones always holds', {
      hibp: yes().describe('Also ask a Have I Been Pwned range service (five characters of a hash leave the house)'),
      hibp_url: url('https:', 'http:').describe('Its address'),
      timeout: duration(1, 60).describe('After which the check is left out'),
    }),
    argon2: section('The cost of a hash (argon2id); hashes of another cost are renewed at the next sign-in', {
      memory_kib: whole(7_168, 4_194_304).describe('Memory in KiB'),
      iterations: whole(1, 64).describe('Passes'),
      parallelism: whole(1, 64).describe('Lanes'),
    }),
    hashing_threads: whole(1, 64).describe('How many hashes a process computes at once'),
  }),

  passkeys: section('Passkeys', {
    rp_id: z
      .string({ error: 'the name of a host, in small letters' })
      .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'the name of a host, in small letters')
      .optional()
      .describe(
        'The domain they belong to: the issuer’s host or one above it, as example.com for id.example.com. It cannot ' +
          'change later: all passkeys would be lost. Default: the issuer’s host',
      ),
    related_origins: list(
      z.string({ error: 'https:// and the name of a host' }).refine(isOrigin, 'https:// and the name of a host'),
      'a list of origins, as https://example.org',
    ).describe('Other origins of yours where the same passkeys may be used, told at /.well-known/webauthn'),
    offer: yes().describe('Whether people who signed in with a password are offered one'),
    allowed_aaguids: list(
      z
        .string({ error: 'an AAGUID' })
        .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'an AAGUID in small letters'),
      'a list of AAGUIDs',
    ).describe(
      'The only kinds of authenticators that may be registered, by AAGUID; empty for all. Attestation is asked for ' +
        'when there are any; without passkeys.metadata, what an authenticator says of itself is believed',
    ),
    metadata: text(4_096)
      .optional()
      .describe(
        'A BLOB of the FIDO Metadata Service (from https://mds3.fidoalliance.org), read anew when it is replaced: only ' +
          'authenticators whose attestation leads to a certificate in it may be registered. Passkeys of phones and ' +
          'password managers have none',
      ),
    metadata_root: text(4_096)
      .optional()
      .describe('The authority the BLOB is signed under, PEM; default: the FIDO Alliance’s'),
  }),

  mfa: section('The second factor', {
    administrators: choice('required', 'offered').describe(
      'Whether administrators must have one: those without enrol while they sign in',
    ),
    groups: list(text(256), 'a list of names or ids of groups').describe(
      'Groups whose people must have one, by name or id, those in groups of theirs included',
    ),
    email_codes: yes().describe('Whether people may have codes sent to their address as second factor'),
    code_life: duration(60, 1_800).describe('How long a code that was sent is good'),
    recovery_wait: duration(0, 30 * 86_400).describe(
      'How long a recovery link of an administrator does nothing, while its owner is told and can stop it',
    ),
    recovery_life: duration(600, 30 * 86_400).describe('How long it works after that'),
    remember_device: duration(60).describe('How long a device that its owner wants remembered is not asked for it'),
  }),

  sms: section('Text messages, for codes', {
    transport: choice('none', 'http', 'mailbox').describe(
      'http: a provider that speaks as Twilio does; mailbox: development’s; none: nobody can have codes by SMS',
    ),
    url: url('https:', 'http:')
      .optional()
      .describe('Where messages are made, as https://api.twilio.com/2010-04-01/Accounts/AC…/Messages.json'),
    user: text(200).optional().describe('The account or key that asks'),
    token: text(400).optional().describe('Its secret'),
    from: text(40).optional().describe('The number or name to send from …'),
    messaging_service: text(64).optional().describe('… or the service that picks one (MessagingServiceSid)'),
    countries: list(
      z.string({ error: 'a country as DE' }).regex(/^[A-Z]{2}$/, 'a country as DE'),
      'a list of countries, as DE, AT',
    ).describe('The only countries that messages are sent to (ISO 3166-1); http needs at least one'),
    timeout: duration(1, 60).describe('After which a call is given up'),
  }),

  risk: section('What is unusual about a sign-in, and what then', {
    table: text(4_096).optional().describe('A table of countries or cities in MaxMind’s format (.mmdb)'),
    networks_table: text(4_096).optional().describe('A table of networks (ASN) in the same format'),
    speed: whole(100, 100_000).describe('Kilometres an hour between two sign-ins that nobody travels'),
    failures: budget('Wrong proofs since the last right one that are many'),
    rules: z
      .array(
        section('A rule', {
          name: text(60).optional().describe('As the journal and the figures call it'),
          when: list(
            choice('new_device', 'new_network', 'new_country', 'impossible_speed', 'many_failures'),
            'a list of new_device, new_network, new_country, impossible_speed, many_failures',
          ).describe('All of these are so'),
          from: list(addressRange(), 'a list of addresses or ranges')
            .optional()
            .describe('The address is one of these'),
          verdict: choice('allow', 'step_up', 'refuse').describe('What happens'),
        }),
        { error: 'a list of rules with when and verdict' },
      )
      .describe('The first that fits decides; where none does, the sign-in is allowed'),
  }),

  sessions: section('How long a browser stays signed in', {
    idle: duration(60).describe('Without use'),
    absolute: duration(60).describe('In any case'),
    remembered_idle: duration(60).describe('Without use, after "stay signed in"'),
    remembered_absolute: duration(60).describe('In any case, after "stay signed in"'),
    interaction: duration(60, 86_400).describe('How long a sign-in may take, from the first page to the last'),
  }),

  tokens: section('How long tokens live', {
    access_token: duration(30, 86_400).describe('Access tokens, where the resource server says nothing else'),
    client_credentials: duration(30, 86_400).describe('Access tokens of services'),
    authorization_code: duration(10, 600).describe('Codes'),
    id_token: duration(30, 86_400).describe('ID tokens'),
    refresh_token_idle: duration(60).describe('A refresh token that is not used'),
    refresh_token_absolute: duration(60).describe(
      'What an application was granted, and so a whole chain of refresh tokens',
    ),
    refresh_token_replay: duration(0, 60).describe(
      'In which the same refresh token gets the same answer again (several tabs, a retried request); after it, a reuse ends the grant',
    ),
    device_code: duration(60, 3_600).describe('Device codes'),
    pushed_authorization_request: duration(10, 600).describe('Pushed requests'),
    verification_link: duration(60).describe('Links and codes that prove an address'),
    reset_link: duration(60).describe('Links that set a new password'),
    email_undo: duration(3_600).describe(
      'Links that take a change of address back; so long nobody else gets the old one',
    ),
    setup_link: duration(60).describe('The link to create the first administrator'),
  }),

  keys: section('Signing keys', {
    algorithms: list(choice('ES256', 'RS256', 'PS256', 'ES384', 'EdDSA'), 'a list of algorithms')
      .refine((names) => names.length > 0 && new Set(names).size === names.length, 'different algorithms, at least one')
      .describe('Of which a key is kept; the first is the default'),
    rotate_after: duration(3_600).describe('How long a key signs'),
    publish_ahead: duration(60).describe('How long it is published before it signs'),
    retire_after: duration(60).describe('How long it stays published after it signed last'),
    jwks_max_age: duration(10, 86_400).describe('How long others may cache the published keys'),
  }),

  captcha: section('Proof that a person registers', {
    provider: choice('altcha', 'turnstile', 'hcaptcha', 'none').describe(
      'altcha is a proof of work that asks nobody else',
    ),
    when: choice('suspicious', 'always', 'never').describe('When it is asked for'),
    site_key: text(200).optional().describe('Of turnstile or hcaptcha'),
    secret: text(400).optional().describe('Of turnstile or hcaptcha'),
  }),

  limits: section('How often what may be done; each refills when its window ends', {
    signin_pair: budget('Wrong passwords and codes for an account from an address'),
    signin_account: budget('Wrong ones for an account from all addresses where nobody has signed in to it'),
    signin_address: budget('Wrong ones for all accounts from an address'),
    signin_device: budget('Wrong ones for an account on a device on which its owner has signed in'),
    registrations: budget('Accounts made from an address'),
    registrations_suspicious: budget('Accounts made together, after which a CAPTCHA is asked for'),
    letters_to_recipient: budget('Letters that anybody can have sent to a recipient'),
    letters_from_address: budget('The same, asked for from an address'),
    codes: budget('Codes and links tried from an address, right or wrong'),
    wrong_codes: budget('Wrong codes of letters for an account, from everywhere'),
    user_codes: budget('Codes typed in on the page for devices, from an address'),
    codes_by_letter: budget('Codes for the second factor by letter, for an account'),
    sms_to_number: budget('Text messages to a number'),
    sms_to_account: budget('Text messages for an account'),
    sms_from_address: budget('Text messages asked for from an address'),
    sms_to_prefix: budget('Text messages to numbers that begin with the same six digits'),
    sms_per_day: budget('Text messages altogether'),
    client_failures: budget('Wrong client secrets from an address'),
    client_failures_pair: budget('Wrong secrets for a client from an address'),
    client_failures_everywhere: budget(
      'Wrong secrets for a client from all addresses from which it has not proved itself in a month',
    ),
    client_requests: budget('Requests of a client at the token, introspection and revocation endpoints'),
    page_requests: budget('Requests of an address for pages of one kind (sign-in, account, device and so on)'),
    scim_requests: budget('Requests of one client at /scim/v2; those of a bulk count each'),
    api_requests: budget('Requests of one caller at /api: a person through an application, or a service'),
  }),

  objects: section('Where pictures are kept', {
    store: choice('disk', 's3').describe(
      'disk: a directory, which all processes must share; s3: S3-compatible storage, for several machines',
    ),
    dir: text(4_096).optional().describe('The directory; default: objects in the data directory'),
    s3: section('S3-compatible storage', {
      endpoint: url('https:', 'http:').optional().describe('Its address, as https://s3.eu-central-1.amazonaws.com'),
      region: text(100).describe('The region that requests are signed for'),
      bucket: text(255).optional().describe('The bucket, which must be there and need not be public'),
      prefix: z
        .string({ error: 'the beginning of names, as cardea/' })
        .regex(/^([A-Za-z0-9._-]+\/)*$/, 'the beginning of names, as cardea/')
        .optional()
        .describe('Before each name'),
      path_style: yes().describe('Whether the bucket stands in the path (most self-hosted ones) or in the host'),
      access_key_id: text(200).optional().describe('The key that may put, get and delete objects there'),
      secret_access_key: text(400).optional().describe('Its secret'),
      timeout: duration(1, 60).describe('After which a call is given up'),
    }),
  }),

  pictures: section('Pictures that people show of themselves', {
    max_bytes: whole(100_000, 30_000_000).describe('Most bytes of an upload; what is kept is 512 × 512 pixels'),
  }),

  outbound: section('Calls to others', {
    allow_private_addresses: yes().describe(
      'Whether addresses of private networks may be called (jwks_uri, logout, …)',
    ),
    timeout: duration(1, 60).describe('After which a call is given up'),
  }),

  federation: section('Sign-in through others; the providers themselves stand in the bootstrap file', {
    endpoints: z
      .record(z.string(), url('http:', 'https:'), { error: 'origins, each with the address that stands in for it' })
      .describe('Stand-ins for providers whose addresses are fixed: origin → address. For tests, never in production'),
  }),

  imports: section('Files of people that are brought in', {
    max_mib: whole(1, 1_000_000).describe('The most MiB of one file; it is kept sealed in the database until it is in'),
  }),

  trickle: section('The system that people come from, asked at their first sign-in here; see docs/guides/import.md', {
    url: url('https:', 'http:').optional().describe('Where it is asked; without one nobody is'),
    auth: choice('bearer', 'hmac').describe('How it knows us: by the secret itself, or by a signature made with it'),
    secret: text(400).optional().describe('What it knows us by'),
    timeout: duration(1, 30).describe('After which it is taken for a no'),
    trust_email: yes().describe('Whether an address it has let in counts as proved'),
  }),

  demo: section('The demo application, in development', {
    enabled: yes().describe('Whether it is started'),
    port: whole(0, 65_535).optional().describe('Its port; default: the one after Cardea’s'),
  }),

  metrics: section('Figures for Prometheus at /metrics, on a port that answers nothing else', {
    port: whole(0, 65_535).optional().describe('The port; without one there are none'),
    host: text(255).describe('The address or name to listen on: one that only your monitoring reaches'),
  }),

  tracing: section('Traces, sent by OpenTelemetry', {
    url: url('http:', 'https:')
      .optional()
      .describe('Where they are sent by OTLP over HTTP, as http://collector:4318/v1/traces; without it there are none'),
    headers: list(
      z.string({ error: 'name=value' }).regex(/^[\w-]+=[^\r\n]+$/, 'name=value'),
      'headers as name=value, separated by commas',
    ).describe('Sent along, such as a key of the collector'),
    sample: share().describe('Which part of the requests is traced that come with no decision of their own'),
    service: text(100).describe('What this Cardea is called in traces'),
    attributes: list(
      z.string({ error: 'name=value' }).regex(/^[\w.-]+=[^\r\n]*$/, 'name=value'),
      'attributes as name=value, separated by commas',
    ).describe('Of every trace, such as deployment.environment.name=production'),
  }),

  sentry: section('Bugs, told to Sentry', {
    dsn: url('http:', 'https:').optional().describe('Where they are told; without it they stand in the log alone'),
    environment: text(64).optional().describe('What Sentry files them under; default: the mode'),
  }),

  log: section('What is told on standard output', {
    level: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').describe('From which level on'),
  }),
});

export type Tree = z.output<typeof schema>;
