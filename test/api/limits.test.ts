import { afterAll, beforeAll, expect, it } from 'vitest';
import { times } from '../support/token-client.ts';
import { type ApiStage, apiStage } from './stage.ts';

let stage: ApiStage;
beforeAll(async () => {
  stage = await apiStage({ settings: { limits: { api_requests: { points: 20, window: '1h' } } } });
});
afterAll(() => stage?.stop());

it('each caller may ask so often, and is told when to come again', async () => {
  const { call, tokens } = stage;
  const answers = await times(64, () => call('GET', '/admin/users?limit=1', { token: tokens.reader }));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
  const refused = answers.find(({ status }) => status !== 200)!;
  expect(refused).toMatchObject({ status: 429, body: { code: 'limit.exceeded' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused.headers.get('ratelimit')).toMatch(/^"api.requests";r=0;t=\d+$/);
  const other = await call('GET', '/admin/users?limit=1', { token: tokens.other });
  expect(other.status).toBe(200);
  expect(other.headers.get('ratelimit')).toMatch(/^"api.requests";r=19;t=\d+$/);
  expect(other.headers.get('ratelimit-policy')).toBe('"api.requests";q=20;w=3600');
});
