import { Refusal } from '../../platform/index.ts';
import { attributesOf, locale, type Source, said, saidOf, text } from './source.ts';

/**
 * One record of LDIF (RFC 2849): its attributes in small letters, each with all its values. What is kept in another
 * file (`attr:< file:…`) is left there.
 * @throws Refusal `import.malformed` (invalid)
 */
export function ldifOf(record: string): Record<string, unknown> {
  const found = new Map<string, string[]>();
  // A line that begins with a space goes on with the one before.
  for (const line of record.replace(/\r?\n /g, '').split(/\r?\n/)) {
    if (line === '' || line.startsWith('#') || line.startsWith('version:')) continue;
    const [, name, kind, value] = /^([A-Za-z][\w.-]*)(?:;[\w;.-]+)?:([:<]?) *(.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Refusal('import.malformed', { kind: 'invalid' });
    if (kind === '<') continue;
    const plain = kind === ':' ? Buffer.from(value!, 'base64').toString('utf8') : value!;
    found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), plain]);
  }
  return Object.fromEntries(found);
}

/** `CN=Engineers,OU=…` → `Engineers`. */
const commonName = (dn: string): string | undefined =>
  /^cn=((?:[^,\\]|\\.)+)/i
    .exec(dn)?.[1]
    ?.replace(/\\([0-9a-f]{2}|.)/gi, (_, what: string) =>
      what.length === 2 ? String.fromCharCode(Number.parseInt(what, 16)) : what,
    );

const people = new Set(['person', 'organizationalperson', 'inetorgperson', 'posixaccount', 'user', 'account']);

/** `20240131120000Z`: generalized time (RFC 4517, section 3.3.13). */
const generalized = (value: string | undefined): string | undefined => {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(value ?? '') ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
};

/** A directory's LDIF: OpenLDAP's `slapcat`, `ldapsearch`, 389 Directory Server, Active Directory's `ldifde` (no hashes). */
export const ldap: Source = {
  how: 'ldif',
  convert(raw, context) {
    const all = (name: string): string[] => (Object.hasOwn(raw, name) ? (raw[name] as string[]) : []);
    const one = (...names: string[]) => text(names.map((name) => all(name)[0]).find((value) => text(value)));
    if (!all('objectclass').some((name) => people.has(name.toLowerCase()))) return undefined;
    if (all('objectclass').some((name) => name.toLowerCase() === 'computer')) return undefined;
    // Active Directory: ACCOUNTDISABLE.
    const isDisabled = (Number(one('useraccountcontrol') ?? 0) & 2) === 2;
    const isLocked = one('nsaccountlock')?.toLowerCase() === 'true' || one('pwdaccountlockedtime') !== undefined;
    const groups = all('memberof')
      .map(commonName)
      .filter((name) => name !== undefined);
    return said({
      externalId: one('entryuuid', 'nsuniqueid', 'ipauniqueid', 'objectguid'),
      userName: one('uid', 'samaccountname', 'userprincipalname'),
      email: one('mail'),
      state: isDisabled || isLocked ? 'Suspended' : undefined,
      name: one('displayname', 'cn'),
      givenName: one('givenname'),
      familyName: one('sn'),
      locale: locale(one('preferredlanguage')),
      profile: saidOf({ phone_number: one('mobile', 'telephonenumber') }),
      attributes: attributesOf(raw, context),
      // Others are for other protocols: who has several goes by the first that is a hash.
      passwordHash: all('userpassword').find((value) => /^[{$]/.test(value)),
      groups: groups.length > 0 ? groups : undefined,
      createdAt: generalized(one('createtimestamp', 'whencreated')),
    });
  },
};
