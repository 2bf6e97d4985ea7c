import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

// Cleans up after a test run that was killed. Its standard input closes when the run is gone, however it went: then it
// ends the servers it was told of, unless the run has said that it stopped them itself, and removes their files.

const [home = ''] = process.argv.slice(2);
let killed = true;
let servers: { pid: number; signal: NodeJS.Signals }[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  const [pid, signal] = line.split(' ');
  if (line === 'stopped') {
    servers = [];
    killed = false;
  } else servers.push({ pid: Number(pid), signal: signal as NodeJS.Signals });
}
for (const { pid, signal } of servers) {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}
// More than once: a server that is just ending, or that was just starting, still writes.
for (let attempt = 0; attempt < 10; attempt++) {
  try {
    rmSync(home, { recursive: true, force: true });
  } catch {
    // The next time.
  }
  if (killed) await sleep(500);
}
