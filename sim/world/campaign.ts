/**
 * Many worlds, one for each seed, on all cores: what they came to in all, and which of them went wrong. What a seed comes to
 * depends on nothing but the seed, so neither do the sums on how many cores there were. Measures no time.
 */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { BrokerKind } from './broker-process.ts';
import { FAULT_NAMES, type FaultKind } from './faults.ts';
import { runWorld, type WorldOptions, type WorldResult } from './world.ts';

export interface CampaignOptions {
  /** First and last seed. */
  readonly from: number;
  readonly to: number;
  /** What all worlds have in common: see WorldOptions. */
  readonly devices?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly faultKinds?: readonly FaultKind[] | undefined;
  readonly broker?: BrokerKind | undefined;
  /** How many threads; 0: none but this. Default: as many as there are cores, and seeds. */
  readonly workers?: number | undefined;
  /** What a thread runs: campaign-worker, built. Default: that beside this file, or null, no threads, if this is not built. */
  readonly workerUrl?: URL | null | undefined;
  /** What runs a world in this thread; default runWorld. With it there is no other thread. */
  readonly run?: ((options: WorldOptions) => Promise<WorldResult>) | undefined;
  /** Aborted: no more seeds; those that have begun go on to their end. */
  readonly signal?: AbortSignal | undefined;
}

export interface CampaignObserver {
  /** After every seed. The totals are the campaign's own: they go on changing. */
  handleProgress?(totals: Totals): void;
  /** A world in which a rule was broken, as soon as that is known. */
  handleFailure?(result: WorldResult): void;
}

/** Sums over seeds. */
export interface Totals {
  seeds: number;
  /** Seeds in which a rule was broken. */
  failed: number;
  /** Seeds whose broker was the naive one. */
  naiveSeeds: number;
  virtualMs: number;
  messages: number;
  arrivals: number;
  duplicates: number;
  packets: number;
  powerCuts: number;
  storeWrites: number;
  /** Faults that befell, by their kind; every kind is there. */
  faults: Record<FaultKind, number>;
  /** Failed seeds by the rule that was broken first. */
  violations: Record<string, number>;
}

export interface CampaignResult {
  totals: Totals;
  /** The failed ones with the lowest seeds, in their order. */
  failures: WorldResult[];
  /** All seeds were run. */
  isComplete: boolean;
}

/** Failures kept; the others are counted. */
const FAILURES_KEPT_MAX = 100;

/** Runs all worlds. Rejects when a thread fails otherwise than by a broken rule. */
export async function runCampaign(
  options: CampaignOptions,
  observer: CampaignObserver = {},
): Promise<CampaignResult> {
  const campaign = new Campaign(options, observer);
  const count = options.to - options.from + 1;
  const { run, workerUrl = besideThis(), workers = availableParallelism() } = options;
  const threads = Math.min(workers, count);
  if (run !== undefined || workerUrl === null || threads < (options.workers === undefined ? 2 : 1)) {
    await campaign.runHere(run ?? runWorld);
  } else {
    await Promise.all(Array.from({ length: threads }, () => campaign.runThread(workerUrl)));
  }
  return campaign.result();
}

/** Only what is built can be run by a thread. */
function besideThis(): URL | null {
  return import.meta.url.endsWith('.js') ? new URL('./campaign-worker.js', import.meta.url) : null;
}

export function noTotals(): Totals {
  return {
    seeds: 0,
    failed: 0,
    naiveSeeds: 0,
    virtualMs: 0,
    messages: 0,
    arrivals: 0,
    duplicates: 0,
    packets: 0,
    powerCuts: 0,
    storeWrites: 0,
    faults: Object.fromEntries(FAULT_NAMES.map((kind) => [kind, 0])) as Record<FaultKind, number>,
    violations: {},
  };
}

const SUMMED = [
  'virtualMs',
  'messages',
  'arrivals',
  'duplicates',
  'packets',
  'powerCuts',
  'storeWrites',
] as const;

export function addResult(totals: Totals, result: WorldResult): void {
  totals.seeds++;
  if (result.broker === 'naive') totals.naiveSeeds++;
  for (const name of SUMMED) totals[name] += result[name];
  for (const { kind, atMs } of result.faults) {
    if (atMs <= result.virtualMs) totals.faults[kind]++;
  }
  const rule = result.violations.at(0)?.rule;
  if (rule === undefined) return;
  totals.failed++;
  totals.violations[rule] = (totals.violations[rule] ?? 0) + 1;
}

class Campaign {
  private readonly options: CampaignOptions;
  private readonly observer: CampaignObserver;
  private readonly totals = noTotals();
  private readonly failures: WorldResult[] = [];
  private nextSeed: number;
  private hasFailed = false;

  constructor(options: CampaignOptions, observer: CampaignObserver) {
    this.options = options;
    this.observer = observer;
    this.nextSeed = options.from;
  }

  /** The next world to run, or null when there is none. */
  private next(): WorldOptions | null {
    const { to, devices, durationMs, faultKinds, broker, signal } = this.options;
    if (this.nextSeed > to || this.hasFailed || signal?.aborted) return null;
    return { seed: this.nextSeed++, devices, durationMs, faultKinds, broker };
  }

  async runHere(run: (options: WorldOptions) => Promise<WorldResult>): Promise<void> {
    for (let options = this.next(); options !== null; options = this.next()) {
      this.take(await run(options));
      // Signals, and whoever shows the progress.
      await setImmediate();
    }
  }

  /** Runs worlds in a thread until there are no more. */
  runThread(url: URL): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(url);
      let seed = -1;
      const goOn = (): void => {
        const options = this.next();
        if (options === null) {
          void worker.terminate().then(() => resolve());
        } else {
          seed = options.seed;
          worker.postMessage(options);
        }
      };
      worker.on('message', (result: WorldResult) => {
        this.take(result);
        goOn();
      });
      worker.on('error', (error) => {
        this.hasFailed = true;
        reject(
          new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          }),
        );
      });
      goOn();
    });
  }

  private take(result: WorldResult): void {
    addResult(this.totals, result);
    if (result.violations.length > 0) {
      const { failures } = this;
      failures.push(result);
      failures.sort((a, b) => a.seed - b.seed);
      failures.splice(FAILURES_KEPT_MAX);
      this.observer.handleFailure?.(result);
    }
    this.observer.handleProgress?.(this.totals);
  }

  result(): CampaignResult {
    const { totals, failures } = this;
    const { from, to } = this.options;
    return { totals, failures, isComplete: totals.seeds === to - from + 1 };
  }
}
