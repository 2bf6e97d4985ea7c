import { type UserFilter, wordsOf } from './conditions.ts';

export const userSorts = ['created_at', 'name', 'email', 'user_name', 'last_sign_in_at'] as const;
export type UserSort = (typeof userSorts)[number];

/** Where a page ended: in which part of the list, and the last row's place in it. Without a key, by its id alone. */
export interface Position {
  part: number;
  key: string | null;
  id: string;
}

export interface UserList {
  filter: UserFilter;
  sort: UserSort;
  descending: boolean;
  limit: number;
  /** Of the page before, with the same filter and sort. */
  after?: Position | undefined;
}

interface Sort {
  expression: string;
  type: string;
  /** Whether some have none. */
  nullable: boolean;
  /** Whether the order's index has the text in it, so that it is searched without a look at the rows. */
  hasText?: boolean;
}

/** What may be sorted by. */
export const sorts: Record<UserSort, Sort> = {
  created_at: { expression: 'u.created_at', type: 'timestamptz', nullable: false, hasText: true },
  name: { expression: 'u.sort_name', type: 'text collate "C"', nullable: false, hasText: true },
  email: { expression: 'u.email_key', type: 'text', nullable: true },
  user_name: { expression: 'coalesce(u.user_name_key, u.email_key)', type: 'text', nullable: true },
  last_sign_in_at: { expression: 'u.last_sign_in_at', type: 'timestamptz', nullable: true },
};

export interface Part {
  number: number;
  /** Those without what is sorted by: in the order of their ids. */
  unsorted?: boolean;
  where(params: unknown[]): string[];
}

/**
 * A list may have parts, one after the other: who begins with the text that was asked for comes before who
 * has it elsewhere (a list by name in which all fitting names stand at its end would else be walked whole), and last who
 * has nothing to be sorted by.
 */
export function partsOf({ filter, sort }: UserList): Part[] {
  const { expression, nullable } = sorts[sort];
  const text = wordsOf(filter.text).join(' ');
  const has = nullable ? [`${expression} is not null`] : [];
  const parts: Omit<Part, 'number'>[] = [];
  if (text && sort === 'name') {
    const beginning = (params: unknown[]) => `search_key($${params.push(text)})`;
    const range = (params: unknown[]) => {
      const from = beginning(params);
      return `u.sort_name >= ${from} and u.sort_name < ${from} || chr(1114111)`;
    };
    parts.push({ where: (params) => [range(params)] }, { where: (params) => [`not (${range(params)})`] });
  } else {
    parts.push({ where: () => has });
  }
  if (nullable) parts.push({ unsorted: true, where: () => [`${expression} is null`] });
  return parts.map((part, number) => ({ ...part, number }));
}

export interface Walk {
  key: string;
  order: string;
  conditions: string[];
}

/** What a walk through one part reads, in which order, and where it begins. */
export function walkOf({ sort, descending, after }: UserList, part: Part, params: unknown[]): Walk {
  const { expression, type } = sorts[sort];
  const way = descending ? 'desc' : 'asc';
  const conditions = [...part.where(params)];
  const id = (position: Position) => `$${params.push(position.id)}::uuid`;
  const operator = descending ? '<' : '>';
  const begun = after?.part === part.number ? after : undefined;
  if (part.unsorted) {
    if (begun) conditions.push(`u.id ${operator} ${id(begun)}`);
    return { key: 'null', order: `u.id ${way}`, conditions };
  }
  if (begun) conditions.push(`(${expression}, u.id) ${operator} ($${params.push(begun.key)}::${type}, ${id(begun)})`);
  return { key: expression, order: `${expression} ${way}, u.id ${way}`, conditions };
}

/** The same of what was gathered: beyond the last row of the page before. */
export function beyondPosition(type: string, params: unknown[], { descending }: UserList, { part, key, id }: Position) {
  const operator = descending ? '<' : '>';
  const last = `$${params.push(id)}::uuid`;
  const within =
    key === null ? `id ${operator} ${last}` : `(key, id) ${operator} ($${params.push(key)}::${type}, ${last})`;
  return `(part > ${Number(part)} or (part = ${Number(part)} and ${within}))`;
}
