import { emailKey } from '../email.ts';
import type { IdentityStatus } from '../identity.ts';
import type { UserState } from '../states.ts';
import { userNameKey } from '../user-name.ts';

/** What people are looked for by; all of it must hold. Times are inclusive at `from`, exclusive at `to`. */
export interface UserFilter {
  /** Words anywhere in name, user name or address; a word of one or two letters at the beginning of one. */
  text?: string | undefined;
  /** Without it everybody but who was deleted. */
  states?: readonly UserState[] | undefined;
  ids?: readonly string[] | undefined;
  email?: string | undefined;
  userName?: string | undefined;
  externalId?: string | undefined;
  phoneNumber?: string | undefined;
  /** Names: the whole of one, or its beginning followed by `*`. */
  name?: string | undefined;
  givenName?: string | undefined;
  familyName?: string | undefined;
  locale?: string | undefined;
  administrator?: boolean | undefined;
  emailVerified?: boolean | undefined;
  identityStatus?: IdentityStatus | undefined;
  /** Of this group, or of one inside it. */
  group?: string | undefined;
  organisation?: string | undefined;
  /** False: those who never have. */
  signedIn?: boolean | undefined;
  signedInFrom?: Date | undefined;
  signedInTo?: Date | undefined;
  createdFrom?: Date | undefined;
  createdTo?: Date | undefined;
  /** Custom fields: what each must be, or begin with followed by `*`. */
  attributes?: Record<string, string> | undefined;
}

/** A condition on a custom field, as `fields` compares it. */
export type FieldCondition = (name: string, value: string, param: (value: unknown) => string) => string;

/** Conditions and their parameters: values are never part of the text. */
export interface Conditions {
  /** What any index but that of the text may serve. */
  plain: string[];
  /** What only the text's index can serve. */
  text: string[];
  /** What must be found of each, as what comes after `select` in an `exists`: the memberships that are asked for. */
  members: string[];
  params: unknown[];
}

/** @param groups the group asked for with those inside it */
export function conditionsOf(filter: UserFilter, groups: readonly string[], field: FieldCondition): Conditions {
  const params: unknown[] = [];
  const param = (value: unknown): string => `$${params.push(value)}`;
  const plain: string[] = [];
  const text: string[] = [];
  const members: string[] = [];
  const { states, attributes = {} } = filter;

  if (!states || states.length === 0) plain.push(`u.state <> 'Deleted'`);
  else if (states.length === 1) plain.push(`u.state = ${param(states[0])}`);
  else plain.push(`u.state = any(${param(states)})`, ...(states.includes('Deleted') ? [] : [`u.state <> 'Deleted'`]));

  const equal: [string, unknown][] = [
    ['u.email_key', filter.email === undefined ? undefined : emailKey(filter.email)],
    [
      'coalesce(u.user_name_key, u.email_key)',
      filter.userName === undefined ? undefined : userNameKey(filter.userName),
    ],
    ['u.external_id', filter.externalId],
    [`(u.profile->>'phone_number')`, filter.phoneNumber],
    ['u.locale', filter.locale],
    // Most have none: spelled so that the index on the others is seen to serve.
    [`(u.identity_status <> 'none')`, filter.identityStatus && filter.identityStatus !== 'none' ? true : undefined],
    ['u.identity_status', filter.identityStatus],
    ['u.administrator', filter.administrator],
    ['(u.email_verified_at is not null)', filter.emailVerified],
    ['(u.last_sign_in_at is not null)', filter.signedIn],
  ];
  for (const [expression, value] of equal) {
    if (value === undefined) continue;
    // Spelled so that a partial index on what holds is seen to serve.
    if (value === true) plain.push(expression);
    else if (value === false) plain.push(`not ${expression}`);
    else plain.push(`${expression} = ${param(value)}`);
  }
  if (filter.ids) plain.push(`u.id = any(${param(filter.ids)}::uuid[])`);

  const ranges: [string, '>=' | '<', Date | undefined][] = [
    ['u.last_sign_in_at', '>=', filter.signedInFrom],
    ['u.last_sign_in_at', '<', filter.signedInTo],
    ['u.created_at', '>=', filter.createdFrom],
    ['u.created_at', '<', filter.createdTo],
  ];
  for (const [column, operator, at] of ranges) if (at) plain.push(`${column} ${operator} ${param(at)}`);

  if (filter.group !== undefined) {
    members.push(`from group_member m where m.member_id = u.id and m.group_id = any(${param(groups)}::uuid[])`);
  }
  if (filter.organisation !== undefined) {
    const organisation = `${param(filter.organisation)}::uuid`;
    members.push(`from organisation_member o where o.account_id = u.id and o.organisation_id = ${organisation}`);
  }
  for (const [name, value] of Object.entries(attributes)) plain.push(field(name, value, param));

  for (const word of wordsOf(filter.text)) {
    text.push(`u.search_text like ${anywhere(word)}`);
  }
  for (const [column, name] of [
    ['name', filter.name],
    ['given_name', filter.givenName],
    ['family_name', filter.familyName],
  ]) {
    if (name === undefined) continue;
    const { value, prefix } = asked(name);
    // The text's index finds who has the words anywhere; of them those are taken who have them here.
    for (const word of wordsOf(value)) text.push(`u.search_text like ${anywhere(word)}`);
    const pattern = `replace(replace(replace(search_key(${param(value)}), '\\', '\\\\'), '%', '\\%'), '_', '\\_')`;
    text.push(`search_key(u.${column}) like ${pattern}${prefix ? ` || '%'` : ''}`);
  }
  return { plain, text, members, params };

  /** A word of three letters or more anywhere; a shorter one, for which no trigram stands, where a word begins. */
  function anywhere(word: string): string {
    const begins = [...word].length < 3 ? ' ' : '';
    return `'%${begins}' || search_key(${param(escaped(word))}) || '%'`;
  }
}

/** Each condition as it is: the planner chooses the index. */
export const allOf = ({ text, plain, members }: Omit<Conditions, 'params'>): string[] => [
  ...text,
  ...plain,
  ...members.map((membership) => `exists (select ${membership})`),
];

/** Whether nothing but words is asked for. */
export const isTextAlone = ({ text, ...others }: UserFilter): boolean =>
  wordsOf(text).length > 0 && Object.values(others).every((value) => value === undefined);

const mostWords = 8;

export const wordsOf = (text: string | undefined): string[] =>
  (text ?? '').split(/\s+/).filter(Boolean).slice(0, mostWords);

const escaped = (word: string): string => word.replace(/[\\%_]/g, '\\$&');

/** `Ada*` is the beginning `Ada`. */
export const asked = (value: string): { value: string; prefix: boolean } =>
  value.endsWith('*') ? { value: value.slice(0, -1), prefix: true } : { value, prefix: false };
