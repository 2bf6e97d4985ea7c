import type { Settings } from './platform/config/index.ts';

/** What the terminal shows once Cardea serves. The link is a secret and so is never in the log. */
export function announce({
  settings,
  setupLink,
  demo,
  bootstrap,
}: {
  settings: Settings;
  setupLink: string | undefined;
  demo: string | undefined;
  /** What the bootstrap file changed, if there is one. */
  bootstrap: string[] | undefined;
}): void {
  const lines: [string, string | undefined][] = [
    ['Issuer', settings.issuer],
    ['Set up', setupLink && `${setupLink}\n${' '.repeat(16)}(once: creates the first administrator)`],
    ['Demo app', demo],
    ['Bootstrap', bootstrap && (bootstrap.join(`\n${' '.repeat(16)}`) || 'nothing to change')],
    ['Mailbox', settings.mailbox.enabled ? `${settings.issuer}/dev/mailbox` : undefined],
  ];
  const shown = lines.flatMap(([name, value]) => (value ? [`  ${name.padEnd(12)}  ${value}`] : []));
  process.stdout.write(`\n  Cardea is ready.\n\n${shown.join('\n')}\n\n`);
}
