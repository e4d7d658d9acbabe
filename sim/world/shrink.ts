/**
 * Makes the schedule of faults of a world that went wrong smaller, as long as the same rule is broken: half of them are
 * left out, then fewer and fewer, then single ones; what is left is shortened. The same world shrinks to the same schedule.
 * Knows nothing of what faults do.
 */
import type { Fault } from './faults.ts';
import { runWorld, type WorldOptions, type WorldResult } from './world.ts';

export interface ShrinkBudget {
  /** Worlds to run at most. */
  readonly runsMax: number;
  /** Told after each. */
  readonly onProgress?: ((progress: ShrinkProgress) => void) | undefined;
  /** Aborted: what it has come to so far will do. */
  readonly signal?: AbortSignal | undefined;
  /** What runs a world; default runWorld. */
  readonly run?: ((options: WorldOptions) => Promise<WorldResult>) | undefined;
}

export interface ShrinkProgress {
  readonly runs: number;
  /** How many faults are left. */
  readonly faults: number;
}

/**
 * The smallest schedule found that breaks the rule that `result` broke first, run: its `faults` are the schedule.
 *
 * @param options what `result` came from
 * @param result with at least one violation
 */
export async function shrinkFaults(
  options: WorldOptions,
  result: WorldResult,
  budget: ShrinkBudget,
): Promise<WorldResult> {
  const shrinking = new Shrinking(options, result, budget);
  await shrinking.dropAll();
  await shrinking.dropSome();
  await shrinking.shorten();
  return shrinking.best;
}

class Shrinking {
  best: WorldResult;
  private readonly options: WorldOptions;
  private readonly budget: ShrinkBudget;
  private readonly rule: string | undefined;
  private runs = 0;

  constructor(options: WorldOptions, result: WorldResult, budget: ShrinkBudget) {
    this.options = { ...options, onTrace: undefined };
    this.budget = budget;
    this.rule = result.violations.at(0)?.rule;
    this.best = withoutLaterFaults(result);
  }

  private isOver(): boolean {
    return (
      this.rule === undefined || this.runs >= this.budget.runsMax || this.budget.signal?.aborted === true
    );
  }

  /** Runs the world with these. Returns whether the rule was broken; then they are the best there is. */
  private async isEnough(faults: readonly Fault[]): Promise<boolean> {
    const { run = runWorld, onProgress } = this.budget;
    this.runs++;
    const result = await run({ ...this.options, faults });
    const isBroken = result.violations.at(0)?.rule === this.rule;
    if (isBroken) this.best = withoutLaterFaults(result);
    onProgress?.({ runs: this.runs, faults: this.best.faults.length });
    return isBroken;
  }

  /** Perhaps none is needed. */
  async dropAll(): Promise<void> {
    if (this.best.faults.length > 0 && !this.isOver()) await this.isEnough([]);
  }

  async dropSome(): Promise<void> {
    let count = this.best.faults.length >> 1;
    while (count > 0 && !this.isOver()) {
      const isSmaller = await this.dropEach(count);
      // One that could not be spared may be by now.
      if (count > 1) count >>= 1;
      else if (!isSmaller) break;
    }
  }

  /** Leaves out so many in a row, wherever they can be spared. Returns whether any could. */
  private async dropEach(count: number): Promise<boolean> {
    let isSmaller = false;
    for (let at = 0; at < this.best.faults.length && !this.isOver();) {
      const { faults } = this.best;
      const isSpared = await this.isEnough([...faults.slice(0, at), ...faults.slice(at + count)]);
      if (isSpared) isSmaller = true;
      else at += count;
    }
    return isSmaller;
  }

  /** What lasts is made to last as short as will do, to within an eighth. */
  async shorten(): Promise<void> {
    for (let index = 0; index < this.best.faults.length; index++) {
      let tooShortMs = -1;
      while (index < this.best.faults.length && !this.isOver()) {
        const { faults } = this.best;
        const fault = faults[index];
        if (fault.ms - tooShortMs <= 1 + (fault.ms >> 3)) break;
        const ms = tooShortMs < 0 ? 0 : (tooShortMs + fault.ms) >> 1;
        if (!(await this.isEnough(faults.with(index, { ...fault, ms })))) tooShortMs = ms;
      }
    }
  }
}

/** Without what was to come behind the first violation: it changed nothing. */
function withoutLaterFaults(result: WorldResult): WorldResult {
  const { violations, faults } = result;
  const untilMs = violations.at(0)?.atMs ?? Infinity;
  return { ...result, faults: faults.filter(({ atMs }) => atMs <= untilMs) };
}
