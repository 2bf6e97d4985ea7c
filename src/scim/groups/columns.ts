import type { Columns, Expression } from '../filter/compile.ts';

const single: Record<string, Expression> = {
  id: { sql: 'g.id', kind: 'uuid' },
  externalId: { sql: 'g.external_id', kind: 'text' },
  'meta.created': { sql: 'g.created_at', kind: 'timestamp' },
  'meta.lastModified': { sql: 'g.updated_at', kind: 'timestamp' },
  'meta.resourceType': { sql: `'Group'::text`, kind: 'text' },
  'meta.version': { sql: `('W/"' || g.version || '"')`, kind: 'text' },
  displayName: { sql: 'g.display_name', kind: 'text' },
};

const members = `(select jsonb_build_object('value', m.member_id, 'type', initcap(m.member_kind),
       'display', coalesce(i.display_name, u.name, u.user_name, u.email)) as e
     from group_member m left join user_account u on m.member_kind = 'user' and u.id = m.member_id
     left join user_group i on m.member_kind = 'group' and i.id = m.member_id
    where m.group_id = g.id and u.state is distinct from 'Deleted') as members`;

/** How groups are kept: user_group as `g`. */
export const groupColumns: Columns = {
  single: ({ attribute, sub }) => single[sub ? `${attribute.name}.${sub.name}` : attribute.name],
  elements: ({ name }) => (name === 'members' ? members : undefined),
  quick({ attribute, sub }, operator, value, add) {
    if (attribute.name !== 'members' || sub?.name !== 'value' || operator !== 'eq') return undefined;
    if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) return 'false';
    return `exists (select 1 from group_member m where m.group_id = g.id and m.member_id = ${add(value)}::uuid)`;
  },
};
