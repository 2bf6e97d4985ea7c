import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Once the start is over: keeps what was compiled for the next start, also if this process should be killed, and has
 * the memory that only the start needed given back. V8 let its young generation grow to some 70 MB while modules were
 * loaded, and a process that idles never has a reason to shrink it. One pause of about a tenth of a second, before
 * there is much to pause.
 * @param after seconds
 */
export function settleAfterStart(after = 1): void {
  setTimeout(() => {
    flushCompileCache();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
    collect({ type: 'major', flavor: 'last-resort' });
  }, after * 1000).unref();
}
