import { type Clock, randomToken, type Vault } from '../platform/index.ts';

/** Seconds for which a device is remembered: a year. */
export const deviceLife = 365 * 24 * 60 * 60;

/** People sharing one browser who are remembered in it. */
const most = 5;
const shape = /^([\w-]{22})\.(\d{10})\.([\w-]{43})$/;

/**
 * Remembers on which devices a person has signed in before (OWASP, "slow down online guessing with device cookies").
 * The cookie holds, for each person, a device id, an expiry and a MAC over both and the person's id; it names nobody,
 * proves nothing but that this browser has once got in, and is of use to nobody else's account.
 */
export interface Devices {
  /**
   * The cookie's value after this person has signed in.
   * @param cookie what the browser sent: others who use it stay remembered
   */
  deviceToken(userId: string, cookie?: string): string;
  knownDevice(cookie: string | undefined, userId: string | undefined): boolean;
  /** The device's id, if this person has signed in on it. */
  deviceOf(cookie: string | undefined, userId: string | undefined): string | undefined;
}

export function createDevices(options: { vault: Vault; clock: Clock }): Devices {
  const { vault, clock } = options;
  const purpose = 'device';
  const now = () => Math.floor(clock.now().getTime() / 1000);
  const entriesOf = (cookie = '') => cookie.slice(0, 1000).split('~').slice(0, most);

  const belongs = (entry: string, userId: string): string | undefined => {
    const [, device, expires, mac] = shape.exec(entry) ?? [];
    if (!device || !expires || !mac || Number(expires) <= now()) return undefined;
    return vault.hasMac(`${device}.${expires}.${userId}`, purpose, mac) ? device : undefined;
  };

  const deviceOf: Devices['deviceOf'] = (cookie, userId) =>
    // The same work for somebody unknown, who has no id.
    entriesOf(cookie)
      .map((entry) => belongs(entry, userId ?? ''))
      .find((device) => device !== undefined);

  return {
    deviceOf,
    knownDevice: (cookie, userId) => deviceOf(cookie, userId) !== undefined,
    deviceToken(userId, cookie) {
      const body = `${deviceOf(cookie, userId) ?? randomToken(16)}.${now() + deviceLife}`;
      const others = entriesOf(cookie).filter((entry) => shape.test(entry) && !belongs(entry, userId));
      return [`${body}.${vault.mac(`${body}.${userId}`, purpose)}`, ...others].slice(0, most).join('~');
    },
  };
}
