import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Bus, type Clock, Refusal } from '../../platform/index.ts';
import type { By } from '../users.ts';
import { checkValues, type Given, mayRead } from './check.ts';
import { type Field, type FieldInput, fieldSchema } from './definition.ts';
import { maintainFields } from './maintain.ts';

/**
 * What administrators want to know of people beside the standard attributes. Declared once, in force everywhere at
 * once: every process hears of a change by the bus and reads the whole list anew, for it is short.
 */
export interface Fields {
  /** Reads the definitions: before {@link current} is asked. */
  start(): Promise<void>;
  /** As this process knows them, in the order in which people are asked. */
  current(): readonly Field[];
  /** The same, read anew when it is older than half a minute: a message on the bus may have been lost. */
  list(): Promise<readonly Field[]>;
  find(name: string): Promise<Field | undefined>;
  /** Called with the new list whenever a definition has changed, here or in another process. */
  onChange(listener: (fields: readonly Field[]) => void): void;
  /**
   * Declares a field, or changes one. Values that were right before stay as they are.
   * @returns whether that changed anything
   * @throws Refusal `field.malformed` (invalid) with `details.faults`, `field.type_fixed`, `field.clash`,
   *   `field.being_removed`, `field.too_many` (conflict)
   */
  put(definition: FieldInput, by: By): Promise<boolean>;
  /** Takes it off every page, claim and interface at once; its values are cleared soon after. @throws Refusal `field.unknown` (missing) */
  remove(name: string, by: By): Promise<void>;
  /**
   * The values, cleaned, by the name of their field; `null` where one is to be removed. Put them into the account with
   * {@link mergeValues}.
   * @throws Refusal `user.attributes_invalid` (invalid): `details` has a fault `{code, params?}` for each field at fault
   */
  check(values: Record<string, unknown>, given: Given): Promise<Record<string, unknown>>;
  /** What of a person's attributes this caller may read. */
  visible(
    attributes: Record<string, unknown>,
    by: { as: Given['as']; scopes?: readonly string[] },
  ): Promise<Record<string, unknown>>;
  /** The indexes of searchable fields, and the values of removed ones: for a job, and at once after a change in tests. */
  maintain(signal?: AbortSignal): Promise<void>;
}

const topic = 'custom-field';
const maxAge = 30_000;
/** So many that a page, a token and the planner bear it. */
const most = 200;

/** The attributes with checked values put in, and those that are `null` taken out. */
export function mergeValues(
  attributes: Record<string, unknown>,
  checked: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...attributes, ...checked }).filter(([, value]) => value !== null));
}

export function createFields(deps: { db: Db; bus: Bus; clock: Clock; events: Pick<Events, 'record'> }): Fields {
  const { db, bus, clock, events } = deps;
  const listeners = new Set<(fields: readonly Field[]) => void>();
  let known: readonly Field[] = [];
  let text = '';
  let until = 0;
  let generation = 0;
  /** A change of ours may not be committed yet: read anew each time until it is. */
  let unsettled = false;
  let loading: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    const started = generation;
    const rows = await db.query<{ definition: Field }>(
      `select definition from custom_field where removed_at is null
       order by (definition->>'order')::int, created_at, name`,
    );
    // A change was heard meanwhile: what was read may be from before it.
    if (started !== generation) return load();
    until = unsettled ? 0 : performance.now() + maxAge;
    const fresh = JSON.stringify(rows);
    if (fresh === text) return;
    text = fresh;
    known = rows.map(({ definition }) => definition);
    for (const listener of listeners) listener(known);
  };

  const reload = (): Promise<void> => {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };

  const renew = (): Promise<void> => {
    generation++;
    until = 0;
    return reload();
  };

  // A store that is out of reach for the moment is asked again by whoever needs the list.
  bus.subscribe(topic, () => void renew().catch(() => undefined));

  /** The others hear of it at the commit; this process knows before its answer is out. */
  const changed = async (name: string): Promise<void> => {
    await bus.publish(topic, name);
    generation++;
    until = 0;
    unsettled = true;
    db.afterCommit(() => {
      unsettled = false;
      return renew();
    });
  };

  const list = async () => {
    if (until <= performance.now()) await reload();
    return known;
  };

  return {
    start: reload,
    current: () => known,
    list,
    find: async (name) => (await list()).find((field) => field.name === name),
    onChange: (listener) => void listeners.add(listener),

    async put(definition, by) {
      const field = readField(definition);
      return db.transact(async () => {
        await db.lock('custom-field');
        const rows = await db.query<{ definition: Field; removed_at: string | null }>(
          'select definition, removed_at from custom_field',
        );
        const before = rows.find((row) => row.definition.name === field.name);
        if (before?.removed_at) throw new Refusal('field.being_removed', { kind: 'conflict' });
        const others = rows.filter((row) => row !== before && !row.removed_at).map((row) => row.definition);
        refuseClash(field, before?.definition, others);
        if (before && sameText(before.definition, field)) return false;
        await db.query(
          `insert into custom_field (name, definition, created_at, updated_at) values ($1, $2, $3, $3)
           on conflict (name) do update set definition = excluded.definition, updated_at = excluded.updated_at`,
          [field.name, JSON.stringify(field), clock.now()],
        );
        await changed(field.name);
        await events.record({ type: before ? 'field.changed' : 'field.declared', ...by, data: { field: field.name } });
        return true;
      });
    },

    remove: (name, by) =>
      db.transact(async () => {
        const removed = await db.query(
          'update custom_field set removed_at = $2, updated_at = $2 where name = $1 and removed_at is null returning 1',
          [name, clock.now()],
        );
        if (removed.length === 0) throw new Refusal('field.unknown', { kind: 'missing' });
        await changed(name);
        await events.record({ type: 'field.removed', ...by, data: { field: name } });
      }),

    check: async (values, given) => checkValues(await list(), values, given),

    async visible(attributes, by) {
      const seen = (await list()).filter((field) => field.name in attributes && mayRead(field, by));
      return Object.fromEntries(seen.map(({ name }) => [name, attributes[name]]));
    },

    maintain: (signal) => maintainFields(db, signal),
  };
}

function readField(definition: FieldInput): Field {
  const result = fieldSchema.safeParse(definition);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the field'}: ${message}`);
  throw new Refusal('field.malformed', { kind: 'invalid', details: { faults } });
}

/** jsonb keeps no order of keys. */
const sameText = (a: Field, b: Field): boolean => sorted(a) === sorted(b);
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

function refuseClash(field: Field, before: Field | undefined, others: Field[]): void {
  const clash = (what: string) => new Refusal('field.clash', { kind: 'conflict', details: { what } });
  // What people have would be read as something else.
  if (before && before.type !== field.type) throw new Refusal('field.type_fixed', { kind: 'conflict' });
  if (others.length >= most) throw new Refusal('field.too_many', { kind: 'conflict', details: { most } });
  if (field.claim && others.some(({ claim }) => claim?.name === field.claim!.name)) throw clash('claim');
  if (field.scim && others.some(({ scim }) => scim?.toLowerCase() === field.scim!.toLowerCase())) throw clash('scim');
}
