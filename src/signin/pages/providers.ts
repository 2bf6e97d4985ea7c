import { buttonOf, type Provider } from '../../federation/index.ts';
import type { FieldSpec } from '../../platform/form.ts';
import type { ProfileField } from '../../users/index.ts';
import { at, type Common, shown } from './frame.ts';
import { registrationFields } from './register.ts';

/** A provider as its button shows it. */
export type ProviderShown = Pick<Provider, 'id' | 'kind' | 'name' | 'logo'>;

/** The buttons: POST /signin/:uid/provider {provider}. @param options.alone nothing stands above them to choose instead */
export const providerButtons = (uid: string, providers: readonly ProviderShown[], { alone = false } = {}) =>
  providers.length === 0
    ? {}
    : {
        providers: {
          action: at(uid, '/provider'),
          list: providers.map(buttonOf),
          alone,
        },
      };

/** May this lead into the account? POST /signin/:uid/link {link: 'yes' | 'no'} */
export function linkPage(input: Common & { provider: string; theirs: string; ours: string }) {
  const { provider, theirs, ours } = input;
  return { ...shown('link', input, []), titleParams: { provider }, provider, theirs, ours };
}

/** What is asked of somebody new from a provider. POST /signin/:uid/join {…fields, terms?} */
export function joinPage(
  input: Common & {
    provider: string;
    email: string | undefined;
    fields: { name: ProfileField; required: boolean }[];
    custom: FieldSpec[];
    terms?: string | undefined;
    privacy?: string | undefined;
  },
) {
  const { provider, email } = input;
  return { ...shown('join', input, registrationFields(input)), provider, email, change: at(input.uid, '/identifier') };
}
