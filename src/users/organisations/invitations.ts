import type { Events } from '../../events/index.ts';
import type { Mail } from '../../mail/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, newId, Refusal, randomToken, secondsAfter, sha256 } from '../../platform/index.ts';
import { emailKey, isEmail } from '../email.ts';
import { wants } from '../preferences/index.ts';
import type { User } from '../user.ts';
import type { By } from '../users.ts';
import type { OrganisationMembers } from './members.ts';

export interface Invitation {
  id: string;
  organisationId: string;
  organisation: string;
  email: string;
  /** Ids of the roles that come with it. */
  roleIds: string[];
  invitedBy: string | undefined;
  createdAt: Date;
  expiresAt: Date;
}

/**
 * Somebody is asked by letter to join. An invitation belongs to the address it went to: who is signed in with that
 * address proved accepts it; the letter's link only leads there, and of several who try at once one joins.
 */
export interface Invitations {
  /**
   * Sends the letter, in place of an earlier one; the same whether or not the address has an account.
   * @throws Refusal `organisation.unknown` (missing), `user.email_malformed`, `role.unknown` (invalid),
   *   `mail.too_many` (limited), `invitation.too_many` (conflict)
   */
  invite(
    input: { organisationId: string; email: string; roles?: readonly string[]; locale?: string | undefined },
    by: By,
  ): Promise<Invitation>;
  /** Those not accepted yet, expired ones too. */
  list(organisationId: string): Promise<Invitation[]>;
  /** What the link of a letter is about; changes nothing. @throws Refusal `invitation.refused` (invalid) */
  peek(token: string): Promise<Invitation>;
  /** The invitations that a person can accept now: none before they have proved their address. */
  openTo(user: Pick<User, 'email' | 'isEmailVerified'>): Promise<Invitation[]>;
  /** Whether somebody with this address is awaited anywhere. */
  isAwaited(email: string): Promise<boolean>;
  /**
   * Makes the person a member.
   * @throws Refusal `invitation.refused` (invalid): not theirs, expired, withdrawn or accepted already
   */
  accept(id: string, user: Pick<User, 'id' | 'email' | 'isEmailVerified'>, by: By): Promise<Invitation>;
  /** The person does not want to join. @returns whether it was theirs and open */
  decline(id: string, user: Pick<User, 'id' | 'email' | 'isEmailVerified'>, by: By): Promise<boolean>;
  /** @returns whether it was open */
  withdraw(organisationId: string, id: string, by: By): Promise<boolean>;
  /** Removes what expired a month ago. */
  tidy(): Promise<void>;
}

/** Who has the address already. */
type Reader = Pick<User, 'settings' | 'profile' | 'locale'>;

interface Row {
  id: string;
  organisation_id: string;
  organisation: string;
  email: string;
  role_ids: string[];
  invited_by: string | null;
  created_at: string;
  expires_at: string;
}

const invitationOf = (row: Row): Invitation => ({
  id: row.id,
  organisationId: row.organisation_id,
  organisation: row.organisation,
  email: row.email,
  roleIds: row.role_ids,
  invitedBy: row.invited_by ?? undefined,
  createdAt: new Date(row.created_at),
  expiresAt: new Date(row.expires_at),
});

/** Open at once, of one organisation. */
const most = 1_000;
const monthSeconds = 30 * 24 * 60 * 60;

export function createInvitations(deps: {
  db: Db;
  clock: Clock;
  events: Pick<Events, 'record'>;
  mail: Pick<Mail, 'send'>;
  members: Pick<OrganisationMembers, 'add'>;
  /** Where the letter leads. */
  link(token: string): string;
  /** Seconds. */
  life: number;
}): Invitations {
  const { db, clock, events, mail, members, link, life } = deps;
  const refused = () => new Refusal('invitation.refused', { kind: 'invalid' });

  const select = `select i.*, o.display_name as organisation from organisation_invitation i
    join organisation o on o.id = i.organisation_id where i.accepted_at is null and`;
  const query = async (where: string, params: unknown[]) =>
    (await db.query<Row>(`${select} ${where} order by i.created_at limit 1000`, params)).map(invitationOf);

  /** Only an address that was proved is the person's. */
  const keyOf = ({ email, isEmailVerified }: Pick<User, 'email' | 'isEmailVerified'>, user: object) =>
    email && isEmailVerified.call(user) ? emailKey(email) : undefined;

  const tell = (
    type: `organisation.invit${'ed' | 'ation_accepted' | 'ation_withdrawn'}`,
    invitation: Pick<Invitation, 'id' | 'organisationId'>,
    by: By,
  ) => events.record({ type, ...by, data: { organisation: invitation.organisationId, invitation: invitation.id } });

  return {
    invite: ({ organisationId, email, roles = [], locale = 'en' }, by) =>
      db.transact(async () => {
        if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
        const [place] = isId(organisationId)
          ? await db.query<{ display_name: string }>('select display_name from organisation where id = $1 for share', [
              organisationId,
            ])
          : [];
        if (!place) throw new Refusal('organisation.unknown', { kind: 'missing' });
        const wanted = [...new Set(roles)];
        const known = wanted.every(isId)
          ? await db.query(`select 1 from role where id = any($1) and scope = 'organisation' for key share`, [wanted])
          : [];
        if (known.length !== wanted.length) throw new Refusal('role.unknown', { kind: 'invalid' });

        const key = emailKey(email);
        await db.query(
          'delete from organisation_invitation where organisation_id = $1 and email_key = $2 and accepted_at is null',
          [organisationId, key],
        );
        const [open] = await db.query<{ number: number }>(
          'select count(*)::int as number from organisation_invitation where organisation_id = $1 and accepted_at is null',
          [organisationId],
        );
        if (open!.number >= most) throw new Refusal('invitation.too_many', { kind: 'conflict' });
        const token = randomToken();
        const now = clock.now();
        const invitedBy = by.actor.kind === 'user' || by.actor.kind === 'administrator' ? (by.actor.id ?? null) : null;
        const [row] = await db.query<Row>(
          `insert into organisation_invitation
             (id, organisation_id, email, email_key, role_ids, token_hash, invited_by, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *, $10::text as organisation`,
          [
            ...[newId(), organisationId, email.trim(), key, wanted, sha256(token), invitedBy, now],
            ...[secondsAfter(now, life), place.display_name],
          ],
        );
        const invitation = invitationOf(row!);
        const [reader] = await db.query<Reader>(
          `select settings, profile, locale from user_account
             where email_key = $1 and email_verified_at is not null and state = 'Active'`,
          [key],
        );
        // Whoever has an account and wants no letters about it finds the invitation on its pages.
        if (!reader || wants(reader, 'account', 'email')) {
          await mail.send('organisation-invitation', {
            to: email,
            locale: reader?.locale ?? locale,
            params: { place: place.display_name, link: link(token), until: invitation.expiresAt },
          });
        }
        await tell('organisation.invited', invitation, by);
        return invitation;
      }),

    list: async (organisationId) => (isId(organisationId) ? query('i.organisation_id = $1', [organisationId]) : []),

    async peek(token) {
      const [found] = await query('i.token_hash = $1 and i.expires_at > $2', [sha256(token), clock.now()]);
      if (!found) throw refused();
      return found;
    },

    async openTo(user) {
      const key = keyOf(user, user);
      return key ? query('i.email_key = $1 and i.expires_at > $2', [key, clock.now()]) : [];
    },

    isAwaited: async (email) =>
      isEmail(email) &&
      (await query('i.email_key = $1 and i.expires_at > $2', [emailKey(email), clock.now()])).length > 0,

    accept: (id, user, by) =>
      db.transact(async () => {
        const key = keyOf(user, user);
        const [taken] =
          key && isId(id)
            ? await db.query<Row>(
                `update organisation_invitation i set accepted_at = $3, accepted_by = $4 from organisation o
                 where i.id = $1 and i.email_key = $2 and i.accepted_at is null and i.expires_at > $3
                   and o.id = i.organisation_id returning i.*, o.display_name as organisation`,
                [id, key, clock.now(), user.id],
              )
            : [];
        if (!taken) throw refused();
        const invitation = invitationOf(taken);
        await members.add(invitation.organisationId, user.id, by, invitation.roleIds);
        await tell('organisation.invitation_accepted', invitation, by);
        return invitation;
      }),

    decline: (id, user, by) =>
      db.transact(async () => {
        const key = keyOf(user, user);
        if (!key || !isId(id)) return false;
        const [gone] = await db.query<{ organisation_id: string }>(
          `delete from organisation_invitation where id = $1 and email_key = $2 and accepted_at is null
           returning organisation_id`,
          [id, key],
        );
        if (gone) await tell('organisation.invitation_withdrawn', { id, organisationId: gone.organisation_id }, by);
        return gone !== undefined;
      }),

    withdraw: (organisationId, id, by) =>
      db.transact(async () => {
        if (!isId(organisationId) || !isId(id)) return false;
        const gone = await db.query(
          'delete from organisation_invitation where organisation_id = $1 and id = $2 and accepted_at is null returning 1',
          [organisationId, id],
        );
        if (gone.length > 0) await tell('organisation.invitation_withdrawn', { id, organisationId }, by);
        return gone.length > 0;
      }),

    async tidy() {
      await db.query('delete from organisation_invitation where expires_at <= $1', [
        secondsAfter(clock.now(), -monthSeconds),
      ]);
    },
  };
}
