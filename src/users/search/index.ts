/** Finding people among a million, and knowing how many there are. */
export type { UserFilter } from './conditions.ts';
export { createFieldConditions } from './fields.ts';
export {
  createUserSearch,
  type FoundUsers,
  type Position,
  type UserList,
  type UserSearch,
  type UserSort,
  userSorts,
} from './search.ts';
export { completionOf, createUserTally, type UserFigures, type UserTally } from './tally.ts';
export { createWords, type Words } from './words.ts';
