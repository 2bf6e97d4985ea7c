/** Finding people among a million, and knowing how many there are. */
export type { UserFilter } from './conditions.ts';
export { createFieldConditions } from './fields.ts';
export { type Position, type UserList, type UserSort, userSorts } from './order.ts';
export { createUserSearch, type FoundUsers, type UserSearch } from './search.ts';
export { completionOf, createUserTally, type UserFigures, type UserTally } from './tally.ts';
export { createWords, type Words } from './words.ts';
