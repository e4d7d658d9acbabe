/**
 * One trial: a world with one defect in it, seeds from 1 on, until a checker says something or the seeds that the defect
 * has are over.
 */
import { Worker } from 'node:worker_threads';
import type { Defect } from './defect.ts';
import { buildTrial } from './patched-world.ts';
import type { TrialMessage, TrialOrder } from './trial-worker.ts';

/** Milliseconds that one seed may take: what takes longer hangs, in a loop that no checker gets to see the end of. */
const SEED_MS_MAX = 20_000;

export interface TrialResult {
  readonly defect: Defect;
  /** The rule that found it, or null. */
  readonly rule: string | null;
  /** Whether that is one of those that may. */
  readonly isExpected: boolean;
  /** The seed that it was found at, or the last one. */
  readonly seed: number;
  readonly text: string;
  readonly ms: number;
}

/** Looks for the defect; `seedsMax` instead of what it says itself. */
export async function runTrial(defect: Defect, seedsMax = defect.seedsMax): Promise<TrialResult> {
  const begunMs = performance.now();
  const program = await buildTrial(defect);
  const { seed, rule, text } = await runSeeds(program, { firstSeed: 1, lastSeed: seedsMax });
  const isExpected = rule !== null && defect.rules.includes(rule);
  return { defect, rule, isExpected, seed, text, ms: performance.now() - begunMs };
}

/** Runs a program of `buildTrial`. Resolves to its last message; a seed that does not end counts as the rule `hang`. */
export function runSeeds(program: string, order: TrialOrder): Promise<TrialMessage> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { eval: true, workerData: order });
    let watchdog: NodeJS.Timeout | undefined;
    const end = (message: TrialMessage): void => {
      clearTimeout(watchdog);
      resolve(message);
      void worker.terminate();
    };
    worker.on('message', (message: TrialMessage) => {
      if (message.isOver) {
        end(message);
        return;
      }
      clearTimeout(watchdog);
      const text = `seed ${message.seed} does not end`;
      watchdog = setTimeout(() => end({ ...message, isOver: true, rule: 'hang', text }), SEED_MS_MAX);
    });
    worker.on('error', reject);
  });
}
