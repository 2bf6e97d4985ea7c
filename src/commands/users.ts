import { Refusal } from '../platform/index.ts';
import type { Transition, User } from '../users/index.ts';
import { by, type Command, type Context, needed, Usage } from './command.ts';

async function found({ app, args }: Context): Promise<User> {
  const name = needed(args[0], 'the e-mail address or id');
  const { users } = (await app()).ports;
  const user = name.includes('@') ? await users.byEmail(name) : await users.byId(name);
  if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
  return user;
}

const shown = (user: User) => ({
  id: user.id,
  email: user.email,
  state: user.state,
  administrator: user.administrator,
});

const moves: [string, Transition, string][] = [
  ['suspend', 'suspend', 'stop an account; ends all it holds at once'],
  ['reactivate', 'reactivate', 'let a suspended or deactivated account go on'],
  ['deactivate', 'deactivate', 'retire an account; ends all it holds at once'],
  ['delete', 'remove', 'delete an account; it can be recovered by its id'],
  ['recover', 'recover', 'bring a deleted account back (by its id)'],
  ['require-password-reset', 'requirePasswordReset', 'ask for a new password at the next sign-in'],
];

/** A password is read from standard input, so that it stands in no shell history and no list of processes. */
async function passwordFromInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return text.replace(/\r?\n$/, '');
}

export const userCommands: Command[] = [
  {
    name: 'user add',
    usage: '<email> [--name NAME] [--administrator] [--password-stdin] [--state STATE]',
    about: 'make an account; without a password the person is sent a link to choose one',
    options: {
      name: { type: 'string' },
      administrator: { type: 'boolean' },
      'password-stdin': { type: 'boolean' },
      state: { type: 'string' },
    },
    async run({ app, args, values }) {
      const email = needed(args[0], 'the e-mail address');
      const state = (values.state as string) ?? (values['password-stdin'] ? 'Active' : 'Created');
      if (!['Created', 'Unverified', 'PasswordResetRequired', 'Active'].includes(state)) {
        throw new Usage('--state takes Created, Unverified, PasswordResetRequired or Active');
      }
      const { db, users, passwords, policy, resets } = (await app()).ports;
      const password = values['password-stdin'] ? await passwordFromInput() : undefined;
      if (password !== undefined) await policy.demand(password, { email });
      const prepared = password === undefined ? undefined : await passwords.prepare(password);
      const user = await db.transact(async () => {
        const made = await users.create(
          {
            email,
            state: state as 'Active',
            emailVerified: state === 'Active',
            administrator: values.administrator === true,
            name: values.name as string | undefined,
          },
          by,
        );
        if (prepared) await passwords.store(made.id, prepared);
        else await resets.invite({ userId: made.id, locale: 'en' });
        return made;
      });
      return { result: shown(user), lines: [`${user.id}  ${user.email}  ${user.state}`] };
    },
  },
  {
    name: 'user show',
    usage: '<email or id>',
    about: 'show an account',
    async run(context) {
      const user = await found(context);
      return {
        result: shown(user),
        lines: [`${user.id}  ${user.email}  ${user.state}${user.administrator ? '  administrator' : ''}`],
      };
    },
  },
  {
    name: 'user reset-second-factor',
    usage: '<email or id> [--reason TEXT]',
    about:
      'take away a lost app, codes by letter and SMS, and recovery codes at once; ends the sessions, tells the owner',
    options: { reason: { type: 'string' } },
    async run(context) {
      const user = await found(context);
      const { secondFactors } = (await context.app()).ports;
      const reason = (context.values.reason as string | undefined) ?? by.reason;
      const removed = await secondFactors.reset(user, { actor: by.actor, reason });
      return {
        result: { removed },
        lines: [removed ? 'the second factors are removed' : 'there was no second factor'],
      };
    },
  },
  {
    name: 'user recovery-link',
    usage: '<email or id> [--reason TEXT] [--cancel]',
    about:
      'make a one-time link for who has lost every second factor; it works after a waiting period, its owner is told',
    options: { reason: { type: 'string' }, cancel: { type: 'boolean' } },
    async run(context) {
      const user = await found(context);
      const { recoveryLinks } = (await context.app()).ports;
      const reason = (context.values.reason as string | undefined) ?? by.reason;
      if (context.values.cancel) {
        const cancelled = await recoveryLinks.cancel(user.id, { actor: by.actor, reason });
        return { result: { cancelled }, lines: [cancelled ? 'the link is cancelled' : 'there was no link'] };
      }
      const { link, worksFrom, expiresAt } = await recoveryLinks.issue({
        userId: user.id,
        by: { actor: by.actor, reason },
      });
      const [from, until] = [worksFrom, expiresAt].map((date) => date.toISOString());
      return {
        result: { link, worksFrom: from, expiresAt: until },
        lines: [link, `works from ${from} until ${until}`],
      };
    },
  },
  ...moves.map(
    ([word, transition, about]): Command => ({
      name: `user ${word}`,
      usage: '<email or id> [--reason TEXT]',
      about,
      options: { reason: { type: 'string' } },
      async run(context) {
        const { id } = await found(context);
        const reason = context.values.reason as string | undefined;
        const { users } = (await context.app()).ports;
        const user = await users.change(id, transition, { actor: by.actor, reason: reason ?? by.reason });
        return { result: shown(user), lines: [`${user.id}  ${user.state}`] };
      },
    }),
  ),
];
