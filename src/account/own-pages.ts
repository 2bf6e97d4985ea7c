import { scopesInWords } from '../clients/index.ts';
import type { CodeKind } from '../credentials/index.ts';
import { codeField } from '../platform/fields.ts';
import { createForm, type Typed } from '../platform/form.ts';
import { inGroups, type QrCode, qrCode } from '../platform/qr.ts';
import type { Page } from '../platform/views.ts';

/** What people see of their own account, signed in: the sections at /account. */

const paths = {
  overview: '/account',
  profile: '/account/profile',
  security: '/account/security',
  sessions: '/account/sessions',
  applications: '/account/applications',
  organisations: '/account/organisations',
  activity: '/account/activity',
  settings: '/account/settings',
} as const;

export type Section = keyof typeof paths;

export interface OwnPage extends Page {
  wide: true;
  sections: { href: string; label: string; current: boolean }[];
  signOut: string;
  /** Code of what has just been done, said above the page. */
  done?: string | undefined;
}

/** The frame of a section; pages that belong to one but stand deeper name it too. */
export function ownPage(name: string, section: Section, input: { done?: string | undefined } = {}): OwnPage {
  return {
    page: `account/${name}`,
    title: `account.${name}.title`,
    wide: true,
    sections: (Object.keys(paths) as Section[]).map((each) => ({
      href: paths[each],
      label: `account.${each}.title`,
      current: each === section,
    })),
    signOut: '/logout',
    ...(input.done ? { done: input.done } : {}),
  };
}

/** A password alone, more than one, one beside a passkey, or nothing of ours. */
export type Protection = 'one' | 'two' | 'passkey' | 'elsewhere';

export function overviewPage(input: {
  name: string;
  email: string;
  protection: Protection;
  /** The organisation wants one of this person. */
  advised: boolean;
  sessions: number;
  applications: number;
  /** What concerned the safety of the account of late. */
  notices: { what: string; at: Date }[];
}) {
  return { ...ownPage('overview', 'overview'), ...input };
}

/** POST /account/security/totp/remove {}, POST /account/security/recovery-codes {} */
export function securityPage(input: {
  password: boolean;
  totp: { createdAt: Date; usedAt: Date | undefined } | undefined;
  recoveryCodes: number;
  passkeys: number;
  /** Accounts elsewhere that lead in; absent where there is no provider. */
  linked?: number | undefined;
  /** Codes that are sent: those set up, and those that could be. */
  codes: { kind: CodeKind; since?: Date; usedAt?: Date | undefined; destination?: string | undefined }[];
  /** Whether what gives codes may be removed: not by whoever must have one. */
  mayRemove: boolean;
  done?: string | undefined;
}) {
  const hasCodes = input.totp !== undefined || input.codes.some(({ since }) => since !== undefined);
  return { ...ownPage('security', 'security', input), ...input, hasCodes };
}

/** POST /account/security/totp {setup, code} */
export function totpPage(input: Typed & { setup: { token: string; secret: string; uri: string } }) {
  const { setup } = input;
  const shown: { token: string; groups: string; qr: QrCode } = {
    token: setup.token,
    groups: inGroups(setup.secret),
    qr: qrCode(setup.uri),
  };
  return {
    ...ownPage('totp', 'security'),
    languageUrl: '/account/security/totp',
    setup: shown,
    form: createForm('/account/security/totp', [codeField], input),
  };
}

/** The recovery codes, this once. */
export function codesPage(input: { codes: string[] }) {
  return { ...ownPage('codes', 'security'), languageUrl: false as const, codes: input.codes, back: paths.security };
}

export interface DeviceShown {
  id: string;
  /** Such as "Firefox"; undefined when it does not say. */
  browser: string | undefined;
  system: string | undefined;
  ip: string | undefined;
}

/** POST /account/sessions/end {session} · /end-others {} · /end-all {} · POST /account/devices/forget {device} */
export function sessionsPage(input: {
  sessions: (DeviceShown & { current: boolean; since: Date; seen: Date; applications: string[] })[];
  devices: (DeviceShown & { seen: Date; until: Date })[];
  done?: string | undefined;
}) {
  return { ...ownPage('sessions', 'sessions', input), ...input };
}

/** POST /account/applications/withdraw {client} */
export function applicationsPage(input: {
  applications: { id: string; name: string; logo?: string | undefined; since: Date | undefined; scopes: string[] }[];
  done?: string | undefined;
}) {
  return {
    ...ownPage('applications', 'applications', input),
    applications: input.applications.map(({ scopes, ...application }) => ({
      ...application,
      items: scopes.map((scope) => (scopesInWords.has(scope) ? { code: `scope.${scope}` } : { text: scope })),
    })),
  };
}

export interface ActivityShown {
  type: string;
  at: Date;
  application: string | undefined;
  ip: string | undefined;
  browser: string | undefined;
  system: string | undefined;
}

/** @param input.older id after which the next page begins */
export function activityPage(input: { events: ActivityShown[]; older?: string | undefined }) {
  return {
    ...ownPage('activity', 'activity'),
    events: input.events,
    ...(input.older ? { older: `${paths.activity}?before=${input.older}` } : {}),
  };
}

/** The link of a notice. `ask` changes nothing: POST /account/not-me {token}. */
export function notMePage(input: { state: 'ask' | 'done' | 'expired'; token?: string; what?: string; when?: Date }) {
  const { state, token } = input;
  return {
    page: 'account/not-me',
    title: `account.not-me.${state}.title`,
    ...input,
    forgot: '/account/forgot',
    languageUrl: state === 'ask' ? `/account/not-me?token=${encodeURIComponent(token ?? '')}` : (false as const),
  };
}
