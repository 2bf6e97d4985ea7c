import { readFileSync } from 'node:fs';
import type { ProviderInput } from '../federation/index.ts';
import { Refusal } from '../platform/index.ts';
import { by, type Command, needed, Usage } from './command.ts';

const json = (file: string): Record<string, unknown> => {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new Usage(`${file} is no JSON that can be read: ${(error as Error).message}`);
  }
};

/** The providers that people sign in through. What each may say stands in docs/guides/federation/README.md. */
export const federationCommands: Command[] = [
  {
    name: 'federation list',
    usage: '',
    about: 'show the identity providers, and the addresses to tell them',
    async run({ app, settings }) {
      const all = await (await app()).ports.federation.providers.all();
      const shown = all.map((provider) => ({
        ...provider,
        callback: `${settings.issuer}/federation/${provider.id}/callback`,
        backchannel_logout: `${settings.issuer}/federation/${provider.id}/backchannel-logout`,
      }));
      return {
        result: shown,
        lines: shown.map(
          ({ id, kind, name, enabled, callback }) =>
            `${id.padEnd(12)} ${kind.padEnd(10)} ${enabled ? 'on ' : 'off'}  ${name}  ${callback}`,
        ),
      };
    },
  },
  {
    name: 'federation set',
    usage: '<provider.json | ->',
    about: 'add an identity provider or replace it; secrets left out stay as they are',
    async run({ app, args }) {
      const definition = json(needed(args[0], 'the file')) as ProviderInput;
      const changed = await (await app()).ports.federation.providers.put(definition, by);
      return {
        result: { id: definition.id, changed },
        lines: [changed ? `${definition.id} is set` : 'nothing to change'],
      };
    },
  },
  {
    name: 'federation remove',
    usage: '<id>',
    about: 'remove an identity provider with every link to it; people keep their accounts',
    async run({ app, args }) {
      const id = needed(args[0], 'the id of the provider');
      await (await app()).ports.federation.providers.remove(id, by);
      return { result: { id }, lines: [`${id} was removed`] };
    },
  },
  {
    name: 'federation dry-run',
    usage: '<id> <claims.json | ->',
    about: 'show what the mapping makes of claims; nothing is written',
    async run({ app, args }) {
      const id = needed(args[0], 'the id of the provider');
      const claims = json(needed(args[1], 'the file of claims'));
      const { federation } = (await app()).ports;
      const provider = (await federation.providers.all()).find((each) => each.id === id);
      if (!provider) throw new Refusal('federation.provider_unknown', { kind: 'missing' });
      const result = await federation.dryRun(provider, claims);
      const { profile, attributes, ...own } = result.mapped;
      const said = (facts: object, prefix = '') =>
        Object.entries(facts).map(([name, value]) => `${prefix}${name} = ${JSON.stringify(value)}`);
      return {
        result,
        lines: [
          ...said(own),
          ...said(profile),
          ...said(attributes, 'attributes.'),
          ...result.faults.map((fault) => `! ${fault}`),
        ],
      };
    },
  },
  {
    name: 'federation links',
    usage: '<email>',
    about: 'show which identities at providers lead into an account',
    async run({ app, args }) {
      const { users, federation } = (await app()).ports;
      const user = await users.byEmail(needed(args[0], 'the e-mail address'));
      if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
      const links = await federation.identities.listOf(user.id);
      return {
        result: links,
        lines: links.map(({ id, providerId, issuer, subject }) => `${id}  ${providerId}  ${issuer}  ${subject}`),
      };
    },
  },
];
