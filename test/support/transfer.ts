import { createCredentialIntake } from '../../src/credentials/index.ts';
import { createBus, silentLog } from '../../src/platform/index.ts';
import { createTasks } from '../../src/platform/jobs/index.ts';
import { createTransfer, type ImportOptions } from '../../src/transfer/index.ts';
import {
  createFacts,
  createFields,
  createGroups,
  createIntake,
  createMemberships,
  createOrganisations,
  createPermissions,
  createRoles,
} from '../../src/users/index.ts';
import { credentialsRoom } from './credentials.ts';

/** bcrypt's own hash of `lètmein`. */
export const bcrypt = '$2b$05$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve';

/** The room `transfer` on a database of its own, with every room below it. */
export async function transferRoom(options: { maxBytes?: number; fields?: string[]; clients?: string[] } = {}) {
  const room = await credentialsRoom();
  const { db, clock, events } = room;
  const bus = await createBus({ url: room.url, db, log: silentLog });
  const tasks = createTasks({ db, clock, log: silentLog, bus, pollSeconds: 0.2 });
  const groups = createGroups({ db, events, clock });
  const roles = createRoles({ db, clock, events });
  const permissions = createPermissions({ db, events });
  const fields = createFields({ db, bus, clock, events });
  const organisations = createOrganisations({
    ...{ facts: createFacts({ db, mostGroups: 100 }), roles },
    ...{ db, bus, clock, events, log: silentLog, mail: room.mail, resolveTxt: async () => [] },
    ...{ home: '', invitationLink: () => '', invitationLife: 1 },
  });
  for (const name of options.fields ?? []) {
    await fields.put({ name, label: { en: name }, type: 'string' }, { actor: { kind: 'system' } });
  }
  const clients = new Set(options.clients);
  const transfer = createTransfer({
    ...room,
    ...{ tasks, fields, groups, roles, permissions, organisations },
    log: silentLog,
    intake: createIntake({ db, clock }),
    credentialIntake: createCredentialIntake({ db, clock, vault: room.vault }),
    memberships: createMemberships({ db, clock, events, groups, isClient: async (id) => clients.has(id) }),
    settings: { imports: { maxBytes: options.maxBytes ?? 64 * 1024 * 1024 } },
  });
  const by = { actor: { kind: 'system' as const } };

  return {
    ...room,
    ...{ tasks, fields, groups, roles, permissions, organisations, transfer },
    by,
    /** Brings it in and waits until that has ended. */
    async bring(content: string | Buffer | object[], how: ImportOptions = {}) {
      const text = Array.isArray(content) ? content.map((row) => JSON.stringify(row)).join('\n') : content;
      const chunks = (async function* () {
        yield Buffer.from(text as string);
      })();
      const { id } = await transfer.start(how, chunks, by);
      const task = await tasks.finish(id);
      return { ...task, results: await tasks.results(id, { limit: 10_000 }) };
    },
    /** Whoever is expected to have come in. */
    found: async (email: string) => (await room.users.byEmail(email))!,
    async everybody(how: Parameters<typeof transfer.everybody>[0]): Promise<string> {
      let text = '';
      for await (const part of transfer.everybody(how, by)) text += part;
      return text;
    },
    async stop() {
      await tasks.stop();
      await bus.close();
      await room.stop();
    },
  };
}
