import { Refusal } from '../platform/index.ts';
import { challengeName, type Organisation, type OrganisationPolicyInput } from '../users/index.ts';
import { by, type Command, type Context, list, needed, Usage } from './command.ts';

async function found({ app, args }: Context): Promise<Organisation> {
  const place = await (await app()).ports.organisations.called(needed(args[0], 'the name or id of the organisation'));
  if (!place) throw new Refusal('organisation.unknown', { kind: 'missing' });
  return place;
}

async function accountOf({ app, args }: Context): Promise<string> {
  const user = await (await app()).ports.users.byEmail(needed(args[1], 'the e-mail address'));
  if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
  return user.id;
}

const policyFrom = (text: string): OrganisationPolicyInput => {
  try {
    return JSON.parse(text) as OrganisationPolicyInput;
  } catch {
    throw new Usage('--policy takes a JSON object, as {"mfa":true}');
  }
};

const line = ({ id, name, displayName }: Organisation) => `${id}  ${name}  ${displayName}`;
const roles = { role: { type: 'string', multiple: true } } as const;

export const organisationCommands: Command[] = [
  {
    name: 'organisation add',
    usage: '<name> [--display-name TEXT] [--policy JSON]',
    about: 'make an organisation',
    options: { 'display-name': { type: 'string' }, policy: { type: 'string' } },
    async run({ app, args, values }) {
      const name = needed(args[0], 'the name');
      const displayName = values['display-name'] as string | undefined;
      const policy = values.policy === undefined ? undefined : policyFrom(values.policy as string);
      const place = await (await app()).ports.organisations.create({ name, displayName, policy }, by);
      return { result: place, lines: [line(place)] };
    },
  },
  {
    name: 'organisation set',
    usage: '<organisation> [--name NAME] [--display-name TEXT] [--policy JSON]',
    about: 'change what an organisation is called, and how its people sign in',
    options: { name: { type: 'string' }, 'display-name': { type: 'string' }, policy: { type: 'string' } },
    async run(context) {
      const { values } = context;
      const { id } = await found(context);
      const edit = {
        name: values.name as string | undefined,
        displayName: values['display-name'] as string | undefined,
        policy: values.policy === undefined ? undefined : policyFrom(values.policy as string),
      };
      const place = await (await context.app()).ports.organisations.update(id, edit, by);
      return { result: place, lines: [line(place)] };
    },
  },
  {
    name: 'organisation list',
    usage: '[--prefix TEXT]',
    about: 'show the organisations, a hundred at most',
    options: { prefix: { type: 'string' } },
    async run({ app, values }) {
      const prefix = (values.prefix as string | undefined) ?? '';
      const places = await (await app()).ports.organisations.list({ prefix });
      return { result: places, lines: places.map(line) };
    },
  },
  {
    name: 'organisation show',
    usage: '<organisation>',
    about: 'show an organisation with its domains, open invitations and first members',
    async run(context) {
      const place = await found(context);
      const { organisations } = (await context.app()).ports;
      const domains = await organisations.domains.list(place.id);
      const invitations = await organisations.invitations.list(place.id);
      const members = await organisations.members.list(place.id);
      return {
        result: { ...place, domains, invitations: invitations.map(({ email: _, ...rest }) => rest), members },
        lines: [
          line(place),
          ...domains.map(({ domain, provedAt }) => `domain  ${domain}  ${provedAt ? 'proved' : 'not proved'}`),
          ...members.map(({ accountId, roles }) => `member  ${accountId}  ${roles.join(' ')}`),
          ...invitations.map(({ id, expiresAt }) => `invited  ${id}  until ${expiresAt.toISOString()}`),
        ],
      };
    },
  },
  {
    name: 'organisation remove',
    usage: '<organisation>',
    about: 'remove an organisation; its people keep their accounts',
    async run(context) {
      const { id } = await found(context);
      await (await context.app()).ports.organisations.remove(id, by);
      return { result: { id }, lines: [`${id} was removed`] };
    },
  },
  {
    name: 'organisation join',
    usage: '<organisation> <email> [--role NAME]…',
    about: 'make somebody a member; with roles, give them these and no others',
    options: roles,
    async run(context) {
      const place = await found(context);
      const accountId = await accountOf(context);
      const { db, organisations, roles } = (await context.app()).ports;
      const names = list(context.values.role);
      const joined = await db.transact(async () => {
        const ids = await roles.idsOf(names ?? []);
        const added = await organisations.members.add(place.id, accountId, by, ids);
        if (!added && names) await organisations.members.setRoles(place.id, accountId, ids, by);
        return added;
      });
      return { result: { joined }, lines: [joined ? 'joined' : 'was a member already'] };
    },
  },
  {
    name: 'organisation leave',
    usage: '<organisation> <email>',
    about: 'end a membership; what applications hold for it ends at its next use',
    async run(context) {
      const { id } = await found(context);
      const left = await (await context.app()).ports.organisations.members.remove(id, await accountOf(context), by);
      return { result: { left }, lines: [left ? 'left' : 'was no member'] };
    },
  },
  {
    name: 'organisation invite',
    usage: '<organisation> <email> [--role NAME]… [--locale TAG]',
    about: 'send an invitation by mail, in place of an earlier one',
    options: { ...roles, locale: { type: 'string' } },
    async run(context) {
      const { id } = await found(context);
      const email = needed(context.args[1], 'the e-mail address');
      const { organisations, roles } = (await context.app()).ports;
      const ids = await roles.idsOf(list(context.values.role) ?? []);
      const locale = context.values.locale as string | undefined;
      const invitation = await organisations.invitations.invite({ organisationId: id, email, roles: ids, locale }, by);
      return {
        result: { id: invitation.id, expiresAt: invitation.expiresAt },
        lines: ['the invitation is on its way'],
      };
    },
  },
  {
    name: 'organisation domain',
    usage: '<organisation> <domain> [--prove] [--remove]',
    about: 'claim a domain and show the DNS record that proves it; --prove looks for the record now',
    options: { prove: { type: 'boolean' }, remove: { type: 'boolean' } },
    async run(context) {
      const { id } = await found(context);
      const name = needed(context.args[1], 'the domain');
      const { domains } = (await context.app()).ports.organisations;
      if (context.values.remove) {
        const removed = await domains.remove(id, name, by);
        return { result: { removed }, lines: [removed ? 'removed' : 'there was no such domain'] };
      }
      const claimed = await domains.claim(id, name, by);
      const domain = context.values.prove ? await domains.prove(id, name, by) : claimed;
      return {
        result: domain,
        lines: domain.provedAt
          ? [`${domain.domain} is proved`]
          : [`put this TXT record at ${challengeName(domain.domain)} or at ${domain.domain}:`, domain.record],
      };
    },
  },
];
