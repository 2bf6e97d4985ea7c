import cluster from 'node:cluster';
import { enableCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';

// Stripping types and compiling again at each start would take longer than all the rest of it. `start.js` has done it already.
enableCompileCache();

const { keepTicks } = await import('./platform/ticks.ts');
keepTicks();

const { ConfigurationFault, loadSettings } = await import('./platform/config/index.ts');

try {
  const settings = loadSettings();
  const { processes } = settings.cluster;
  const wanted = processes === 'cores' ? availableParallelism() : processes;
  const { runPrimary, runProcess } = await import('./process.ts');
  if (cluster.isWorker) await runProcess(settings);
  else await runPrimary(settings, wanted);
} catch (error) {
  // A fault of the operator's is told in their words; anything else is a bug and shows where.
  const plain =
    error instanceof ConfigurationFault ||
    ['DatabaseFault', 'ProvisionFault', 'BrandingFault', 'ListenFault'].includes((error as Error).name);
  console.error(plain ? `\n${(error as Error).message}\n` : error);
  process.exit(1);
}
