import { domainToASCII } from 'node:url';
import { sameBytes } from '../../../platform/index.ts';

/** Asks the DNS for TXT records: each of several strings. Throws as `node:dns` does. */
export type ResolveTxt = (name: string) => Promise<string[][]>;

export interface OrganisationDomain {
  domain: string;
  /** What the TXT record has to say, at {@link challengeName} or at the domain itself. */
  record: string;
  provedAt: Date | undefined;
  checkedAt: Date | undefined;
  /** Checks in a row that did not find the record any more. */
  failures: number;
}

/** How the record begins; the token follows. */
const prefix = 'cardea-domain-verification=';

/** As the table has it. */
export interface DomainRow {
  domain: string;
  token: string;
  proved_at: string | null;
  checked_at: string | null;
  failures: number;
}

export const shown = (row: DomainRow): OrganisationDomain => ({
  domain: row.domain,
  record: prefix + row.token,
  provedAt: row.proved_at ? new Date(row.proved_at) : undefined,
  checkedAt: row.checked_at ? new Date(row.checked_at) : undefined,
  failures: row.failures,
});

/** The DNS says that there is no such record, as opposed to saying nothing. */
const isNo = (error: unknown): boolean => ['ENOTFOUND', 'ENODATA'].includes((error as { code?: string })?.code ?? '');

export const challengeName = (domain: string): string => `_cardea-challenge.${domain}`;

/** In A-labels, as the DNS has it. @returns undefined for what is no domain that somebody could own */
export function domainOf(text: string): string | undefined {
  // Node would take the beginning for the whole, as of a URL.
  if (/[/?#\\]/.test(text)) return undefined;
  const domain = domainToASCII(text.trim().replace(/\.$/, '')).toLowerCase();
  const label = /^[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?$/;
  const labels = domain.split('.');
  if (domain.length > 230 || labels.length < 2 || !labels.every((each) => label.test(each))) return undefined;
  // An address, not a name.
  return /^\d+$/.test(labels.at(-1)!) ? undefined : domain;
}

/** Whether the record is there, at either place. @throws what the DNS throws when neither can be asked */
export async function isThere(resolveTxt: ResolveTxt, { domain, token }: DomainRow): Promise<boolean> {
  let silent: unknown;
  for (const name of [challengeName(domain), domain]) {
    try {
      const records = await resolveTxt(name);
      if (records.some((parts) => sameBytes(parts.join('').trim(), prefix + token))) return true;
    } catch (error) {
      if (!isNo(error)) silent = error;
    }
  }
  if (silent) throw silent;
  return false;
}
