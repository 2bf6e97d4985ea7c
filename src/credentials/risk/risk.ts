import type { AuditRecord, Events } from '../../events/index.ts';
import { type Clock, secondsAfter } from '../../platform/index.ts';
import { kilometres, type Place, type Places, prefixOf, rangeCheck } from './places.ts';

/** What can be unusual about a sign-in. */
export const riskSignals = ['new_device', 'new_network', 'new_country', 'impossible_speed', 'many_failures'] as const;
export type RiskSignal = (typeof riskSignals)[number];

export const riskVerdicts = ['allow', 'step_up', 'refuse'] as const;
export type RiskVerdict = (typeof riskVerdicts)[number];

/** One rule of the settings: where all of `when` is so, and the address is in `from` if there is one. */
export interface RiskRule {
  name?: string | undefined;
  when: readonly RiskSignal[];
  from?: readonly string[] | undefined;
  verdict: RiskVerdict;
}

export interface RiskSettings {
  /** The first that fits decides; where none does, the sign-in is allowed. */
  rules: readonly RiskRule[];
  /** Kilometres an hour that nobody travels. */
  speed: number;
  /** So many wrong proofs in so many seconds, since the last right one. */
  failures: { points: number; window: number };
}

export interface Assessment {
  verdict: RiskVerdict;
  /** Of the rule that decided. */
  rule: string;
  signals: RiskSignal[];
}

/**
 * How risky a sign-in is, once the first factor was right. Every signal compares with what the journal has of the person's
 * own sign-ins; without any, nothing is new. Only signals that a rule asks for are looked at.
 */
export interface Risk {
  /** @param input.knownDevice somebody has signed in to this account in this browser before */
  assess(input: { userId: string; ip: string; knownDevice: boolean }): Promise<Assessment>;
  /** Whether the person has not been in this country before, of which the owner is told; never without a table. */
  isNewPlace(input: { userId: string; ip: string }): Promise<boolean>;
}

/** Successful sign-ins that are compared with. */
const memory = 50;
/** Two places nearer than that are one: the tables are no more exact. */
const vicinity = 100;

const allowed: Assessment = { verdict: 'allow', rule: 'none', signals: [] };

export function createRisk(deps: {
  events: Pick<Events, 'history'>;
  clock: Clock;
  places: Places;
  settings: RiskSettings;
}): Risk {
  const { events, clock, places, settings } = deps;
  const rules = settings.rules.map((rule, index) => ({
    ...rule,
    name: rule.name ?? `rule ${index + 1}`,
    isFrom: rule.from && rule.from.length > 0 ? rangeCheck(rule.from) : () => true,
  }));
  const wanted = new Set(rules.flatMap(({ when }) => when));
  const needsPast = riskSignals.some((signal) => signal !== 'many_failures' && wanted.has(signal));

  const networkOf = (ip: string, { network }: Place): string => (network === undefined ? prefixOf(ip) : `AS${network}`);

  const placeOf = async (ip: string | undefined): Promise<Place & { net?: string }> => {
    if (!ip) return {};
    const place = await places.of(ip);
    return { ...place, net: networkOf(ip, place) };
  };

  const isNew = <T>(here: T | undefined, before: readonly (T | undefined)[]): boolean =>
    here !== undefined && before.some((each) => each !== undefined) && !before.includes(here);

  const tooFast = (here: Place, there: Place | undefined, since: Date): boolean => {
    const far = there && kilometres(here, there);
    if (far === undefined) return false;
    const sure = far - (here.radius ?? 0) - (there?.radius ?? 0);
    // Clocks of several processes differ, and nobody is in two places at once either.
    const hours = Math.max(1 / 60, (clock.now().getTime() - since.getTime()) / 3_600_000);
    return sure > vicinity && sure / hours > settings.speed;
  };

  /** Since the last right one, as many in a row as count. */
  const hasFailedOften = async (userId: string): Promise<boolean> => {
    const { points, window } = settings.failures;
    const begin = secondsAfter(clock.now(), -window);
    const type = ['signin.succeeded', 'signin.failed'] as const;
    const lately = await events.history({ subject: userId, type, limit: points });
    return lately.length === points && lately.every(({ type, at }) => type === 'signin.failed' && at > begin);
  };

  const signalsOf = async (
    { userId, ip, knownDevice }: Parameters<Risk['assess']>[0],
    past: readonly AuditRecord[],
  ): Promise<Set<RiskSignal>> => {
    const signals = new Set<RiskSignal>();
    const [last] = past;
    if (wanted.has('many_failures') && (await hasFailedOften(userId))) signals.add('many_failures');
    if (!last) return signals;
    if (!knownDevice) signals.add('new_device');
    const here = await places.of(ip);
    const there = await Promise.all(past.map((each) => placeOf(each.ip)));
    const networks = there.map(({ net }) => net);
    const countries = there.map(({ country }) => country);
    if (isNew(networkOf(ip, here), networks)) signals.add('new_network');
    if (isNew(here.country, countries)) signals.add('new_country');
    if (tooFast(here, there[0], last.at)) signals.add('impossible_speed');
    return signals;
  };

  return {
    async isNewPlace({ userId, ip }) {
      const { country } = await places.of(ip);
      if (country === undefined) return false;
      const past = await events.history({ subject: userId, type: 'signin.succeeded', limit: memory });
      const countries = await Promise.all(past.map(async (each) => (await placeOf(each.ip)).country));
      return isNew(country, countries);
    },

    async assess(input) {
      if (rules.length === 0) return allowed;
      const past = needsPast
        ? await events.history({ subject: input.userId, type: 'signin.succeeded', limit: memory })
        : [];
      const found = await signalsOf(input, past);
      const rule = rules.find(({ when, isFrom }) => when.every((signal) => found.has(signal)) && isFrom(input.ip));
      const signals = riskSignals.filter((signal) => found.has(signal) && wanted.has(signal));
      return rule ? { verdict: rule.verdict, rule: rule.name, signals } : { ...allowed, signals };
    },
  };
}
