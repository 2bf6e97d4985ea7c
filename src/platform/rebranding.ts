import { type Branding, type BrandingInput, createBranding } from './branding.ts';
import type { Log } from './log.ts';

/** An application's colours over the organisation's; a branding that cannot be shown falls back to the organisation's. */
export function createRebranding(log?: Log): (base: Branding, change?: Partial<BrandingInput>) => Branding {
  const made = new WeakMap<Branding, Map<string, Branding>>();
  return (base, change) => {
    if (!change || !Object.values(change).some(Boolean)) return base;
    const known = made.get(base) ?? new Map<string, Branding>();
    made.set(base, known);
    const key = JSON.stringify(change);
    const found = known.get(key);
    if (found) return found;
    let fresh = base;
    try {
      const wished = Object.fromEntries(Object.entries(change).filter(([, value]) => value));
      fresh = createBranding({ ...base, ...wished });
    } catch (error) {
      log?.warn({ err: error }, 'the branding of an application cannot be shown');
    }
    // Many applications, each with its own: bounded, oldest out.
    if (known.size >= 500) known.delete(known.keys().next().value ?? '');
    known.set(key, fresh);
    return fresh;
  };
}
