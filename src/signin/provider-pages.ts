import type { Provider } from '../federation/index.ts';
import { at, type Common, shown } from './pages.ts';

/** A provider as its button shows it. */
export type ProviderShown = Pick<Provider, 'id' | 'kind' | 'name' | 'logo'>;

/** The buttons: POST /signin/:uid/provider {provider} */
export const providerButtons = (uid: string, providers: readonly ProviderShown[]) =>
  providers.length === 0
    ? {}
    : {
        providers: {
          action: at(uid, '/provider'),
          list: providers.map(({ id, kind, name, logo }) => ({ id, kind, name, logo, initial: [...name][0] ?? '•' })),
        },
      };

/** May this lead into the account? POST /signin/:uid/link {link: 'yes' | 'no'} */
export function linkPage(input: Common & { provider: string; theirs: string; ours: string }) {
  const { provider, theirs, ours } = input;
  return { ...shown('link', input, []), titleParams: { provider }, provider, theirs, ours };
}
