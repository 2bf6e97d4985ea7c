import { Refusal } from '../platform/index.ts';
import { type Fields, mergeValues } from '../users/index.ts';
import type { Provider } from './definition.ts';
import { type Mapped, mapClaims } from './mapping.ts';

/**
 * What a provider's claims are here, by its mapping.
 * @returns `faults`: what could not be used, which is left out
 */
export type FactsIn = (
  provider: Pick<Provider, 'mapping'>,
  claims: Record<string, unknown>,
) => Promise<{ mapped: Mapped; faults: string[] }>;

/** What a provider's claims say of a person here, the custom fields checked: what one of them refuses is left out. */
export function createFacts({ fields }: { fields: Pick<Fields, 'check'> }): FactsIn {
  const checkedAttributes = async (
    values: Record<string, unknown>,
  ): Promise<{ good: Record<string, unknown>; faults: string[] }> => {
    const given = { as: 'administrator', at: 'api' } as const;
    try {
      return { good: await fields.check(values, given), faults: [] };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const bad = Object.entries(error.details as Record<string, { code?: string }>);
      const rest = Object.fromEntries(Object.entries(values).filter(([name]) => !bad.some(([each]) => each === name)));
      const faults = bad.map(([name, fault]) => `attributes.${name}: ${fault?.code ?? 'refused'}`);
      const again = bad.length > 0 && Object.keys(rest).length > 0 ? await fields.check(rest, given) : {};
      return { good: again, faults };
    }
  };

  return async (provider, claims) => {
    const { mapped, faults } = mapClaims(provider, claims);
    const { good, faults: more } = await checkedAttributes(mapped.attributes);
    return { mapped: { ...mapped, attributes: mergeValues({}, good) }, faults: [...faults, ...more] };
  };
}
