import { isSentinelUrl } from '../redis-url.ts';
import type { Settings } from './settings.ts';

const hidden = '••••••';

/** The settings as they may be shown: secrets, and passwords in URLs, are left out. */
export function maskedSettings(settings: Settings): Record<string, unknown> {
  const { secrets, database, redis, mail, captcha, objects, sms, tracing, sentry, trickle, ...rest } = settings;
  return {
    ...rest,
    secrets: secrets.map(() => hidden),
    database: {
      ...database,
      ...maskedUrl('url', database.url),
      ...maskedUrl('replicaUrl', database.replicaUrl),
    },
    redis: { ...redis, ...maskedUrl('url', redis.url) },
    mail: { ...mail, ...maskedUrl('smtpUrl', mail.smtpUrl) },
    sms: { ...sms, ...(sms.token === undefined ? {} : { token: hidden }) },
    objects: {
      ...objects,
      s3: { ...objects.s3, ...(objects.s3.secretAccessKey === undefined ? {} : { secretAccessKey: hidden }) },
    },
    trickle: { ...trickle, ...(trickle.secret === undefined ? {} : { secret: hidden }) },
    tracing: { ...tracing, headers: tracing.headers.map((header) => header.replace(/=.*$/s, `=${hidden}`)) },
    sentry: { ...sentry, ...(sentry.dsn === undefined ? {} : { dsn: hidden }) },
    captcha: { ...captcha, ...(captcha.secret === undefined ? {} : { secret: hidden }) },
  };
}

/** The password before the @, and one given as a parameter. A list of URLs is masked one by one. */
function maskedUrl(name: string, urls: string | undefined): Record<string, string> {
  if (urls === undefined) return {};
  if (isSentinelUrl(urls)) {
    const shown = urls.replace(/:[^:@/]+@/, `:${hidden}@`).replace(/(password=)[^&]+/g, `$1${hidden}`);
    return { [name]: shown };
  }
  const masked = urls.split(',').map((text) => {
    const url = new URL(text);
    if (url.password) url.password = hidden;
    for (const [key] of [...url.searchParams]) {
      if (/password|secret|key|token/i.test(key)) url.searchParams.set(key, hidden);
    }
    return decodeURIComponent(url.href);
  });
  return { [name]: masked.join(',') };
}
