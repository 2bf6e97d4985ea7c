/**
 * People: who they are, the state each is in, whether they may act, and the groups they are in. Whoever stops a person
 * here ends everything they hold in the same transaction. How they prove who they are is `credentials`' business.
 */

export { type ConsentRecord, type Consents, createConsents } from './consents.ts';
export { emailKey, isEmail } from './email.ts';
export { type FieldFault, type Given, mayRead, mayWrite } from './fields/check.ts';
export { type Field, type FieldInput, fieldObject, fieldSchema, fieldTypes } from './fields/definition.ts';
export { createFields, type Fields, mergeValues } from './fields/fields.ts';
export { fieldProblems, fieldSpecs, fieldsAsked, fieldsLacking, formValues, typedValues } from './fields/form.ts';
export { comparesAs, fieldExpression } from './fields/maintain.ts';
export { createFormerAddresses, type FormerAddresses } from './former-addresses.ts';
export type { Belonging, Member } from './groups/belonging.ts';
export type { Group, GroupEdit, GroupQuery, NewGroup } from './groups/group.ts';
export { createGroups, type Groups } from './groups/groups.ts';
export { type IdentityStatus, identityStatuses } from './identity.ts';
export { createIntake, type Intake, type Known, type WholeUser } from './intake.ts';
export { createMemberships, type Memberships } from './memberships.ts';
export type { UnknownMemberships } from './memberships-plan.ts';
export type { WholeMemberships } from './memberships-reader.ts';
export {
  challengeName,
  domainOf,
  type OrganisationDomain,
  type ResolveTxt,
} from './organisations/domains/record.ts';
export {
  createOrganisations,
  createResolver,
  type Organisations,
} from './organisations/index.ts';
export type { Invitation } from './organisations/invitations.ts';
export { type Managing, managePermission } from './organisations/managing.ts';
export type { OrganisationMember } from './organisations/members.ts';
export { type Organisation, organisationName, organisationTopic } from './organisations/organisations.ts';
export {
  allows,
  methodsOf,
  type OrganisationPolicy,
  type OrganisationPolicyInput,
  policySchema,
  type SignInMethod,
  signInMethods,
} from './organisations/policy.ts';
export { ownEmailKind, ownValueAt } from './own-value.ts';
export { phoneNumber } from './phone.ts';
export { createPictures, type Pictures, pictureTopic } from './pictures/pictures.ts';
export { createPortraits, type Portrait } from './portraits.ts';
export {
  applyPreferences,
  lookOf,
  type NotificationCategory,
  type NotificationChannel,
  notificationCategories,
  notificationChannels,
  type Preferences,
  type PreferencesPatch,
  preferencesOf,
  preferencesPatch,
  readPreferences,
  type Theme,
  themes,
  type WithholdableClaim,
  wants,
  withholdableClaims,
} from './preferences/index.ts';
export {
  addressFields,
  type ProfileField,
  type ProfileOwner,
  profileProblems,
  readProfile,
  type TypedProfile,
} from './profile.ts';
export { profileSpec } from './profile-form.ts';
export {
  claimsOfFacts,
  createTokenFacts,
  type FactClaimSettings,
  factScopes,
  type TokenFactsReader,
} from './roles/claims.ts';
export { createFacts, type Facts, type FactsReader, type OrganisationFacts } from './roles/facts.ts';
export { createPermissions, type Permission, type Permissions, permissionName } from './roles/permissions.ts';
export { createRoles, type NewRole, type Role, type RoleScope, type RoleSubject, type Roles } from './roles/roles.ts';
export {
  completionOf,
  createFieldConditions,
  createUserSearch,
  createUserTally,
  createWords,
  type FoundUsers,
  type Position,
  type UserFigures,
  type UserFilter,
  type UserList,
  type UserSearch,
  type UserSort,
  type UserTally,
  userSorts,
} from './search/index.ts';
export { createStanding, type Standing } from './standing.ts';
export { type Change, type Transition, transitions, type UserState, userStates } from './states.ts';
export { profileClaims, User, UserEntity, type UserProfile } from './user.ts';
export { isUserName, userNameKey } from './user-name.ts';
export { type By, createUsers, type NewUser, type Users } from './users.ts';
