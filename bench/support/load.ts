/**
 * The load generator, a process of its own: reads a {@link Load} as JSON from standard input, runs it and writes a
 * {@link Measured} to standard output. Requests that are known beforehand go through wrk when it is there, others through
 * autocannon; whole sign-ins through visitors.
 */
import { Agent } from 'node:http';
import { text } from 'node:stream/consumers';
import { requests } from './autocannon.ts';
import { type Load, type Measured, summary } from './measured.ts';
import { createVisitor } from './visitor.ts';
import { wrk } from './wrk.ts';

const load = JSON.parse(await text(process.stdin)) as Load;
const measured = load.people ? await signIns(load) : ((await wrk(load)) ?? (await requests(load)));
// Silence is no error to a generator whose patience is longer than its run.
if (measured.count + measured.failures === 0) Object.assign(measured, { failures: 1, sample: 'no answer came' });
process.stdout.write(JSON.stringify(measured), () => process.exit(0));

async function signIns({ port, connections, seconds, people = [] }: Load): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let failures = 0;
  let sample: string | undefined;
  const from = performance.now();
  const until = from + seconds * 1000;
  let turn = 0;
  const loop = async () => {
    while (performance.now() < until) {
      const person = people[turn++ % people.length]!;
      const began = performance.now();
      try {
        await createVisitor(port, agent).signIn(person);
        times.push(performance.now() - began);
      } catch (error) {
        failures += 1;
        sample ??= String(error).slice(0, 300);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  return summary(times, (performance.now() - from) / 1000, 1, failures, sample);
}
