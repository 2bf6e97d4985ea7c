import { type Transition, transitions, type UserState } from '../../users/index.ts';
import { bad } from '../faults.ts';
import { isStoppedState, type Person } from './person.ts';

export interface StateWanted {
  active?: boolean;
  state?: UserState;
}

/** The transitions a directory may ask for; the others belong to the person, or to DELETE. */
const ours = [
  'activate',
  'requirePasswordReset',
  'suspend',
  'deactivate',
  'reactivate',
] as const satisfies Transition[];

/**
 * How to get from the state the account is in to the one that is wanted: `active` stops it or lets it go on, our
 * extension's `state` names the state itself.
 * @returns one transition, or none when it is there already
 * @throws ScimFault `invalidValue` when the two contradict each other, `mutability` when no transition leads there
 */
export function changesOfState(
  person: Pick<Person, 'state' | 'stateBefore' | 'emailVerifiedAt'> | { state: string },
  { active, state }: StateWanted,
): Transition[] {
  const now = person.state as UserState;
  if (state !== undefined) {
    if (active !== undefined && active === isStoppedState(state))
      throw bad('invalidValue', `active is ${active} and the state ${state}: they contradict each other`);
    return state === now ? [] : [transitionTo(person as Person, state)];
  }
  if (active === undefined || active === !isStoppedState(now)) return [];
  return [active ? 'reactivate' : 'suspend'];
}

function transitionTo(person: Person, wanted: UserState): Transition {
  // As the account itself goes back (users/user.ts).
  const before = person.stateBefore ?? (person.emailVerifiedAt ? 'Active' : 'Unverified');
  const found = ours.find((name) => {
    const { from, to } = transitions[name];
    return (from as readonly UserState[]).includes(person.state) && (to === 'before' ? before : to) === wanted;
  });
  if (!found) throw bad('mutability', `a user in the state ${person.state} cannot be brought to ${wanted}`);
  return found;
}
