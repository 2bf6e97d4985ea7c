import type { Catalogue, Event, EventType } from '../events/index.ts';
import type { Metrics } from '../platform/metrics/index.ts';

/** Counts what happened to people, out of the catalogue of events; called once an event is committed. */
export function countEvents(metrics: Metrics): (event: Event) => void {
  const events = metrics.counter('events_total', 'Events of the audit journal, by type.', ['type']);
  const signins = metrics.counter('signins_total', 'Sign-ins completed, by the methods that proved them.', ['methods']);
  const failures = metrics.counter('signin_failures_total', 'Proofs that were wrong, by method and reason.', [
    'method',
    'why',
  ]);
  const arrivals = metrics.counter('provider_signins_total', 'Sign-ins completed by a provider.', ['provider']);
  const turnedBack = metrics.counter('provider_failures_total', 'Sign-ins by a provider that failed, by reason.', [
    'provider',
    'why',
  ]);
  const refusals = metrics.counter('signin_refusals_total', 'Sign-ins refused although all was proved, by reason.', [
    'why',
  ]);
  const risks = metrics.counter('signin_risks_total', 'Sign-ins whose circumstances asked for more, or were refused.', [
    'verdict',
    'rule',
  ]);
  const registrations = metrics.counter('registrations_total', 'Accounts that people opened for themselves.');
  const registrationRefusals = metrics.counter('registration_refusals_total', 'Registrations refused, by reason.', [
    'why',
  ]);
  const factors = metrics.counter('factor_changes_total', 'What became of factors, by kind.', ['change', 'kind']);
  // There from the start: a rate over a series that begins at 1 misses the first.
  registrations({}, 0);

  const factor = (change: string) => (data: { kind: string }) => factors({ change, kind: data.kind });
  const counting: { [Type in EventType]?: (data: Catalogue[Type]) => void } = {
    'signin.succeeded': ({ methods, provider }) => {
      signins({ methods: methods.toSorted().join('+') || 'none' });
      if (provider) arrivals({ provider });
    },
    'signin.failed': ({ method, why, provider }) => {
      failures({ method, why });
      if (provider) turnedBack({ provider, why });
    },
    'signin.refused': ({ why }) => refusals({ why }),
    'signin.risk': ({ verdict, rule }) => risks({ verdict, rule }),
    'user.registered': () => registrations(),
    'signin.registration_refused': ({ why }) => registrationRefusals({ why }),
    'credential.added': factor('added'),
    'credential.changed': factor('changed'),
    'credential.removed': factor('removed'),
    'credential.locked': factor('locked'),
    'credential.unlocked': factor('unlocked'),
  };

  return ({ type, data }) => {
    events({ type });
    (counting[type] as ((data: unknown) => void) | undefined)?.(data);
  };
}
