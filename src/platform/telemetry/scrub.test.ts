import { expect, it } from 'vitest';
import { summaryOf } from '../db/traced.ts';
import { scrub } from './scrub.ts';

it.each([
  'no user ada.lovelace@example.com here',
  'GET https://id.example.com/authorize?code=Yz3bQ9&state=abc failed',
  'token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0 is bad',
  'session 4Qm7XbP2sT9vLk3WcR8yNd5HfJ6gZa1E of 01a1fcf8-cd88-7176-bad9-d9d1a3e8447b',
  'from 192.0.2.17 and 2001:db8:0:1::17',
  'invalid input syntax for type uuid: "the secret thing"',
])('nothing of a person or a secret is left in: %s', (text) => {
  const left = scrub(text);
  expect(left).toContain('[cut]');
  expect(left).not.toMatch(/ada|Yz3bQ9|eyJ|4Qm7|01a1fcf8|192\.0|2001|secret thing/);
});

it('what tells of the bug is left', () => {
  const text = 'Cannot read properties of undefined (reading accessTokenTTL) at src/oidc/resources.ts:41:7';
  expect(scrub(text)).toBe(text);
});

it('a statement is told by what it does and to which table, and never by its values', () => {
  expect(summaryOf(`select u0.* from "public"."user_account" as u0 where email = 'ada@example.com'`)).toBe(
    'select user_account',
  );
  expect(summaryOf('insert into outbox (id) values ($1)')).toBe('insert outbox');
  expect(summaryOf('update only grant_record set x = 1')).toBe('update grant_record');
  expect(summaryOf('begin')).toBe('begin');
  expect(summaryOf('"; drop')).toBe('statement');
});
