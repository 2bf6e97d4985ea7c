import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Nothing of the machine's network or disk is needed, and nothing is asked of the vendor's servers. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
];

/**
 * Chromium without a window: the one installed on the system, else the one from npm.
 * @throws when neither runs: tests say so loudly and skip, see `browserOrSkip`
 */
export async function launchBrowser(): Promise<Browser> {
  const faults: string[] = [];
  for (const find of [installed, bundled]) {
    try {
      const executablePath = await find();
      if (executablePath) return await chromium.launch({ executablePath, args, headless: true });
    } catch (error) {
      faults.push(String((error as Error).message).split('\n')[0] ?? '');
    }
  }
  throw new Error(`No Chromium runs here. ${faults.join(' ')}`);
}

/** The browser, or undefined with a line nobody overlooks. */
export async function browserOrSkip(what: string): Promise<Browser | undefined> {
  try {
    return await launchBrowser();
  } catch (error) {
    console.warn(`\n  SKIPPED: ${what}. ${(error as Error).message}\n`);
    return undefined;
  }
}

async function installed(): Promise<string | undefined> {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const places = (process.env.PATH ?? '').split(delimiter);
  const wished = process.env.CHROMIUM_PATH ? [process.env.CHROMIUM_PATH] : [];
  return [...wished, ...names.flatMap((name) => places.map((place) => join(place, name)))].find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Unpacks itself into TMPDIR; one of our own, so that another user's leftovers are not in the way. */
async function bundled(): Promise<string> {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'cardea-chromium-'));
  try {
    const { default: packed } = await import('@sparticuz/chromium');
    return await packed.executablePath();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}
