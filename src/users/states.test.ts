import { expect, it } from 'vitest';
import { transitions } from './states.ts';

it('an address that nobody has proved does not become active by choosing a new password', () => {
  const unproved = Object.entries(transitions).filter(([, { from }]) =>
    (from as readonly string[]).includes('Unverified'),
  );
  expect(unproved.map(([name]) => name).sort()).toEqual(['activate', 'deactivate', 'remove', 'suspend', 'verify']);
});
