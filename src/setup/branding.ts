import { type Branding, type BrandingInput, createBranding } from '../platform/branding.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Bus, Clock, Log } from '../platform/index.ts';

export interface CurrentBranding {
  (): Branding;
  /** Replaces parts of it in every process; call inside a transaction. @throws BrandingFault */
  change(parts: Partial<BrandingInput>): Promise<void>;
}

const topic = 'branding';
const reloadMilliseconds = 30_000;

/** The look as configured, and over it what the wizard has set, kept up to date while we run. */
export async function currentBranding(deps: {
  db: Db;
  bus: Bus;
  clock: Clock;
  settings: Settings;
  log: Log;
}): Promise<CurrentBranding> {
  const { db, bus, clock, settings, log } = deps;
  const { name, logo, color, termsUrl, privacyUrl, supportUrl } = settings.branding;
  const configured: BrandingInput = {
    name,
    logo,
    colour: color,
    terms: termsUrl,
    privacy: privacyUrl,
    support: supportUrl,
  };
  let changed: Partial<BrandingInput> = {};
  let branding = createBranding(configured);
  const adopt = (parts: Partial<BrandingInput>) => {
    changed = parts;
    branding = createBranding({ ...configured, ...changed });
  };

  const load = async () => {
    const [row] = await db.query<{ value: Partial<BrandingInput> }>(
      `select value from setting where name = 'branding'`,
    );
    if (JSON.stringify(row?.value ?? {}) === JSON.stringify(changed)) return;
    adopt(row?.value ?? {});
  };
  const reload = () =>
    void load().catch((error: unknown) => log.warn({ err: error }, 'the branding could not be read'));
  await load();
  bus.subscribe(topic, reload);
  setInterval(reload, reloadMilliseconds).unref();

  return Object.assign(() => branding, {
    async change(parts: Partial<BrandingInput>) {
      const value = { ...changed, ...parts };
      const { brand, corrections } = createBranding({ ...configured, ...value });
      if (brand !== branding.brand && corrections.length > 0)
        log.warn({ corrections }, 'colours are changed to stay readable');
      await db.query(
        `insert into setting (name, value, updated_at) values ('branding', $1, $2)
         on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at`,
        [JSON.stringify(value), clock.now()],
      );
      await bus.publish(topic);
      // The page that answers shows it already; others hear of it.
      db.afterCommit(() => adopt(value));
    },
  });
}
