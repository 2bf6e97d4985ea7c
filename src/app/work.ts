import { createRelay } from '../events/index.ts';
import { mailTopic, smsTopic } from '../mail/index.ts';
import { logoutTopic } from '../oidc/index.ts';
import { secondsAfter } from '../platform/index.ts';
import { pictureTopic } from '../users/index.ts';
import type { Domain } from './domain.ts';
import type { Doors } from './doors.ts';
import type { Ground } from './ground.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** What is done without being asked: messages of the outbox delivered, and what has to be done every now and then. */
export function createWork(ground: Ground, domain: Domain, doors: Doors) {
  const { jobs, tasks, measures, settings, clock } = ground;
  const { mail, sms, pictures, eventLog, events, keys, sessions, credentials, organisations, ...rooms } = domain;

  const consumers = {
    [mailTopic]: mail.consumer,
    ...(sms ? { [smsTopic]: sms.consumer } : {}),
    [pictureTopic]: pictures.consumer,
    [logoutTopic]: { consume: doors.oidc.deliverLogout, timeoutSeconds: 15, concurrency: 20 },
    // A line of the log each: as many at once as one statement takes.
    [eventLog.subscriber.topic]: { consume: eventLog.consume as never, concurrency: 100 },
  };
  const relay = createRelay({ ...ground, consumers });

  jobs.every('keys.rotate', 5 * minute, keys.rotateIfDue);
  jobs.every('sessions.clean-up', minute, sessions.cleanUp);
  jobs.every('mail.tidy', hour, mail.tidy);
  jobs.every('events.tidy', hour, () => events.tidy());
  jobs.every('events.chain', minute, chainAll(events));
  jobs.every('federation.tidy', hour, rooms.federation.tidy);
  jobs.every('credentials.tidy', hour, credentials.tidy);
  jobs.every('credentials.remind', minute, credentials.recoveryLinks.remind);
  jobs.every('api.tidy', hour, doors.api.tidy);
  jobs.every('tasks.tidy', hour, tasks.tidy);
  jobs.every('transfer.tidy', hour, rooms.transfer.tidy);
  jobs.every('users.fields', minute, rooms.fields.maintain);
  jobs.every('users.organisations', hour, async (signal) => {
    await organisations.maintain(signal);
    await doors.organisationRequests.tidy(secondsAfter(clock.now(), -settings.tokens.refreshTokenAbsolute));
  });
  jobs.every('users.tally', minute, rooms.tally.fold);
  jobs.every('users.words', 5 * minute, rooms.words.learn);
  jobs.every('users.words.anew', day, rooms.words.relearn);
  jobs.every('stops.tidy', hour, ground.stops.tidy);

  measures?.watch({
    ...ground,
    ...{ events, keys },
    topics: Object.keys(consumers),
    connections: settings.database.connections,
    hashingLoad: credentials.passwords.hashingLoad,
    caches: {
      clients: rooms.clients.cacheReads,
      resource_servers: rooms.resources.cacheReads,
      standing: rooms.standing.cacheReads,
      callers: doors.callers.reads,
      service_tokens: doors.serviceTokens.reads,
      ...sessions.cacheReads,
    },
  });

  return {
    start() {
      relay.start();
      jobs.start();
      tasks.work();
    },
    async stop() {
      await Promise.all([relay.stop(), jobs.stop(), tasks.stop()]);
    },
  };
}

/** Chains the journal until nothing new is left. */
const chainAll = (events: { chain(): Promise<number> }) => async (signal: AbortSignal) => {
  while (!signal.aborted && (await events.chain()) > 0);
};
