import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
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
      const found = await find();
      if (!found) continue;
      const browser = await chromium.launch({ executablePath: found.path, args, headless: true });
      // At the end of the process: Chromium's helpers hold on to their files for a moment after it has closed.
      if (found.leftover) process.once('exit', () => rmSync(found.leftover!, { recursive: true, force: true }));
      return browser;
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

interface Found {
  path: string;
  /** To be removed when it has ended. */
  leftover?: string;
}

async function installed(): Promise<Found | undefined> {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const places = (process.env.PATH ?? '').split(delimiter);
  const wished = process.env.CHROMIUM_PATH ? [process.env.CHROMIUM_PATH] : [];
  const path = [...wished, ...names.flatMap((name) => places.map((place) => join(place, name)))].find(isProgram);
  return path ? { path } : undefined;
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
async function bundled(): Promise<Found> {
  const { TMPDIR } = process.env;
  const leftover = mkdtempSync(join(tmpdir(), 'cardea-chromium-'));
  process.env.TMPDIR = leftover;
  try {
    const { default: packed } = await import('@sparticuz/chromium');
    return { path: await packed.executablePath(), leftover };
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}
