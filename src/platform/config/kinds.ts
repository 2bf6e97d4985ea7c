import { isIP } from 'node:net';
import { z } from 'zod';
import { isSentinelUrl, readSentinelUrl } from '../redis-url.ts';

// The kinds of values a setting may have. The message of each says what would be right.

const units = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** '15m', '30d', '90 s' or plain seconds; in the settings always seconds. */
export const duration = (least = 1, most = 10 * 365 * units.d) => {
  const right = `a time: seconds, or a number with s, m, h or d, such as 15m or 30d (${spell(least)} to ${spell(most)})`;
  return z.union([z.number(), z.string()], { error: right }).transform((value, context) => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([smhd]?)$/.exec(String(value).trim()) ?? [];
    const seconds = Number(amount) * units[(unit || 's') as keyof typeof units];
    if (Number.isInteger(seconds) && seconds >= least && seconds <= most) return seconds;
    context.addIssue({ code: 'custom', message: right });
    return z.NEVER;
  });
};

const spell = (seconds: number): string => {
  const unit = (['d', 'h', 'm'] as const).find((name) => seconds > 0 && seconds % units[name] === 0) ?? 's';
  return `${seconds / units[unit]}${unit}`;
};

/** Environment variables are text: a number may come as one. */
export const whole = (least: number, most: number) => {
  const right = `a whole number from ${least} to ${most}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
    z.number({ error: right }).int(right).min(least, right).max(most, right),
  );
};

/** Environment variables are text here as well. */
export const yes = () =>
  z.preprocess(
    (value) => (value === 'true' || value === 'false' ? value === 'true' : value),
    z.boolean({ error: 'true or false' }),
  );

export const choice = <const Values extends readonly [string, ...string[]]>(...values: Values) =>
  z.enum(values, { error: `one of ${values.join(', ')}` });

export const text = (most = 200) => {
  const right = `text of 1 to ${most} characters on one line`;
  return z
    .string({ error: right })
    .trim()
    .min(1, right)
    .max(most, right)
    .regex(/^[^\p{Cc}]*$/u, right);
};

export const url = (...protocols: [string, ...string[]]) => {
  const right = `a URL that begins with ${protocols.map((name) => `${name}//`).join(' or ')}`;
  return z.string({ error: right }).refine((value) => protocols.includes(URL.parse(value)?.protocol ?? ''), right);
};

/** A list, which an environment variable writes with commas. */
export const list = <Item extends z.ZodType>(item: Item, right: string) =>
  z.preprocess(
    (value) =>
      typeof value === 'string'
        ? value
            .split(',')
            .map((part) => part.trim())
            .filter(Boolean)
        : value,
    z.array(item, { error: right }),
  );

/** One server, nodes of a Cluster, or sentinels that know the master. @returns them as one text, separated by commas */
export const redisUrl = () => {
  const right =
    'redis:// or rediss:// and a host; several of them, with commas, for a Cluster; or redis+sentinel://host,host/name';
  const one = z
    .string({ error: right })
    .refine(
      (value) =>
        isSentinelUrl(value)
          ? readSentinelUrl(value) !== undefined
          : ['redis:', 'rediss:'].includes(URL.parse(value)?.protocol ?? ''),
      right,
    );
  return z
    .preprocess(
      // The commas of sentinels stand inside of one URL.
      (value) => (typeof value === 'string' && isSentinelUrl(value.trim()) ? [value.trim()] : value),
      list(one, right),
    )
    .refine((urls) => urls.length > 0 && (urls.length === 1 || !urls.some(isSentinelUrl)), right)
    .transform((urls) => urls.join(','));
};

/** From 0, nothing, to 1, all. */
export const share = () => {
  const right = 'a number from 0 to 1';
  return z.preprocess(
    (value) => (typeof value === 'string' && /^[01](\.\d+)?$/.test(value) ? Number(value) : value),
    z.number({ error: right }).min(0, right).max(1, right),
  );
};

const rangeNames = ['loopback', 'linklocal', 'uniquelocal'];

/** An address, a range in CIDR notation, or a name for the usual private ones. */
export const addressRange = () => {
  const right = `an address (192.0.2.7), a range (10.0.0.0/8, at least /8) or one of ${rangeNames.join(', ')}`;
  return z.string({ error: right }).refine((value) => {
    if (rangeNames.includes(value)) return true;
    const [address = '', length, ...rest] = value.split('/');
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    if (length === undefined) return true;
    // Whoever trusts everybody lets everybody say who they are.
    return /^\d{1,3}$/.test(length) && Number(length) >= 8 && Number(length) <= (family === 4 ? 32 : 128);
  }, right);
};
