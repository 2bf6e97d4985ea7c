import type { Jar } from './visitor.ts';

export type Step =
  | {
      kind: 'fixed';
      method: 'GET' | 'POST';
      path: string;
      headers?: Record<string, string>;
      body?: string;
      marker?: string;
    }
  /** Takes one of `tokens`, and puts back the one it gets for it. */
  | { kind: 'refresh' }
  /** Takes one of `jars`: a code with the session, and tokens for the code. Two requests. */
  | { kind: 'code' };

export interface Load {
  port: number;
  connections: number;
  seconds: number;
  steps: Step[];
  tokens?: string[];
  jars?: Jar[];
  /** Instead of steps: these sign in with their password, each connection one after the other. */
  people?: { email: string; password: string }[];
}

export interface Measured {
  /** Steps a second; a code with its redemption, and a whole sign-in, count as one. */
  rate: number;
  /** Milliseconds that a request took; for sign-ins, a whole one. */
  p50: number;
  p99: number;
  count: number;
  failures: number;
  /** The first failure. */
  sample?: string;
}

/** @param perStep how many of the times make a step */
export function summary(
  times: number[],
  seconds: number,
  perStep: number,
  failures: number,
  sample?: string,
): Measured {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  const count = Math.floor(times.length / perStep);
  return { rate: count / seconds, p50: at(0.5), p99: at(0.99), count, failures, ...(sample && { sample }) };
}
