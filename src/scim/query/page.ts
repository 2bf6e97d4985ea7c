import type { Db } from '../../platform/db/index.ts';
import { type Clock, sha256, type Vault } from '../../platform/index.ts';
import { bad, ScimFault } from '../faults.ts';
import { type Columns, compileFilter, createParameters, type Expression } from '../filter/compile.ts';
import { shown } from '../filter/parse.ts';
import { named } from '../schema/attribute.ts';
import { findPlace, type ResourceType } from '../schema/resource-type.ts';
import type { Query } from './request.ts';

/** Where one kind of resource is found. */
export interface Source {
  type: ResourceType;
  columns: Columns;
  /** A FROM clause, with the alias that `columns` speaks of. */
  from: string;
  alias: string;
  select: string;
  /** What is seen at all. @param add takes a parameter, gives its `$n` */
  where(add: (value: unknown) => string): string;
}

export interface Page<Row> {
  rows: Row[];
  total: number;
  /** By number: of the first row, from 1. */
  startIndex?: number;
  /** With cursors: where the next page begins; undefined on the last one. */
  next?: string;
}

/** How long a cursor is good, in seconds: a client that pauses longer begins anew (RFC 9865). */
export const cursorSeconds = 3_600;

interface Cursor {
  /** What it was given for: another query may not go on with it. */
  of: string;
  total: number;
  until: number;
  after: { none: boolean; key: string; id: string } | { offset: number };
}

interface Order {
  expression: Expression;
  descending: boolean;
}

/** Finds a page of one kind of resource, by number or by cursor. */
export function createPages({ db, vault, clock }: { db: Db; vault: Vault; clock: Clock }) {
  const now = () => Math.floor(clock.now().getTime() / 1000);

  const seal = (cursor: Omit<Cursor, 'until'>): string =>
    vault.seal(JSON.stringify({ ...cursor, until: now() + cursorSeconds } satisfies Cursor), 'scim-cursor');

  const open = (text: string, of: string): Cursor => {
    let cursor: Cursor;
    try {
      cursor = JSON.parse(vault.open(text, 'scim-cursor')) as Cursor;
    } catch {
      throw bad('invalidCursor', 'the cursor is not one of ours');
    }
    if (cursor.of !== of) throw bad('invalidCursor', 'the cursor was given for another query');
    if (cursor.until < now()) throw bad('expiredCursor', 'the cursor has expired: begin anew');
    return cursor;
  };

  const total = async (source: Source, query: Query): Promise<number> => {
    const parameters = createParameters();
    const where = conditionOf(source, query, parameters);
    const [row] = await db.query<{ total: number }>(
      `select count(*)::int as total from ${source.from} where ${where}`,
      parameters.values,
    );
    return row!.total;
  };

  const rowsAt = async <Row>(source: Source, query: Query, at: { offset: number } | Cursor['after'], limit: number) => {
    const parameters = createParameters();
    const where = conditionOf(source, query, parameters);
    const order = orderOf(source, query);
    const { sql, kind } = order?.expression ?? { sql: '', kind: 'text' };
    const direction = query.descending ? 'desc' : 'asc';
    const id = `${source.alias}.id`;
    // Who has no value comes last, and first when the order is turned (RFC 7644, section 3.4.2.3).
    const sorted = order
      ? `(${sql} is null) ${direction}, ${sql} ${direction}, ${id} ${direction}`
      : `${id} ${direction}`;
    const keys = order ? `, (${sql} is null) as sort_none, (${sql})::text as sort_key` : '';
    const add = parameters.add;
    const after = 'offset' in at ? 'true' : beyond(at, { id, order, kind, sign: query.descending ? '<' : '>' }, add);
    const offset = 'offset' in at && at.offset > 0 ? ` offset ${add(at.offset)}` : '';
    const text = `select ${source.select}${keys} from ${source.from} where ${where} and ${after}
        order by ${sorted} limit ${add(limit)}${offset}`;
    return db.query<Row & { id: string; sort_none?: boolean; sort_key?: string | null }>(
      text,
      parameters.values,
      isAskedAllDay(query, at) ? `scim-${sha256(text)}` : undefined,
    );
  };

  return {
    total,

    async byNumber<Row>(source: Source, query: Query): Promise<Page<Row>> {
      const offset = query.startIndex - 1;
      const rows = query.count === 0 ? [] : await rowsAt<Row>(source, query, { offset }, query.count);
      // A page that is not full tells how many there are, unless it begins beyond the end.
      const isTold = query.count > 0 && rows.length < query.count && (rows.length > 0 || offset === 0);
      const { startIndex } = query;
      return { rows, startIndex, total: isTold ? offset + rows.length : await total(source, query) };
    },

    async byCursor<Row>(source: Source, query: Query & { cursor: string }): Promise<Page<Row>> {
      if (query.count === 0) throw new ScimFault(400, 'invalidCount', 'a page by cursor has at least one resource');
      const { filter, sortBy, descending } = query;
      const of = sha256(JSON.stringify([source.type.name, filter, sortBy?.toLowerCase(), descending]));
      const cursor = query.cursor === '' ? undefined : open(query.cursor, of);
      const rows = await rowsAt<Row>(source, query, cursor?.after ?? { offset: 0 }, query.count + 1);
      const count = cursor?.total ?? (rows.length <= query.count ? rows.length : await total(source, query));
      const page = rows.slice(0, query.count);
      const last = page.at(-1);
      if (rows.length <= query.count || !last) return { rows: page, total: count };
      const after = { none: last.sort_none ?? false, key: last.sort_key ?? '', id: last.id };
      return { rows: page, total: count, next: seal({ of, total: count, after }) };
    },
  };
}

export type Pages = ReturnType<typeof createPages>;

/**
 * Whether somebody is there, by one attribute that is equal: every sender asks so before each change. There are as many
 * of these statements as attributes, so each connection may keep them prepared.
 */
const isAskedAllDay = ({ filter, sortBy }: Query, at: object): boolean =>
  filter?.kind === 'compare' && filter.operator === 'eq' && !sortBy && 'offset' in at && at.offset === 0;

function conditionOf(
  { type, columns, where }: Source,
  { filter }: Query,
  parameters: ReturnType<typeof createParameters>,
) {
  const seen = where(parameters.add);
  return filter ? `${seen} and ${compileFilter(filter, type, columns, parameters)}` : seen;
}

/** @throws ScimFault `invalidPath` for what cannot be sorted by */
function orderOf({ type, columns }: Source, { sortBy, descending }: Query): Order | undefined {
  if (!sortBy) return undefined;
  const found = findPlace(type, sortBy);
  if (!found?.attribute) throw bad('invalidPath', `there is no attribute ${shown(sortBy)} to sort by`);
  const { attribute } = found;
  const value = attribute.type === 'complex' && !found.sub ? named(attribute.subAttributes!, 'value') : undefined;
  const place = value ? { ...found, sub: value } : found;
  const target = place.sub ?? attribute;
  const source = attribute.multiValued ? columns.elements(attribute) : undefined;
  // Of many values the primary one counts, else the first.
  const expression: Expression | undefined = source
    ? {
        sql: `(select ${place.sub ? `e ->> '${target.name}'` : `e #>> '{}'`} from ${source}
          order by (e ->> 'primary') = 'true' desc nulls last limit 1)`,
        kind: 'text',
      }
    : columns.single(place);
  if (!expression) throw bad('invalidPath', `${attribute.name} cannot be sorted by`);
  const folds = expression.kind === 'text' && !target.caseExact && !expression.key && !expression.lowered;
  return { expression: folds ? { ...expression, sql: `lower(${expression.sql})` } : expression, descending };
}

const casts: Record<Expression['kind'], string> = {
  text: 'text',
  timestamp: 'timestamptz',
  boolean: 'boolean',
  json: 'jsonb',
  uuid: 'uuid',
};

/** What comes after a row in the order: by the key it was sorted by, then by id. */
function beyond(
  after: { none: boolean; key: string; id: string },
  { id, order, kind, sign }: { id: string; order: Order | undefined; kind: Expression['kind']; sign: string },
  add: (value: unknown) => string,
): string {
  const beyondId = `${id} ${sign} ${add(after.id)}::uuid`;
  if (!order) return beyondId;
  const { sql } = order.expression;
  const noneAfter = `(${sql} is null) ${sign} ${add(after.none)}::boolean`;
  if (after.none) return `(${noneAfter} or (${sql} is null and ${beyondId}))`;
  const key = `${add(after.key)}::${casts[kind]}`;
  return `(${noneAfter} or ${sql} ${sign} ${key} or (${sql} = ${key} and ${beyondId}))`;
}
