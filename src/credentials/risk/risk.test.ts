import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMovableClock } from '../../../test/support/ground.ts';
import { systemNumber, writeMmdb } from '../../../test/support/mmdb.ts';
import { silentLog } from '../../platform/index.ts';
import { createPlaces, kilometres, type Places, prefixOf, rangeCheck } from './places.ts';
import { createRisk, type RiskRule, type RiskSettings, riskSignals } from './risk.ts';

const dir = mkdtempSync(join(tmpdir(), 'cardea-places-'));
const plain = (country: string, latitude: number, longitude: number) => ({
  country: { iso_code: country },
  location: { latitude, longitude },
});
let places: Places;
beforeAll(() => {
  writeFileSync(
    join(dir, 'places.mmdb'),
    writeMmdb({
      '81.2.0.0/16': plain('GB', 51.5, -0.12),
      '81.3.0.0/16': plain('GB', 53.48, -2.24),
      '90.0.0.0/8': plain('FR', 48.85, 2.35),
      '203.0.113.0/24': plain('NZ', -36.85, 174.76),
      '2001:db8::/32': plain('NZ', -36.85, 174.76),
    }),
  );
  writeFileSync(
    join(dir, 'networks.mmdb'),
    writeMmdb({ '81.2.0.0/15': systemNumber(2856), '90.0.0.0/8': systemNumber(3215) }),
  );
  writeFileSync(join(dir, 'broken.mmdb'), 'not a table');
  const files = { table: join(dir, 'places.mmdb'), networks: join(dir, 'networks.mmdb') };
  places = createPlaces({ ...files, log: silentLog });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const clock = createMovableClock();
/** A journal: successful sign-ins by hours ago and address, newest first; failures by minutes ago. */
function judge(options: {
  past?: [hours: number, ip: string][];
  failures?: number[];
  rules: RiskRule[];
  places?: Places;
  settings?: Partial<RiskSettings>;
}) {
  const asked: string[] = [];
  const ago = (hours: number) => new Date(clock.now().getTime() - hours * 3_600_000);
  const succeeded = (options.past ?? []).map(([hours, ip]) => ({ type: 'signin.succeeded', at: ago(hours), ip }));
  const failed = (options.failures ?? []).map((minutes) => ({
    ...{ type: 'signin.failed', at: ago(minutes / 60), ip: '1.2.3.4' },
  }));
  const journal = [...succeeded, ...failed].sort((a, b) => b.at.getTime() - a.at.getTime());
  const risk = createRisk({
    clock,
    places: options.places ?? places,
    events: {
      history: async ({ type, limit }: { type: string | string[]; limit: number }) => {
        asked.push(...[type].flat());
        return journal.filter((event) => [type].flat().includes(event.type)).slice(0, limit);
      },
    } as never,
    settings: { speed: 1_000, failures: { points: 3, window: 3_600 }, ...options.settings, rules: options.rules },
  });
  const assess = (ip: string, knownDevice = true) => risk.assess({ userId: 'ada', ip, knownDevice });
  return { assess, asked, isNewPlace: (ip: string) => risk.isNewPlace({ userId: 'ada', ip }) };
}
const each: RiskRule[] = riskSignals.map((signal) => ({ name: signal, when: [signal], verdict: 'step_up' }));
const signals = async (ip: string, more: Omit<Parameters<typeof judge>[0], 'rules'>, knownDevice = true) =>
  (await judge({ ...more, rules: each }).assess(ip, knownDevice)).signals;

describe('what is unusual', () => {
  const home: [number, string][] = [
    [5, '81.2.9.9'],
    [30, '81.2.7.7'],
  ];

  it('is nothing at the first sign-in, and nothing where somebody has been', async () => {
    expect(await signals('203.0.113.7', {}, false)).toEqual([]);
    expect(await signals('81.2.1.1', { past: home })).toEqual([]);
  });

  it('is a new device, a new network, a new country', async () => {
    expect(await signals('81.2.1.1', { past: home }, false)).toEqual(['new_device']);
    // Another city, the same provider: by the table of networks it is the same network.
    expect(await signals('81.3.1.1', { past: home })).toEqual([]);
    expect(await signals('90.1.1.1', { past: home })).toEqual(['new_network', 'new_country']);
  });

  it('a country of which the owner is told is new, known, and not the very first', async () => {
    const { isNewPlace } = judge({ past: home, rules: [] });
    expect([await isNewPlace('90.1.1.1'), await isNewPlace('81.3.1.1')]).toEqual([true, false]);
    expect(await judge({ rules: [] }).isNewPlace('90.1.1.1')).toBe(false);
    const nowhere = judge({ past: home, rules: [], places: createPlaces({ log: silentLog }) });
    expect([await nowhere.isNewPlace('90.1.1.1'), nowhere.asked]).toEqual([false, []]);
  });

  it('without tables is a new network by its prefix, and never a country or a speed', async () => {
    const none = createPlaces({ log: silentLog });
    expect(await signals('81.2.200.1', { past: home, places: none })).toEqual([]);
    expect(await signals('203.0.113.7', { past: [[0.1, '81.2.9.9']], places: none })).toEqual(['new_network']);
    const broken = createPlaces({ table: join(dir, 'broken.mmdb'), log: silentLog });
    expect(await signals('81.2.200.1', { past: home, places: broken })).toEqual([]);
  });

  it('is to be at both ends of the world within hours, and not within days', async () => {
    expect(await signals('203.0.113.7', { past: [[5, '81.2.9.9']] })).toContain('impossible_speed');
    expect(await signals('2001:db8::7', { past: [[5, '81.2.9.9']] })).toContain('impossible_speed');
    expect(await signals('203.0.113.7', { past: [[30, '81.2.9.9']] })).not.toContain('impossible_speed');
    // Next door at once: the tables are no more exact.
    expect(await signals('81.3.1.1', { past: [[0, '81.3.9.9']] })).not.toContain('impossible_speed');
    expect(await signals('90.1.1.1', { past: [[0, '81.2.9.9']] })).toContain('impossible_speed');
  });

  it('is many wrong proofs since the last right one, within the window', async () => {
    expect(await signals('81.2.1.1', { past: home, failures: [1, 2, 3] })).toEqual(['many_failures']);
    expect(await signals('81.2.1.1', { past: home, failures: [1, 2] })).toEqual([]);
    expect(await signals('81.2.1.1', { past: home, failures: [1, 2, 90] })).toEqual([]);
    expect(await signals('81.2.1.1', { past: [[0.02, '81.2.9.9']], failures: [3, 4, 5] })).toEqual([]);
    expect(await signals('81.2.1.1', { failures: [1, 2, 3] })).toEqual(['many_failures']);
  });
});

describe('the rules', () => {
  const past: [number, string][] = [[5, '81.2.9.9']];
  const rules: RiskRule[] = [
    { name: 'office', when: [], from: ['90.1.0.0/16', 'loopback'], verdict: 'allow' },
    { name: 'elsewhere', when: ['new_device', 'new_country'], verdict: 'refuse' },
    { when: ['new_country'], verdict: 'step_up' },
  ];

  it('are read from the top, and the first that fits decides', async () => {
    const { assess } = judge({ past, rules });
    expect(await assess('90.1.2.3', false)).toMatchObject({ verdict: 'allow', rule: 'office' });
    expect(await assess('90.2.2.3', false)).toMatchObject({
      verdict: 'refuse',
      rule: 'elsewhere',
      signals: ['new_device', 'new_country'],
    });
    expect(await assess('90.2.2.3')).toMatchObject({ verdict: 'step_up', rule: 'rule 3' });
    expect(await assess('81.2.9.9', false)).toMatchObject({ verdict: 'allow', rule: 'none' });
  });

  it('cost nothing where there are none, and only what they ask for where there are some', async () => {
    const none = judge({ past, rules: [] });
    await none.assess('90.2.2.3', false);
    expect(none.asked).toEqual([]);
    const device = judge({ past, rules: [{ when: ['new_device'], verdict: 'step_up' }] });
    expect(await device.assess('90.2.2.3', false)).toMatchObject({ verdict: 'step_up', signals: ['new_device'] });
    expect(device.asked).toEqual(['signin.succeeded']);
  });
});

describe('places', () => {
  it('are told apart by prefixes, ranges and distance', () => {
    expect(['81.2.9.9', '::ffff:81.2.9.9', '2001:db8:1::1', '::1', 'fe80::1%eth0', 'x'].map(prefixOf)).toEqual([
      '81.2/16',
      '81.2/16',
      '2001:db8::/32',
      '0:0::/32',
      'fe80:0::/32',
      'x',
    ]);
    const office = rangeCheck(['10.0.0.0/8', '2001:db8::/32', 'loopback', '192.0.2.7']);
    expect(['10.9.8.7', '::ffff:10.1.1.1', '2001:db8:5::1', '127.0.0.1', '::1', '192.0.2.7'].every(office)).toBe(true);
    expect(['11.0.0.1', '2001:db9::1', '192.0.2.8', 'nonsense', ''].some(office)).toBe(false);
    const london = { latitude: 51.5, longitude: -0.12 };
    expect(kilometres(london, { latitude: -36.85, longitude: 174.76 })).toBeCloseTo(18_330, -2);
    expect(kilometres(london, {})).toBeUndefined();
  });
});
