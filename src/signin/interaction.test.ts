import { expect, it } from 'vitest';
import type { AppContext } from '../platform/http/index.ts';
import { loadInteraction, type Signin } from './interaction.ts';

it('what was proved stands at the next try when the engine could not be told, however late the attempt’s end is', async () => {
  const uid = 'question';
  const attempt = { userId: 'ada', proved: ['pwd'], remember: false, restarted: true };
  const details = {
    ...{ uid, params: { client_id: 'web' }, prompt: { name: 'login', reasons: [], details: {} } },
    save: async () => {
      throw new Error('the store is away');
    },
  };
  let kept: object | undefined = attempt;
  const ports = {
    provider: () => ({ interactionDetails: async () => details }),
    store: {
      load: async () => attempt,
      save: async (_: string, saved: object) => {
        kept = saved;
      },
      end: async () => {
        await new Promise(setImmediate);
        kept = undefined;
      },
    },
    settings: { issuer: 'http://localhost', mfa: { rememberDevice: 1 } },
    clients: { find: async () => undefined },
    passwords: { changedAt: async () => undefined },
    users: { byId: async () => ({ id: 'ada', state: 'Active', mayHold: () => true, attributes: {} }) },
    organisations: { policyFor: async () => ({ mfa: false, providers: [] }) },
    factors: { missing: async () => undefined },
    fields: { list: async () => [] },
    present: { locale: () => 'en' },
    complete: (interaction: { finish(result: object): Promise<void> }) => interaction.finish({}),
  };
  const ctx = { cookies: { get: () => undefined }, request: { body: {} }, get: () => '' };
  const interaction = await loadInteraction(ports as never as Signin, ctx as never as AppContext, uid);
  await expect(interaction!.advance()).rejects.toThrow('the store is away');
  await new Promise(setImmediate);
  expect(kept).toMatchObject({ userId: 'ada', proved: ['pwd'] });
});
