/**
 * From /authorize to the code: who are you, prove it, do you agree. The flow alone decides what comes next, steps
 * prove, pages show. Nobody is signed in until everything is proved; what is half done is an attempt.
 */
export { straightIn } from './entrance.ts';
export { signOutThere } from './provider-routes.ts';
export { createSignin } from './routes.ts';
