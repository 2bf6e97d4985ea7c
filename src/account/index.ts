/**
 * What people do for themselves without signing in to an application: open the links of letters, ask for a new
 * password, change it; and, signed in, see and change their own account. A GET of a link shows what it would do and does
 * nothing. Who is signed in the engine says; how one signs in is `signin`'s business, reached as by any application.
 */
export { createAccount } from './routes.ts';
export { accountClient } from './signed-in.ts';
