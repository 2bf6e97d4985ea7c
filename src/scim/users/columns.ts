import { comparesAs, emailKey, fieldExpression, isEmail, ownEmailKind, userNameKey } from '../../users/index.ts';
import type { Columns, Expression } from '../filter/compile.ts';
import type { Attribute } from '../schema/attribute.ts';
import type { Place } from '../schema/resource-type.ts';
import { cardeaSchema, enterpriseSchema } from '../schema/users.ts';
import type { CustomFields } from './custom-fields.ts';
import { addressParts, plainLists, plainTexts } from './person.ts';

const text = (sql: string): Expression => ({ sql, kind: 'text' });
const time = (sql: string): Expression => ({ sql, kind: 'timestamp' });
const yes = (sql: string): Expression => ({ sql, kind: 'boolean' });

/** The account's own columns and what is kept in `directory`, by the names of the core schema. */
const core: Record<string, Expression> = {
  id: { sql: 'u.id', kind: 'uuid' },
  externalId: text('u.external_id'),
  'meta.created': time('u.created_at'),
  'meta.lastModified': time('u.updated_at'),
  'meta.resourceType': text(`'User'::text`),
  'meta.version': text(`('W/"' || u.version || '"')`),
  userName: { sql: 'coalesce(u.user_name_key, u.email_key)', kind: 'text', key: userNameKey },
  'name.formatted': text(
    `coalesce(u.directory #>> '{name,formatted}', case when coalesce(u.given_name, u.family_name,
        u.profile ->> 'middle_name', u.directory #>> '{name,honorificPrefix}', u.directory #>> '{name,honorificSuffix}')
        is not null then coalesce(u.name, concat_ws(' ', u.given_name, u.family_name)) end)`,
  ),
  'name.familyName': text('u.family_name'),
  'name.givenName': text('u.given_name'),
  'name.middleName': text(`(u.profile ->> 'middle_name')`),
  'name.honorificPrefix': text(`(u.directory #>> '{name,honorificPrefix}')`),
  'name.honorificSuffix': text(`(u.directory #>> '{name,honorificSuffix}')`),
  displayName: text('u.name'),
  nickName: text(`(u.profile ->> 'nickname')`),
  profileUrl: text(`(u.profile ->> 'profile')`),
  locale: text('u.locale'),
  timezone: text(`(u.profile ->> 'zoneinfo')`),
  active: yes(`(u.state not in ('Suspended', 'Deactivated', 'Deleted'))`),
  ...Object.fromEntries(plainTexts.map((name) => [name, text(`(u.directory ->> '${name}')`)])),
};

const enterprise: Record<string, Expression> = Object.fromEntries(
  ['employeeNumber', 'costCenter', 'organization', 'division', 'department']
    .map((name) => [name, text(`(u.directory #>> '{enterprise,${name}}')`)] as const)
    .concat([['manager.value', text(`(u.directory #>> '{enterprise,manager,value}')`)]]),
);

const cardea: Record<string, Expression> = {
  state: text('u.state'),
  stateChangedAt: time('u.state_changed_at'),
  emailVerified: yes('(u.email_verified_at is not null)'),
  phoneNumberVerified: yes(`coalesce((u.profile ->> 'phone_number_verified')::boolean, false)`),
  lastSignInAt: time('u.last_sign_in_at'),
  identityStatus: text('u.identity_status'),
  identityStatusAt: time('u.identity_status_at'),
};

/**
 * The list a directory keeps with the account's own value in it as the account has it (see `mirrored` in represent.ts):
 * what is told is what is found.
 * @param held SQL of the account's own, null when there is none
 * @param own SQL of the element that stands for it, made of `v`, the one that is kept
 */
const kept = (name: string, held: string, own: string, kind?: string) =>
  `(select case when at = 1 then ${own} else v end as e
      from (select v, row_number() over (order by (v ->> 'primary' = 'true') is not true,
               ${kind ? `(lower(v ->> 'type') = '${kind}') is not true, ` : ''}n) as at
              from jsonb_array_elements(case when ${held} is null or jsonb_array_length(u.directory -> '${name}') > 0
                then u.directory -> '${name}' else '[{"primary": true}]' end) with ordinality as kept (v, n)) as ranked
     where at > 1 or ${held} is not null) as ${name}`;
const keptValues = (name: string, held: string, kind?: string) =>
  kept(name, held, `v || jsonb_build_object('value', ${held})`, kind);

const address = `(case when u.profile -> 'address' <> '{}' then u.profile -> 'address' end)`;
const addressPart = ([name, claim]: [string, string]) => `'${name}', ${address} ->> '${claim}'`;

const lists: Record<string, string> = {
  emails: keptValues('emails', 'u.email', ownEmailKind),
  phoneNumbers: keptValues('phoneNumbers', `(u.profile ->> 'phone_number')`),
  photos: keptValues('photos', `(u.profile ->> 'picture')`),
  addresses: kept(
    'addresses',
    address,
    `jsonb_strip_nulls(jsonb_build_object('type', v -> 'type', 'primary', coalesce(v -> 'primary', 'true'),
       ${Object.entries(addressParts).map(addressPart).join(', ')}))`,
  ),
  groups: `(select jsonb_build_object('value', g.id, 'display', g.display_name, 'type', 'direct') as e
     from group_member m join user_group g on g.id = m.group_id where m.member_id = u.id) as groups`,
  ...Object.fromEntries(plainLists.map((name) => [name, `jsonb_array_elements(u.directory -> '${name}') as e`])),
};

const isUuid = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);

/** How people are kept: user_account as `u`. */
export function userColumns(fields: CustomFields): Columns {
  const field = ({ name, type }: Attribute): Expression | undefined => {
    const found = fields.fieldOf(name);
    if (!found) return undefined;
    const sql = fieldExpression(found, 'u');
    if (comparesAs(found.type) === 'text') return { sql, kind: 'text', lowered: true };
    return {
      sql,
      kind: type === 'string' ? 'text' : 'json',
      ...(type === 'string' && { sql: `(u.attributes ->> '${found.name}')` }),
    };
  };
  return {
    single({ extension, attribute, sub }: Place) {
      const name = sub ? `${attribute.name}.${sub.name}` : attribute.name;
      if (extension?.id === enterpriseSchema) return enterprise[name];
      if (extension?.id === cardeaSchema) return cardea[name] ?? field(attribute);
      return core[name];
    },
    elements(attribute) {
      const found = fields.fieldOf(attribute.name);
      return found ? `jsonb_array_elements(${fieldExpression(found, 'u')}) as e` : lists[attribute.name];
    },
    quick({ extension, attribute, sub }, operator, value, add) {
      if (extension || operator !== 'eq' || sub?.name !== 'value' || typeof value !== 'string') return undefined;
      if (attribute.name === 'emails') {
        if (!isEmail(value)) return 'false';
        const key = emailKey(value);
        const among = `(u.directory -> 'emails') @> ${add(JSON.stringify([{ key }]))}::jsonb`;
        return `(u.email_key = ${add(key)} or ${among})`;
      }
      if (attribute.name === 'groups')
        return isUuid(value)
          ? `exists (select 1 from group_member m where m.member_id = u.id and m.group_id = ${add(value)}::uuid)`
          : 'false';
      return undefined;
    },
  };
}
