import type { Passkey } from '../credentials/index.ts';
import { createForm, type Problem } from '../platform/form.ts';
import { ownPage } from './own-pages.ts';

const home = '/account/passkeys';

/**
 * POST /account/passkeys {credential}, its question POST /account/passkeys/options;
 * POST /account/passkeys/:id/rename {name}; POST /account/passkeys/:id/remove {}
 * @param input.signals what password managers are told: the method's name → its facts
 * @param input.refusedId the passkey that was to be changed when there was a problem
 */
export function passkeysPage(input: {
  passkeys: readonly Passkey[];
  signals: Record<string, object>;
  said?: 'added' | 'renamed' | 'removed';
  problem?: Omit<Problem, 'field'>;
  refusedId?: string;
}) {
  const { passkeys, signals, said, problem, refusedId } = input;
  const ofName = problem?.code === 'passkey.name_refused';
  return {
    ...ownPage('passkeys', 'security'),
    languageUrl: home,
    scripts: ['passkeys.js'],
    said,
    form: createForm(home, [], { problems: problem && !ofName ? [problem] : [] }),
    add: { action: home, options: `${home}/options` },
    signals: JSON.stringify(signals),
    passkeys: passkeys.map(({ id, name, provider, createdAt, lastUsedAt, synced, copySuspectedAt }) => {
      const shown = name ?? provider;
      const refused = ofName && id === refusedId;
      const rename = createForm(
        `${home}/${id}/rename`,
        [{ name: 'name', label: 'label.passkey_name', required: true, maxlength: 60, value: shown ?? '' }],
        refused ? { problems: [{ ...problem, field: 'name' }] } : {},
      );
      // Several of one form stand on the page: each field needs an id of its own.
      const field = {
        ...rename.fields.name!,
        id: `name-${id}`,
        autofocus: false,
        describedBy: refused ? `name-${id}-problem` : '',
      };
      return {
        id,
        name: shown,
        createdAt,
        lastUsedAt,
        synced,
        copySuspectedAt,
        rename: { ...rename, fields: { name: field } },
        remove: `${home}/${id}/remove`,
      };
    }),
  };
}
