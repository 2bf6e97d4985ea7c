import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGround, eventually } from '../../../test/support/ground.ts';
import { createEvents } from '../../events/index.ts';
import { newId, Refusal } from '../../platform/index.ts';
import type { FieldInput } from './definition.ts';
import { createFields, type Fields, mergeValues } from './fields.ts';
import { fieldExpression } from './maintain.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
let here: Fields;
let there: Fields;
const by = { actor: { kind: 'system' as const } };

const make = async (process: Parameters<typeof createEvents>[0]) => {
  const fields = createFields({ ...process, bus: process.bus as never, events: createEvents(process) });
  await fields.start();
  return fields;
};

beforeAll(async () => {
  ground = await createGround();
  here = await make(ground);
  there = await make(await ground.another());
});
afterAll(() => ground.close());

const label = { en: 'Anything' };
const declare = (field: Partial<FieldInput> & { name: string }) =>
  here.put({ label, type: 'string', ...field } as FieldInput, by);

/** What is wrong with values, by field. */
const faults = async (values: Record<string, unknown>, given: Partial<Parameters<Fields['check']>[1]> = {}) => {
  try {
    return await here.check(values, { as: 'administrator', at: 'api', ...given });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return Object.fromEntries(
      Object.entries(error.details as Record<string, { code: string }>).map(([name, { code }]) => [name, code]),
    );
  }
};

describe('custom fields', () => {
  it('are in force in every process at once', async () => {
    const heard: string[][] = [];
    there.onChange((fields) => heard.push(fields.map(({ name }) => name)));
    expect(await declare({ name: 'cost_centre', pattern: '[A-Z]{2}\\d{3}' })).toBe(true);
    await eventually(() => expect(there.current().map(({ name }) => name)).toContain('cost_centre'));
    expect(heard.at(-1)).toContain('cost_centre');
    expect(await declare({ name: 'cost_centre', pattern: '[A-Z]{2}\\d{3}' })).toBe(false);
  });

  it('check values by type and say what is wrong with each', async () => {
    await declare({ name: 'age', type: 'integer', min: 18, max: 130 });
    await declare({ name: 'size', type: 'enum', options: [{ value: 's' }, { value: 'm' }] });
    await declare({ name: 'born', type: 'date' });
    await declare({ name: 'site', type: 'url' });
    await declare({ name: 'tags', type: 'strings', max: 2 });
    await declare({ name: 'vegan', type: 'boolean' });
    await declare({ name: 'rate', type: 'number' });
    expect(
      await faults({
        ...{ cost_centre: ' AB123 ', age: '42', size: 'm', born: '2024-02-29', site: 'https://a.example' },
        ...{ tags: 'one\r\n\ntwo\none', vegan: 'True', rate: '1,5' },
      }),
    ).toEqual({
      ...{ cost_centre: 'AB123', age: 42, size: 'm', born: '2024-02-29', site: 'https://a.example' },
      ...{ tags: ['one', 'two'], vegan: true, rate: 1.5 },
    });
    expect(
      await faults({
        ...{ cost_centre: 'x', age: 17, size: 'xl', born: '2023-02-29', site: 'javascript:alert(1)' },
        ...{ tags: ['a', 'b', 'c'], vegan: 'perhaps', rate: '1e999', nobody: 1 },
      }),
    ).toEqual({
      ...{ cost_centre: 'field.malformed', age: 'field.too_small', size: 'field.not_a_choice' },
      ...{ born: 'field.malformed', site: 'field.malformed', tags: 'field.too_many' },
      ...{ vegan: 'field.malformed', rate: 'field.malformed', nobody: 'field.unknown' },
    });
    for (const odd of [{}, [[]], [1], Number.NaN, true, 'x'.repeat(100_000), '\u0000', '\ud800'.repeat(5)])
      expect(await faults({ cost_centre: odd, age: odd, tags: odd })).not.toEqual({});
  });

  it('no list is so long that the pattern stops the process', async () => {
    await declare({ name: 'labels', type: 'strings', pattern: '(.*){120}' });
    const began = performance.now();
    const many = Array.from({ length: 9_000 }, (_, n) => `${n}`.padEnd(25, 'a'));
    expect(await faults({ labels: many })).toEqual({ labels: 'field.too_many' });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('only those who may write one write it', async () => {
    await declare({ name: 'badge', write: ['scim.write', 'badges'], read: ['user', 'scim.read'] });
    await declare({ name: 'nick', write: ['user'], ask: ['registration', 'profile'], required: true });
    expect(await faults({ badge: '1' }, { as: 'user', at: 'profile' })).toEqual({ badge: 'field.read_only' });
    expect(await faults({ badge: '1' }, { as: 'client' })).toEqual({ badge: '1' });
    expect(await faults({ badge: '1' }, { as: 'client', scopes: ['other'] })).toEqual({ badge: 'field.read_only' });
    expect(await faults({ badge: '1' }, { as: 'client', scopes: ['badges'] })).toEqual({ badge: '1' });
    expect(await faults({}, { as: 'user', at: 'registration' })).toEqual({ nick: 'field.missing' });
    expect(await faults({ nick: '' }, { as: 'user', at: 'profile' })).toEqual({ nick: 'field.missing' });
    expect(await faults({ nick: null })).toEqual({ nick: null });
    expect(mergeValues({ nick: 'a', badge: '1' }, { nick: null, age: 4 })).toEqual({ badge: '1', age: 4 });
    expect(await here.visible({ badge: '1', nick: 'a', gone: 1 }, { as: 'client', scopes: [] })).toEqual({});
  });

  it.each([
    ['a name that needs quoting', { name: "x'; drop table user_account--" }],
    ['a claim that says who somebody is', { claim: { name: 'sub', scope: 'x' } }],
    ['a claim that says what somebody may', { claim: { name: 'roles', scope: 'x' } }],
    ['a claim that is one of those but for its case', { claim: { name: 'Sub', scope: 'x' } }],
    ['a claim that applications take for rights', { claim: { name: 'admin', scope: 'x' } }],
    ['a scope that opens our own APIs', { claim: { name: 'x', scope: 'users.write' } }],
    ['a scope that is the protocol’s', { claim: { name: 'x', scope: 'openid' } }],
    ['a pattern that cannot be read', { pattern: '(?=a)' }],
    ['an enum without choices', { type: 'enum' as const }],
    ['asking who may not write', { ask: ['profile' as const], write: [] }],
    ['what is not known', { colour: 'red' } as object],
  ])('%s is refused', async (_, more) => {
    await expect(declare({ name: 'odd', ...more })).rejects.toMatchObject({ code: 'field.malformed' });
  });

  it('keep their type, and share no claim', async () => {
    await expect(declare({ name: 'age', type: 'string' })).rejects.toMatchObject({ code: 'field.type_fixed' });
    await declare({ name: 'one', claim: { name: 'c', scope: 's' }, scim: 'Same' });
    const second = { name: 'two', claim: { name: 'c', scope: 's' } };
    await expect(declare(second)).rejects.toMatchObject({ code: 'field.clash' });
    await expect(declare({ name: 'two', scim: 'same' })).rejects.toMatchObject({ code: 'field.clash' });
  });

  it('a searchable field is found by its index, and a removed one leaves nothing behind', async () => {
    const { db, clock } = ground;
    await declare({ name: 'desk', searchable: true });
    await declare({ name: 'rank', type: 'integer', searchable: true });
    await declare({ name: 'skills', type: 'strings', searchable: true });
    const attributes = { desk: 'B-12', rank: 9, skills: ['go'] };
    await db.query(
      `insert into user_account (id, state, state_changed_at, attributes, profile, created_at, updated_at)
       values ($1, 'Active', $2, $3, '{}', $2, $2)`,
      [newId(), clock.now(), JSON.stringify(attributes)],
    );
    await here.maintain();
    await here.maintain();
    const plan = async (where: string, params: unknown[]) =>
      db.transact(async () => {
        await db.query('set local enable_seqscan = off');
        return JSON.stringify(await db.query(`explain (costs off) select id from user_account where ${where}`, params));
      });
    const field = async (name: string) => fieldExpression((await here.find(name))!);
    expect(await plan(`${await field('desk')} like 'b-%'`, [])).toContain('user_field_desk');
    expect(await plan(`${await field('rank')} > '5'::jsonb`, [])).toContain('user_field_rank');
    expect(await plan(`${await field('skills')} @> '["go"]'::jsonb`, [])).toContain('user_field_skills');

    await here.remove('desk', by);
    expect(await here.check({ rank: 1 }, { as: 'administrator', at: 'api' })).toEqual({ rank: 1 });
    await expect(declare({ name: 'desk' })).rejects.toMatchObject({ code: 'field.being_removed' });
    await here.maintain();
    const indexes = await db.query(`select 1 from pg_class where relname = 'user_field_desk'`);
    expect(indexes).toEqual([]);
    const [row] = await db.query<{ attributes: object }>('select attributes from user_account');
    expect(row!.attributes).toEqual({ rank: 9, skills: ['go'] });
    expect(await declare({ name: 'desk' })).toBe(true);
  });

  it('two who declare a field at once leave one', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, (_, n) =>
        (n % 2 ? here : there).put(
          { name: `race_${n}`, label, type: 'string', claim: { name: 'raced', scope: 's' } },
          by,
        ),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
