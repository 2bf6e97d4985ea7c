import type { createCredentials } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import {
  createDevelopmentMailbox,
  createHttpSms,
  createMail,
  createMailboxSms,
  createSms,
  createSmtpTransport,
  type DevelopmentMailbox,
  type SmsTransport,
} from '../mail/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Ground } from './ground.ts';

/** How letters and text messages leave: for the mailbox page in development, else by the operator's servers. */
export function createPost(deps: Ground & { events: Events }) {
  const { settings, clock, events } = deps;
  const mailbox = settings.mailbox.enabled ? createDevelopmentMailbox(deps) : undefined;
  const mail = createMail({
    ...deps,
    transport: mailbox ?? createSmtpTransport({ url: settings.mail.smtpUrl! }),
    settings: { from: settings.mail.from, letters: settings.limits.lettersToRecipient },
  });
  const transport = smsTransport(settings, mailbox);
  return { mailbox, mail, sms: transport && createSms({ clock, events, transport }) };
}

function smsTransport({ sms }: Settings, mailbox: DevelopmentMailbox | undefined): SmsTransport | undefined {
  if (sms.transport === 'mailbox') return mailbox && createMailboxSms(mailbox);
  if (sms.transport === 'none') return undefined;
  const { url, user, token, from, messagingService, timeout } = sms;
  return createHttpSms({ url: url!, user: user!, token: token!, from, messagingService, timeoutSeconds: timeout });
}

/** What text messages say, in the person's language. */
export function shortTexts({
  views,
  branding,
}: Ground): Pick<Parameters<typeof createCredentials>[0], 'codeText' | 'noticeText'> {
  return {
    codeText: (locale, code) => views.words(locale)('sms.code', { code, organisation: branding().name }),
    noticeText(locale, what, link) {
      const say = views.words(locale);
      return say('sms.notice', { what: say(`mail.notice.${what}.subject`), link, organisation: branding().name });
    },
  };
}
