/**
 * The letters and text messages we send: which there are, to whom and how many, composing, and the way out (SMTP, or development's
 * mailbox). Sent from the outbox, so that a letter leaves exactly when its transaction commits and waits out a dead server.
 * Words and form are `views/mail`'s business; what a link in a letter does, its sender's.
 */
export { parseAddress } from './address.ts';
export type { LetterName, Letters, SecurityNotice } from './catalogue.ts';
export {
  createMail,
  type LetterViews,
  type Mail,
  type MailSettings,
  mailTopic,
  type Posting,
  type RenderedLetter,
} from './mail.ts';
export { createDevelopmentMailbox, type DevelopmentMailbox, type MailboxLetter } from './mailbox.ts';
export { createMailboxSms, createSms, type Sms, type SmsTransport, smsTopic, type TextMessage } from './sms.ts';
export { createHttpSms, type HttpSmsSettings } from './sms-http.ts';
export { createSmtpTransport, type SmtpOptions } from './smtp.ts';
export type { ComposedLetter, Transport } from './transport.ts';
