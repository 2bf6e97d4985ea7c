/** The letters that would have been sent: development's mailbox. */

export interface LetterShown {
  id: string;
  to: string;
  subject: string;
  sentAt: Date;
}

/** Newest first. Each leads to GET /dev/mailbox/:id */
export function mailboxPage(input: { letters: LetterShown[] }) {
  return {
    page: 'mailbox/list',
    title: 'mailbox.list.title',
    wide: true,
    letters: input.letters.map((letter) => ({ ...letter, href: `/dev/mailbox/${encodeURIComponent(letter.id)}` })),
  };
}

/**
 * One letter. Its HTML is framed from GET /dev/mailbox/:id/html, which must answer with X-Frame-Options: SAMEORIGIN,
 * frame-ancestors 'self' and a policy that allows the letter's inline styles and nothing else.
 */
export function letterPage(input: LetterShown & { text: string }) {
  return {
    page: 'mailbox/letter',
    title: 'mailbox.letter.title',
    titleParams: { subject: input.subject },
    wide: true,
    letter: input,
    frame: `/dev/mailbox/${encodeURIComponent(input.id)}/html`,
    // Links are what one comes here for; the frame is sandboxed and opens none.
    links: [...new Set(input.text.match(/https?:\/\/[^\s<>"]+/g) ?? [])],
    back: '/dev/mailbox',
  };
}
