import { Refusal } from '../../platform/index.ts';
import type { Transition, User } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import type { ApiPorts } from '../ports.ts';

/** Services do not touch administrators: whoever steals a service's secret would become one. */
export function demandMayTouch(caller: Caller, user: Pick<User, 'administrator'>): void {
  if (user.administrator && caller.accountId === undefined) {
    throw new Refusal('caller.not_permitted', { kind: 'forbidden' });
  }
}

const stops: readonly Transition[] = ['suspend', 'deactivate', 'remove', 'requirePasswordReset'];

/** Nobody stops the last administrator: there would be no way back but the command line. In the open transaction. */
export async function demandMayStop(
  { db, users }: Pick<ApiPorts, 'db' | 'users'>,
  id: string,
  transition: Transition,
  caller: Caller,
): Promise<void> {
  const user = await users.byId(id);
  if (!user?.administrator) return;
  demandMayTouch(caller, user);
  if (!stops.includes(transition) || user.state !== 'Active') return;
  await db.lock('administrators');
  const others = await db.query(
    `select 1 from user_account where administrator and state = 'Active' and id <> $1 limit 1`,
    [id],
  );
  if (others.length === 0) throw new Refusal('user.last_administrator', { kind: 'conflict' });
}
