import { accountClient } from '../account/index.ts';
import { createClients, createResourceServers } from '../clients/index.ts';
import { createCredentialIntake, createCredentials } from '../credentials/index.ts';
import { createEventLog, createEvents } from '../events/index.ts';
import { createFederation } from '../federation/index.ts';
import { ownApi } from '../introspection/index.ts';
import { createKeys } from '../keys/index.ts';
import { queueLogout } from '../oidc/index.ts';
import { createSessions } from '../sessions/index.ts';
import { createOldSystem, createTransfer, createTrickle } from '../transfer/index.ts';
import {
  createConsents,
  createFacts,
  createFieldConditions,
  createFields,
  createGroups,
  createIntake,
  createMemberships,
  createOrganisations,
  createPermissions,
  createPictures,
  createPortraits,
  createRoles,
  createStanding,
  createTokenFacts,
  createUserSearch,
  createUsers,
  createUserTally,
  createWords,
  type ResolveTxt,
} from '../users/index.ts';
import type { Ground } from './ground.ts';
import { createPost, shortTexts } from './post.ts';

/** The rooms that know identity and no protocol, from the ground up; each takes what it needs of those before it. */
export async function createDomain(ground: Ground, { resolveTxt }: { resolveTxt: ResolveTxt }) {
  const { settings, issuer, clock, log, db, stops, measures } = ground;

  const eventLog = createEventLog({ log });
  const events = createEvents({ ...ground, subscribers: [eventLog.subscriber], recorded: measures?.recorded });
  const { mailbox, mail, sms } = createPost({ ...ground, events });

  const keys = createKeys({ ...ground, events, settings: settings.keys });
  const clients = createClients({ ...ground, events, own: [accountClient(settings)] });
  const resources = createResourceServers({ ...ground, own: [ownApi(settings)] });
  const standing = createStanding({ db, stops });
  const sessions = createSessions({
    ...ground,
    mayHold: standing.mayHold,
    refreshReplaySeconds: settings.tokens.refreshTokenReplay,
  });
  sessions.onEnded((ended) => queueLogout(events, ended));

  const users = createUsers({ ...ground, sessions, events });
  const portraits = createPortraits(ground);
  const pictures = createPictures({ ...ground, events, users });
  const fields = createFields({ ...ground, events });
  await fields.start();
  const groups = createGroups({ ...ground, events });
  const permissions = createPermissions({ ...ground, events });
  const roles = createRoles({ ...ground, events });
  const { groupClaim, mostGroups, invitation } = settings.directory;
  const factClaims = { groupClaim, mostGroups, issuer };
  const facts = createFacts({ db, mostGroups });
  const tokenFacts = createTokenFacts(facts, factClaims);
  const organisations = createOrganisations({
    ...ground,
    ...{ events, mail, resolveTxt, facts, roles },
    home: `${issuer}/account/organisations`,
    invitationLink: (token) => `${issuer}/account/invitation?token=${token}`,
    invitationLife: invitation,
  });
  const words = createWords({ db, clock });
  const search = createUserSearch({ db, words, field: createFieldConditions({ fields }) });
  const tally = createUserTally({ db, clock });
  const consents = createConsents({ db, clock });

  const people = { users, fields, groups, sessions, events };
  const credentials = createCredentials({
    ...ground,
    ...people,
    mail,
    sms,
    ...shortTexts(ground),
    groupsOf: groups.of,
    hashingWaited: measures?.hashingWaited,
    elsewhere: {
      has: (userId) => federation.identities.hasWayIn(userId),
      removeSince: (userId, since) => federation.identities.removeSince(userId, since),
    },
  });
  const federation = createFederation({
    ...ground,
    ...people,
    keys,
    tell: (user, what, from) => credentials.notices.tell(user, what, from),
    hasOwnWayIn: async (accountId) => {
      const { password, passkeys } = await credentials.factors.of(accountId);
      return password || passkeys > 0;
    },
  });
  const transfer = createTransfer({
    ...ground,
    ...people,
    ...credentials,
    memberships: createMemberships({
      ...{ db, clock, events, groups },
      isClient: async (id) => (await clients.find(id)) !== undefined,
    }),
    ...{ roles, permissions, organisations },
    intake: createIntake({ db, clock }),
    credentialIntake: createCredentialIntake(ground),
    settings: { imports: { maxBytes: settings.imports.maxMib * 1024 * 1024 } },
  });
  const { url, secret, auth, timeout, trustEmail } = settings.trickle;
  const oldSystem =
    url && secret ? createOldSystem({ settings: { url, secret, auth, timeout }, clock, log }) : undefined;
  const trickle =
    oldSystem && createTrickle({ ...ground, ...people, ...credentials, oldSystem, settings: { trustEmail, timeout } });

  return {
    ...{ eventLog, events, mailbox, mail, sms, keys, clients, resources, standing, sessions },
    ...{ users, portraits, pictures, fields, groups, permissions, roles, factClaims, facts, tokenFacts, organisations },
    ...{ words, search, tally, consents, credentials, federation, transfer, trickle },
  };
}

export type Domain = Awaited<ReturnType<typeof createDomain>>;
