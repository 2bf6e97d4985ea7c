import type { Settings } from '../../platform/config/index.ts';
import { addressKey, type Budget, type Clock, type Limits, Refusal, type Vault } from '../../platform/index.ts';
import { createAltcha } from './altcha.ts';
import type { CaptchaProvider } from './provider.ts';
import { createSiteverify, type SiteverifySettings } from './siteverify.ts';

/** What can be done often enough to look like a machine. */
export type CaptchaKind = 'registration' | 'forgot' | 'signin';

export interface CaptchaSettings {
  /** Default `suspicious`. */
  when?: 'never' | 'suspicious' | 'always';
  /** Default `altcha`: proof of work, nobody else is asked. */
  provider?: 'altcha' | 'turnstile' | 'hcaptcha';
  /** Turnstile's and hCaptcha's keys. */
  siteKey?: string;
  secret?: string;
  /** In place of the provider's own address. */
  verifyUrl?: string;
  /** Milliseconds to wait for the provider, default 3000. */
  timeout?: number;
  /** Rounds of PBKDF2 for each of about 256 tries, default 5000: about a second on a phone. */
  cost?: number;
  /** In which the following are counted, in seconds; default ten minutes. */
  window?: number;
  /** From so many from one address on, it is suspicious. */
  fromAddress?: Partial<Record<CaptchaKind, number>>;
  /** From so many from everywhere on, everybody is asked. */
  fromEverywhere?: Partial<Record<CaptchaKind, number>>;
}

/** As the operator sets it. */
export function captchaSettings({ captcha, limits }: Pick<Settings, 'captcha' | 'limits'>): CaptchaSettings {
  const { provider, when, siteKey, secret } = captcha;
  if (provider === 'none') return { when: 'never' };
  return {
    provider,
    when,
    ...(siteKey ? { siteKey } : {}),
    ...(secret ? { secret } : {}),
    fromEverywhere: { registration: limits.registrationsSuspicious.points },
    window: limits.registrationsSuspicious.window,
  };
}

export interface Captcha extends CaptchaProvider {
  /** Counts that it was done; to be called at each accepted POST. */
  seen(input: { kind: CaptchaKind; ip: string }): Promise<void>;
  /** Whether the page must show one and the POST must carry its answer. Reads only. */
  required(input: { kind: CaptchaKind; ip: string }): Promise<boolean>;
}

const fromAddress: Record<CaptchaKind, number> = { registration: 3, forgot: 3, signin: 10 };
const fromEverywhere: Record<CaptchaKind, number> = { registration: 100, forgot: 100, signin: 2_000 };
const everywhere = '*';

/** @param options.fetch asks Turnstile or hCaptcha; altcha asks nobody */
export function createCaptcha(options: {
  settings?: CaptchaSettings;
  limits: Limits;
  vault: Vault;
  clock: Clock;
  fetch?: typeof globalThis.fetch;
}): Captcha {
  const { settings = {}, limits, vault, clock, fetch = globalThis.fetch } = options;
  const { when = 'suspicious', provider = 'altcha' } = settings;

  const budget = (kind: CaptchaKind, where: 'address' | 'everywhere'): Budget => {
    const points =
      where === 'address'
        ? (settings.fromAddress?.[kind] ?? fromAddress[kind])
        : (settings.fromEverywhere?.[kind] ?? fromEverywhere[kind]);
    // While nobody can count, nobody is suspected.
    return { name: `captcha.${kind}.${where}`, points, seconds: settings.window ?? 600, onFault: 'open' };
  };

  const made: CaptchaProvider =
    provider === 'altcha'
      ? createAltcha({ vault, limits, clock, ...(settings.cost ? { cost: settings.cost } : {}) })
      : createSiteverify({ settings: siteverifySettings(settings, provider), fetch });

  return {
    ...made,

    async seen({ kind, ip }) {
      if (when !== 'suspicious') return;
      await Promise.all([
        limits.take(budget(kind, 'address'), addressKey(ip)),
        limits.take(budget(kind, 'everywhere'), everywhere),
      ]);
    },

    async required({ kind, ip }) {
      if (when !== 'suspicious') return when === 'always';
      const address = budget(kind, 'address');
      const all = budget(kind, 'everywhere');
      const [here, there] = await Promise.all([limits.look(address, addressKey(ip)), limits.look(all, everywhere)]);
      return here.taken >= address.points || there.taken >= all.points;
    },
  };
}

function siteverifySettings(settings: CaptchaSettings, provider: 'turnstile' | 'hcaptcha'): SiteverifySettings {
  const { siteKey, secret, verifyUrl, timeout } = settings;
  if (!siteKey || !secret) throw new Refusal('captcha.not_configured', { kind: 'invalid', details: { provider } });
  return { provider, siteKey, secret, ...(verifyUrl ? { verifyUrl } : {}), ...(timeout ? { timeout } : {}) };
}
