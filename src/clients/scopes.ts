/**
 * Scopes that have words of their own in the catalogue (`scope.<name>`); any other is shown by the description its owner
 * gave, or its name.
 */
export const scopesInWords: ReadonlySet<string> = new Set([
  ...['openid', 'profile', 'email', 'phone', 'address', 'offline_access'],
  ...['groups', 'roles', 'permissions', 'organization'],
]);
