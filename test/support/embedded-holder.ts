import { DatabaseFault, startEmbedded } from '../../src/platform/db/embedded.ts';
import { silentLog } from '../../src/platform/log.ts';

// A process of its own for the tests of the embedded database: starts it, says how that went, and holds it.

const [dataDir = '', how] = process.argv.slice(2);
const tell = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);
try {
  const started = performance.now();
  const { url, reused, stop } = await startEmbedded({ dataDir, log: silentLog, share: how === 'share' });
  tell({ url, reused, ms: Math.round(performance.now() - started) });
  if (how === 'crash') throw new Error('a bug');
  if (how === 'hold') setInterval(() => {}, 60_000);
  else await stop();
} catch (error) {
  if (!(error instanceof DatabaseFault)) throw error;
  tell({ code: error.code, message: error.message, ...error.details });
  process.exitCode = 1;
}
