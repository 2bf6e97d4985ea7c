import { z } from 'zod';
import {
  identityStatuses,
  type NewUser,
  type UserFilter,
  type UserList,
  userSorts,
  userStates,
} from '../../users/index.ts';
import { invalid } from '../checks.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { id, moment, pageOf, paging, text } from '../schemas.ts';
import { asOf, checkAttributes } from './attributes.ts';
import { claimsOf, etagOfPerson, person, show, writable } from './person.ts';

const section = 'Directory';
const yes = (about: string) => z.enum(['true', 'false']).optional().describe(about);
const beginning = 'The whole of it, or its beginning followed by *';

/** What a list of people is narrowed to; the same members as JSON choose whom a bulk change is for. */
export const filters = {
  q: text(200)
    .optional()
    .describe('Words anywhere in name, user name or address; where nobody has them, people with words like them'),
  state: z.array(z.enum(userStates)).max(7).optional().describe('One or more; without it all but Deleted'),
  email: text(254).optional(),
  user_name: text(254).optional().describe('The user name, or the address of who has none'),
  external_id: text(254).optional(),
  phone_number: text(40).optional(),
  name: text(200).optional().describe(beginning),
  given_name: text(200).optional().describe(beginning),
  family_name: text(200).optional().describe(beginning),
  locale: text(35).optional(),
  administrator: yes('Whether they are administrators'),
  email_verified: yes('Whether the address is proved'),
  identity_status: z.enum(identityStatuses).optional(),
  group: id().optional().describe('In this group or one inside it'),
  organisation: id().optional(),
  signed_in: yes('Whether they ever signed in'),
  signed_in_from: moment().optional().describe('Last signed in then or later'),
  signed_in_to: moment().optional().describe('Last signed in before then'),
  created_from: moment().optional(),
  created_to: moment().optional(),
  attributes: z
    .record(z.string().regex(/^\w{1,60}$/), text(500))
    .optional()
    .describe(`Searchable custom fields: attributes[name]=value. ${beginning}`),
};

export type Filters = z.output<z.ZodObject<typeof filters>>;

const isYes = (value: string | undefined) => (value === undefined ? undefined : value === 'true');
const at = (value: string | undefined) => (value === undefined ? undefined : new Date(value));

export const filterOf = (given: Partial<Filters>): UserFilter => ({
  text: given.q,
  states: given.state,
  email: given.email,
  userName: given.user_name,
  externalId: given.external_id,
  phoneNumber: given.phone_number,
  name: given.name,
  givenName: given.given_name,
  familyName: given.family_name,
  locale: given.locale,
  administrator: isYes(given.administrator),
  emailVerified: isYes(given.email_verified),
  identityStatus: given.identity_status,
  group: given.group,
  organisation: given.organisation,
  signedIn: isYes(given.signed_in),
  signedInFrom: at(given.signed_in_from),
  signedInTo: at(given.signed_in_to),
  createdFrom: at(given.created_from),
  createdTo: at(given.created_to),
  attributes: given.attributes,
});

const sorts = userSorts.flatMap((sort) => [sort, `-${sort}`] as const);

const query = z.strictObject({
  ...filters,
  sort: z.enum(sorts).optional().describe('With - in front the other way round; default -created_at'),
  total: z.enum(['exact', 'estimate']).optional().describe('How many there are altogether; exactly takes its time'),
  ...paging,
});

const found = pageOf(person).extend({
  similar: z.boolean().describe('Nobody has these words; these people have words like them'),
  total: z.number().int().optional(),
});

const created = z
  .strictObject({
    ...writable,
    state: z.enum(['Created', 'Unverified', 'PasswordResetRequired', 'Active']).optional(),
    letter: z
      .enum(['none', 'invitation', 'verification'])
      .default('none')
      .describe('An invitation leads to choosing a password, a verification proves the address'),
  })
  .meta({ id: 'NewPerson' });

/** In which state one begins whom nothing else is said of. */
const firstStates = { none: 'Active', invitation: 'Created', verification: 'Unverified' } as const;

/** All people: found, listed, counted, added. */
export function directoryRoutes(ports: ApiPorts): Route[] {
  const { users, search, tally, fields, db, resets, verification, present } = ports;
  const cursors = createCursors(ports);

  return [
    route({
      method: 'GET',
      path: '/admin/users',
      ...{ section, summary: 'Find people', scopes: ['users.read'] },
      details: 'All conditions must hold. Who is added or deleted meanwhile moves nobody from one page to another.',
      query,
      answer: found,
      refusals: ['cursor.invalid', 'field.not_searchable'],
      async handle({ query: { limit, cursor, total, sort, ...given }, caller }) {
        // By what is asked for, where the newest accounts are least likely to be meant.
        const usual = given.signed_in_from || given.signed_in_to ? '-last_sign_in_at' : '-created_at';
        const order = sort ?? usual;
        const pages = cursors(caller, ['people', given, order]);
        const filter = filterOf(given);
        const asked: UserList = {
          filter,
          limit,
          sort: order.replace('-', '') as UserList['sort'],
          descending: order.startsWith('-'),
          after: pages.after(cursor),
        };
        const { users: people, next, similar } = await search.list(asked);
        const as = asOf(caller, false);
        const body = {
          items: await Promise.all(
            people.map(async (user) => show(user, await fields.visible(user.attributes ?? {}, as))),
          ),
          next: next ? pages.write(next) : null,
          similar,
          ...(total && { total: await search.count(filter, total) }),
        };
        return { body };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/users',
      ...{ section, summary: 'Add a person', scopes: ['users.write'] },
      details:
        'Without a state, they begin as Active; with an invitation as Created, with a verification as Unverified.',
      body: created,
      answer: person,
      status: [201],
      refusals: ['user.email_taken', 'user.user_name_taken', 'user.email_malformed', 'mail.too_many'],
      async handle({ body, caller, by, ctx }) {
        const { letter, state = firstStates[letter], email, email_verified, user_name, external_id, ...rest } = body;
        demandAddress(email, user_name, letter);
        const as = asOf(caller, false);
        const attributes = await checkAttributes(fields, rest.attributes, { ...as, at: 'api', whole: true });
        const user = await db.transact(async () => {
          const made = await users.create(
            {
              ...(claimsOf(rest) as Pick<NewUser, 'name'>),
              state,
              email: email ?? undefined,
              emailVerified: email_verified ?? false,
              userName: user_name ?? undefined,
              externalId: external_id ?? undefined,
              attributes: Object.fromEntries(Object.entries(attributes ?? {}).filter(([, value]) => value !== null)),
            },
            by,
          );
          const locale = made.locale ?? present.locale(ctx);
          if (letter === 'invitation') await resets.invite({ userId: made.id, locale });
          if (letter === 'verification') await verification.ask({ userId: made.id, locale, by });
          return made;
        });
        const body_ = show(user, await fields.visible(user.attributes ?? {}, as));
        return { body: body_, status: 201, etag: etagOfPerson(user), location: `/users/${user.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/users/analytics',
      ...{ section, summary: 'Count people', scopes: ['users.read'] },
      details:
        'Days are days of UTC. What is counted is kept as it happens, so the answer is quick however many people there are.',
      query: z.strictObject({ days: z.coerce.number().int().min(1).max(366).default(30) }),
      answer: figures,
      async handle({ query: { days } }) {
        const { at, states, days: each, active, completion } = await tally.figures(days);
        return {
          body: {
            at: at.toISOString(),
            states,
            days: each.map(({ day, signUps, signIns }) => ({ day, sign_ups: signUps, sign_ins: signIns })),
            active: { days_1: active.day, days_7: active.week, days_30: active.month },
            profile_completion: { average: completion.average, by_fields_filled: completion.by },
          },
        };
      },
    }),
  ];
}

const count = () => z.number().int();

const figures = z
  .strictObject({
    at: moment(),
    states: z.strictObject(Object.fromEntries(userStates.map((state) => [state, count()]))),
    days: z.array(z.strictObject({ day: z.iso.date(), sign_ups: count(), sign_ins: count() })).describe('Oldest first'),
    active: z
      .strictObject({ days_1: count(), days_7: count(), days_30: count() })
      .describe('People who signed in today, or within so many days with today'),
    profile_completion: z.strictObject({
      average: z.number().min(0).max(1),
      by_fields_filled: z
        .array(count())
        .describe(
          'People by how many of eight are there: proved address, name, given and family name, locale, picture, phone, time zone',
        ),
    }),
  })
  .meta({ id: 'UserFigures' });

/** Whoever has neither address nor user name cannot be found again, and a letter needs somewhere to go. */
function demandAddress(email: string | null | undefined, userName: string | null | undefined, letter: string): void {
  if (email == null && (userName == null || letter !== 'none')) {
    const detail = letter === 'none' ? 'An address or a user name is needed' : 'A letter needs an address';
    throw invalid([{ pointer: '/email', code: 'missing', detail }]);
  }
}
