/**
 * Shows how far a campaign of worlds is. On a terminal: one line, written over itself. Elsewhere: a line every few seconds,
 * so that a log stays readable. Measures nothing but how often it draws.
 */
import pc from 'picocolors';
import { cleanText, fitText, formatCompact, formatCount } from '../../sim/fleet/format.ts';
import { wantsColour, type ProgressStream } from '../../sim/fleet/progress.ts';
import type { Totals } from '../../sim/world/campaign.ts';

const BAR_COLUMNS = 20;
const CLEAR_LINE = '\r\u001b[2K';
/** More often nobody can read it. */
const REDRAW_MS_MIN = 100;
const PLAIN_LINE_MS_MIN = 5000;

/** All faults of all kinds. */
export function faultCount({ faults }: Totals): number {
  return Object.values(faults).reduce((sum, count) => sum + count, 0);
}

/** One line, without colours: how far, how fast, and what has come of it. */
export function renderProgress(totals: Totals, seeds: number, elapsedMs: number): string {
  const { seeds: done, virtualMs, failed } = totals;
  const perSecond = (value: number): number => (elapsedMs > 0 ? (value * 1000) / elapsedMs : 0);
  return [
    `${formatCount(done)} of ${formatCount(seeds)} seeds`,
    `${formatCompact(perSecond(done))}/s`,
    `${formatCount(faultCount(totals))} faults`,
    `${formatCompact(perSecond(virtualMs / 1000))} virtual s/s`,
    failed === 0 ? 'no violation' : `${formatCount(failed)} failed`,
  ].join('  ');
}

/** `━━━━──────`. */
function bar(part: number): string {
  const filled = Math.floor(BAR_COLUMNS * part);
  return '━'.repeat(filled) + '─'.repeat(BAR_COLUMNS - filled);
}

export class SimView {
  private readonly stream: ProgressStream;
  private readonly paint: ReturnType<typeof pc.createColors>;
  private readonly canRedraw: boolean;
  private readonly now: () => number;
  private readonly startedMs: number;
  private shownAtMs: number;
  private isLineOpen = false;

  constructor(
    stream: ProgressStream,
    env: NodeJS.ProcessEnv = process.env,
    now: () => number = () => performance.now(),
  ) {
    this.stream = stream;
    this.paint = pc.createColors(wantsColour(stream, env));
    this.canRedraw = stream.isTTY === true && env['TERM'] !== 'dumb';
    this.now = now;
    this.startedMs = now();
    this.shownAtMs = this.canRedraw ? -Infinity : this.startedMs;
  }

  /** Since it was made. */
  elapsedMs(): number {
    return this.now() - this.startedMs;
  }

  /** Draws the totals, unless it has only just done so. */
  update(totals: Totals, seeds: number): void {
    const barOf = (): string => (this.canRedraw ? `${bar(totals.seeds / Math.max(1, seeds))} ` : '');
    this.show(() => barOf() + renderProgress(totals, seeds, this.elapsedMs()));
  }

  /** The same for any line. */
  show(lineOf: () => string): void {
    const nowMs = this.now();
    if (nowMs - this.shownAtMs < (this.canRedraw ? REDRAW_MS_MIN : PLAIN_LINE_MS_MIN)) return;
    this.shownAtMs = nowMs;
    if (!this.canRedraw) {
      this.stream.write(`${lineOf()}\n`);
      return;
    }
    this.stream.write(`${CLEAR_LINE}${this.paint.dim(this.fit(lineOf()))}`);
    this.isLineOpen = true;
  }

  /** Writes a line that stays. */
  note(text: string): void {
    this.finish();
    this.stream.write(`${this.fit(cleanText(text))}\n`);
  }

  /** Takes the line away that is written over. */
  finish(): void {
    if (this.isLineOpen) this.stream.write(CLEAR_LINE);
    this.isLineOpen = false;
  }

  private fit(line: string): string {
    // One column is left free: some terminals wrap when the last one is written.
    return this.canRedraw ? fitText(line, Math.max(1, (this.stream.columns || 80) - 1)) : line;
  }
}
