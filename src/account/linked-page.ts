import { buttonOf, type Provider } from '../federation/index.ts';
import { createForm, type Problem } from '../platform/form.ts';
import { ownPage } from './own-pages.ts';

const home = '/account/linked';

/** POST /account/linked {provider}; POST /account/linked/:id/remove {} */
export function linkedPage(input: {
  linked: {
    id: string;
    /** Of the provider. */
    name: string;
    /** Whether it leads in at present. */
    enabled: boolean;
    label: string | undefined;
    linkedAt: Date;
    lastUsedAt: Date | undefined;
  }[];
  /** What could be connected. */
  providers: readonly Pick<Provider, 'id' | 'kind' | 'name' | 'logo'>[];
  done?: string | undefined;
  problem?: Omit<Problem, 'field'>;
}) {
  const { linked, providers, problem } = input;
  return {
    ...ownPage('linked', 'security', input),
    languageUrl: home,
    form: createForm(home, [], { problems: problem ? [problem] : [] }),
    linked: linked.map((one) => ({ ...one, remove: `${home}/${one.id}/remove` })),
    ...(providers.length > 0
      ? { providers: { action: home, list: providers.map(buttonOf), words: 'account.linked.connect', alone: true } }
      : {}),
  };
}
