/**
 * Shows how far a build is. On a terminal: one line, written over itself. Elsewhere: a line when a phase begins and at
 * every quarter of one that tells its percentage, so that a log stays readable.
 */
import pc from 'picocolors';
import { wantsColour, type ProgressStream } from '../../sim/fleet/progress.ts';
import { cleanText, fitText } from '../../sim/fleet/format.ts';
import type { Phase, Progress } from './flash-output.ts';

const PHASE_COLUMNS = 15;
const BAR_COLUMNS = 20;
const CLEAR_LINE = '\r\u001b[2K';
/** More often nobody can read it. */
const REDRAW_MS_MIN = 50;

/** One line about `progress`, without colours. */
export function renderProgress({ phase, what, percent }: Progress, count: number): string {
  const name = phase.padEnd(PHASE_COLUMNS);
  if (percent === undefined) return `${name}  ${String(count).padStart(4)}  ${what}`;
  const filled = Math.round((percent * BAR_COLUMNS) / 100);
  const bar = '━'.repeat(filled) + '─'.repeat(BAR_COLUMNS - filled);
  return `${name}  ${bar} ${String(percent).padStart(3)} %  ${what}`;
}

export class FlashView {
  private readonly stream: ProgressStream;
  private readonly paint: ReturnType<typeof pc.createColors>;
  private readonly canRedraw: boolean;
  private readonly now: () => number;
  private readonly counts = new Map<Phase, number>();
  private isLineOpen = false;
  private drawnAtMs = -Infinity;
  private drawnPhase: Phase | undefined = undefined;
  private told: { phase: Phase; percent: number } | undefined = undefined;

  /** @param isPlain no line is written over: what else is printed would end up in it */
  constructor(
    stream: ProgressStream,
    env: NodeJS.ProcessEnv,
    isPlain: boolean,
    now: () => number = () => performance.now(),
  ) {
    this.stream = stream;
    this.paint = pc.createColors(wantsColour(stream, env));
    this.canRedraw = stream.isTTY === true && env['TERM'] !== 'dumb' && !isPlain;
    this.now = now;
  }

  update(progress: Progress): void {
    const count = (this.counts.get(progress.phase) ?? 0) + 1;
    this.counts.set(progress.phase, count);
    if (!this.canRedraw) {
      this.tell(progress, count === 1);
      return;
    }
    const nowMs = this.now();
    const isDue = nowMs - this.drawnAtMs >= REDRAW_MS_MIN || progress.phase !== this.drawnPhase;
    if (!isDue && progress.percent !== 100) return;
    this.drawnAtMs = nowMs;
    this.drawnPhase = progress.phase;
    // 0 where a terminal does not know; one is left free, for some wrap when the last one is written.
    const columns = (this.stream.columns || 80) - 1;
    const line = fitText(cleanText(renderProgress(progress, count)), columns);
    this.stream.write(CLEAR_LINE + line.replace(progress.phase, this.paint.bold(progress.phase)));
    this.isLineOpen = true;
  }

  /** A line that stays. */
  note(text: string): void {
    this.clear();
    this.stream.write(`${cleanText(text)}\n`);
  }

  /** As {@link note}, for what went well. */
  done(text: string): void {
    this.clear();
    this.stream.write(`${this.paint.green(cleanText(text))}\n`);
  }

  /** Takes the line away. Safe to repeat. */
  clear(): void {
    if (this.isLineOpen) this.stream.write(CLEAR_LINE);
    this.isLineOpen = false;
  }

  private tell({ phase, what, percent }: Progress, isFirst: boolean): void {
    if (percent === undefined) {
      if (isFirst) this.stream.write(`${phase}\n`);
      return;
    }
    // Several files are flashed, each from 0 to 100.
    const { told } = this;
    const isSame = told?.phase === phase && told.percent <= percent && told.percent < 100;
    const before = isSame ? told.percent : 0;
    const quarter = Math.floor(percent / 25);
    if (quarter > Math.floor(before / 25)) {
      this.stream.write(`${phase} ${percent} %${phase === 'flash' ? ` at ${what}` : ''}\n`);
    }
    this.told = { phase, percent };
  }
}
