import { fileURLToPath } from 'node:url';
import { createCredentials } from '../../src/credentials/index.ts';
import { createEvents } from '../../src/events/index.ts';
import type { LetterName } from '../../src/mail/index.ts';
import type { Settings } from '../../src/platform/config/index.ts';
import { createDb } from '../../src/platform/db/index.ts';
import { createLimits, createVault, type RedisConnection, silentLog, systemClock } from '../../src/platform/index.ts';
import { createSessions } from '../../src/sessions/index.ts';
import { createStanding, createUsers, UserEntity } from '../../src/users/index.ts';
import { freshDatabase } from './database.ts';

export interface SentLetter {
  letter: LetterName;
  to: string;
  locale: string;
  params: { code?: string; link: string };
  /** The token in the link. */
  token: string;
}

type Tuned = Partial<
  Pick<Settings, 'limits' | 'captcha' | 'passwords' | 'passkeys' | 'registration' | 'mfa' | 'sms' | 'risk'>
>;

/** The room `credentials` on a database of its own, with every room below it but `mail`, whose letters are kept. */
export async function credentialsRoom(
  options: { settings?: Tuned; evenAnswer?: number; redis?: RedisConnection; threads?: number } = {},
) {
  const { evenAnswer = 0, redis, threads = 2 } = options;
  const database = await freshDatabase();
  const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));
  const log = silentLog;
  const db = await createDb({ url: database.url, entities: [UserEntity], migrations, log });
  const clock = systemClock;
  const vault = createVault('a secret of the tests');
  const limits = createLimits({ pool: db.pool, redis, vault, log });
  const events = createEvents({ db, clock, log, vault, bus: { publish: async () => undefined, offer: () => false } });
  const sessions = createSessions({ db, clock, vault, mayHold: createStanding({ db }).mayHold });
  const ended: { accountId: string; reason: string; except?: string | undefined }[] = [];
  const watched = {
    ...sessions,
    endAllOf: async (accountId: string, reason: string, how: { except?: string } = {}) => {
      ended.push({ accountId, reason, ...how });
      return sessions.endAllOf(accountId, reason, how);
    },
  };
  const users = createUsers({ db, sessions: watched, events, clock });
  const letters: SentLetter[] = [];
  const mail = {
    // Like the real one: sent when the transaction commits.
    send: async (letter: LetterName, { to, locale, params }: { to: string; locale: string; params: object }) => {
      const known = params as SentLetter['params'];
      const token = known.link ? (new URL(known.link).searchParams.get('token') ?? '') : '';
      db.afterCommit(() => void letters.push({ letter, to, locale, params: known, token }));
    },
  };
  const settings = {
    issuer: 'http://localhost:3000',
    branding: { name: 'Evergreen Books', color: '#000000' },
    tokens: { verificationLink: 900, resetLink: 1800, emailUndo: 86_400 },
    registration: { mode: 'open' },
    mfa: {
      ...{ administrators: 'offered', groups: [], rememberDevice: 2_592_000, emailCodes: true, codeLife: 600 },
      ...{ recoveryWait: 86_400, recoveryLife: 259_200 },
    },
    sms: { transport: 'mailbox', countries: ['GB', 'DE'], timeout: 10 },
    risk: { speed: 1_000, failures: { points: 10, window: 3_600 }, rules: [] },
    captcha: { provider: 'altcha', when: 'suspicious' },
    limits: { registrationsSuspicious: { points: 1000, window: 600 } },
    passkeys: { rpId: 'localhost', relatedOrigins: [], offer: true, allowedAaguids: [] },
    ...options.settings,
    passwords: {
      minLength: 8,
      minLengthAlone: 8,
      maxLength: 256,
      breachCheck: { hibp: false, hibpUrl: '', timeout: 1 },
      // The smallest that is argon2 at all; what is tested is not its cost.
      argon2: { memoryKib: 64, iterations: 1, parallelism: 1 },
      hashingThreads: threads,
      ...options.settings?.passwords,
    },
  } as unknown as Settings;
  const texts: { to: string; text: string; until: Date }[] = [];
  const sms = {
    send: async (message: { to: string; text: string; until: Date }) => db.afterCommit(() => void texts.push(message)),
  };
  const groups: Record<string, { id: string; displayName: string }[]> = {};
  const room = createCredentials({
    ...{ sms, groupsOf: async (id: string) => groups[id] ?? [] },
    codeText: (locale, code) => `${code} (${locale})`,
    ...{ db, clock, log, vault, limits, settings, users, sessions: watched, events, mail, evenAnswer },
  });
  return {
    ...room,
    ...{ db, url: database.url, vault, clock, limits, events, users, mail, letters, ended, texts, groups },
    async stop() {
      await room.close();
      await db.close();
      await database.drop();
    },
  };
}
