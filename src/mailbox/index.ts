/**
 * Development's mailbox: shows the letters that in production a mail server would have been handed. It holds live links
 * to anybody's account and asks nobody who they are, so it cannot be built in production.
 */
export { createMailbox } from './routes.ts';
