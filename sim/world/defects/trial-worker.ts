/**
 * The thread that runs a world, seed after seed, until something is found. It says which seed it begins, so that one that
 * never ends can be told from one that is slow. Bundled with a defect by patched-world.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runWorld } from '../world.ts';

/** What the worker is given. */
export interface TrialOrder {
  firstSeed: number;
  lastSeed: number;
}

/** What it says: that a seed begins (`rule` null), or what came of all of them. */
export interface TrialMessage {
  seed: number;
  isOver: boolean;
  /** Of the first violation, `exception` for what was thrown; null for none. */
  rule: string | null;
  text: string;
}

async function run({ firstSeed, lastSeed }: TrialOrder): Promise<void> {
  const say = (message: TrialMessage): void => parentPort?.postMessage(message);
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    say({ seed, isOver: false, rule: null, text: '' });
    try {
      const [first] = (await runWorld({ seed })).violations;
      if (first !== undefined) {
        say({ seed, isOver: true, rule: first.rule, text: first.text });
        return;
      }
    } catch (error) {
      say({ seed, isOver: true, rule: 'exception', text: String(error) });
      return;
    }
  }
  say({ seed: lastSeed, isOver: true, rule: null, text: '' });
}

void run(workerData as TrialOrder);
