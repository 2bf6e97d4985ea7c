/**
 * What people do for themselves without signing in to an application: open the links of letters, ask for a new
 * password, change it. A GET of a link shows what it would do and does nothing.
 */
export { createAccount } from './routes.ts';
