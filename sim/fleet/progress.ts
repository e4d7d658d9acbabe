/**
 * The live view of a run. On a terminal: a block of six or seven lines redrawn in place. Elsewhere: one plain line a second, so
 * that a log stays readable. Draws what a snapshot says; measures nothing itself.
 */
import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import {
  cleanText,
  fitText,
  formatClock,
  formatCount,
  formatDuration,
  formatLatency,
  sparkline,
  textWidth,
} from './format.ts';

/** The state of a run at one moment. Counters are since the start. */
export interface ProgressSnapshot {
  phase: 'connecting' | 'running' | 'draining' | 'done';
  /** What devices run and what it takes, in a few words, where they run firmware. */
  firmware?: string | undefined;
  elapsedMs: number;
  /** What `elapsedMs` runs up to; 0 if there is no end. */
  durationMs: number;
  devices: number;
  connected: number;
  sent: number;
  delivered: number;
  /** Messages of the last full intervals, oldest first; the last value is the rate shown, so intervals are a second. */
  sentPerSecond: readonly number[];
  deliveredPerSecond: readonly number[];
  inFlight: number;
  /** Of the last interval; null if nothing was delivered. */
  latencyP50Ms: number | null;
  latencyP99Ms: number | null;
  /** Missing though a later message of the device arrived: the ledger's `overtaken`. */
  lost: number;
  duplicated: number;
  outOfOrder: number;
  reconnects: number;
  /** Refused, failed and lost connections. */
  errors: number;
}

/** A block wider than this is harder to read, not easier. */
const BLOCK_COLUMNS_MAX = 92;
const LABEL_COLUMNS = 11;
const RATE_COLUMNS = 9;
const COUNT_COLUMNS = 13;

type Paint = (text: string) => string;
/** A piece of a line and how it is painted. Widths are taken before paint, so colour never changes the layout. */
type Piece = readonly [text: string, paint?: Paint];

/**
 * Draws the block: six lines, with firmware seven, none wider than `columns`.
 *
 * @param columns of the terminal, at least 1
 * @param colour false gives text without any escape sequence
 */
export function renderProgress(snapshot: ProgressSnapshot, columns: number, colour: boolean): string {
  const paint = pc.createColors(colour);
  const width = Math.min(columns, BLOCK_COLUMNS_MAX);
  const label = (text: string): Piece => [text.padEnd(LABEL_COLUMNS), paint.dim];
  const alarm = (text: string, value: number, wrong: Paint): Piece[] => [
    [`   ${text} `, paint.dim],
    [formatCount(value), value > 0 ? wrong : undefined] as Piece,
  ];
  const rates = (name: string, perSecond: readonly number[], total: number, colourOf: Paint): Piece[] => {
    const rate = `${formatCount(perSecond.at(-1) ?? 0)}/s`.padStart(RATE_COLUMNS);
    const sparkColumns = Math.max(0, width - LABEL_COLUMNS - RATE_COLUMNS - COUNT_COLUMNS - 2);
    const sparks = sparkColumns > 0 ? sparkline(perSecond, sparkColumns).padStart(sparkColumns) : '';
    return [
      label(name),
      [rate, paint.bold],
      [`  ${sparks}`, colourOf],
      [formatCount(total).padStart(COUNT_COLUMNS), paint.dim],
    ];
  };
  const isAllConnected = snapshot.connected === snapshot.devices;
  const lines: Piece[][] = [
    renderBar(snapshot, width, paint),
    [
      label('devices'),
      [formatCount(snapshot.connected), isAllConnected ? paint.green : paint.yellow],
      [` of ${formatCount(snapshot.devices)} connected`],
      ...alarm('reconnects', snapshot.reconnects, paint.yellow),
      ...alarm('errors', snapshot.errors, paint.red),
    ],
    rates('sent', snapshot.sentPerSecond, snapshot.sent, paint.blue),
    rates('delivered', snapshot.deliveredPerSecond, snapshot.delivered, paint.cyan),
    [
      label('latency'),
      ['p50 ', paint.dim],
      [formatLatency(snapshot.latencyP50Ms).padEnd(8)],
      ['  p99 ', paint.dim],
      [formatLatency(snapshot.latencyP99Ms).padEnd(8)],
      ['  in flight ', paint.dim],
      [formatCount(snapshot.inFlight)],
    ],
    [
      label('missing'),
      [formatCount(snapshot.lost), snapshot.lost > 0 ? paint.red : paint.green],
      ...alarm('duplicated', snapshot.duplicated, paint.yellow),
      ...alarm('out of order', snapshot.outOfOrder, paint.yellow),
    ],
  ];
  if (snapshot.firmware !== undefined)
    lines.splice(1, 0, [label('firmware'), [cleanText(snapshot.firmware)]]);
  return lines.map((line) => joinPieces(line, width)).join('\n');
}

/** The same snapshot as one line without escape sequences, for logs: `key=value`, in a fixed order. */
export function renderPlainProgress(snapshot: ProgressSnapshot): string {
  const latency = (value: number | null): string => formatLatency(value).replace(' ', '');
  return [
    formatClock(snapshot.elapsedMs),
    snapshot.phase.padEnd(10),
    `connected=${snapshot.connected}/${snapshot.devices}`,
    `sent=${snapshot.sent} (${snapshot.sentPerSecond.at(-1) ?? 0}/s)`,
    `delivered=${snapshot.delivered} (${snapshot.deliveredPerSecond.at(-1) ?? 0}/s)`,
    `in-flight=${snapshot.inFlight}`,
    `p50=${latency(snapshot.latencyP50Ms)}`,
    `p99=${latency(snapshot.latencyP99Ms)}`,
    `missing=${snapshot.lost}`,
    `duplicated=${snapshot.duplicated}`,
    `reconnects=${snapshot.reconnects}`,
    `errors=${snapshot.errors}`,
    ...(snapshot.firmware === undefined ? [] : [`firmware=${JSON.stringify(cleanText(snapshot.firmware))}`]),
  ].join(' ');
}

/** While connecting the bar is the ramp, after that it is time. */
function renderBar(
  snapshot: ProgressSnapshot,
  width: number,
  paint: ReturnType<typeof pc.createColors>,
): Piece[] {
  const isConnecting = snapshot.phase === 'connecting';
  const whole = isConnecting ? snapshot.devices : snapshot.durationMs;
  const done = isConnecting ? snapshot.connected : snapshot.elapsedMs;
  const part = whole > 0 ? Math.min(1, Math.max(0, done / whole)) : 0;
  const elapsed = formatDuration(snapshot.elapsedMs);
  const right = snapshot.durationMs > 0 ? `${elapsed} of ${formatDuration(snapshot.durationMs)}` : elapsed;
  const name = snapshot.phase.padEnd(LABEL_COLUMNS);
  const barColumns = Math.max(0, width - textWidth(name) - textWidth(right) - 2);
  const filled =
    snapshot.phase === 'draining' || snapshot.phase === 'done' ? barColumns : Math.round(part * barColumns);
  return [
    [name, paint.bold],
    ['━'.repeat(filled), isConnecting ? paint.yellow : paint.green],
    ['─'.repeat(barColumns - filled), paint.dim],
    [`  ${right}`],
  ];
}

function joinPieces(pieces: readonly Piece[], width: number): string {
  let line = '';
  let room = width;
  for (const [text, paint] of pieces) {
    if (room <= 0) break;
    const fitted = fitText(text, room);
    line += paint === undefined ? fitted : paint(fitted);
    room -= textWidth(fitted);
    if (fitted !== text) break;
  }
  return line;
}

/** The part of a stream the view needs; `process.stderr` is one. */
export type ProgressStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/** Whether to colour output on `stream`: NO_COLOR wins, then FORCE_COLOR, then whether it is a capable terminal. */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const PLAIN_LINE_INTERVAL_MS = 1000;

/** Shows a run on a stream. Call `update` as often as wanted, `finish` once: until then the cursor may be hidden. */
export class ProgressView {
  private readonly stream: ProgressStream;
  private readonly colour: boolean;
  private readonly draw: ReturnType<typeof createLogUpdate> | undefined;
  private readonly restoreOnExit = (): void => this.showCursor();
  private readonly restoreOnSignal = (signal: NodeJS.Signals): void => {
    this.showCursor();
    // Listening has switched off the signal's own effect. Where nobody else listens either, it is to end the process.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  private isCursorHidden = false;
  private lastPlainMs = -Infinity;
  private lastPhase = '';

  /** @param stream standard error, usually: standard output then stays free for the result */
  constructor(stream: ProgressStream, env: NodeJS.ProcessEnv = process.env) {
    this.stream = stream;
    this.colour = wantsColour(stream, env);
    // log-update hides the cursor on stderr whatever stream it draws on, so the cursor is handled here.
    const canRedraw = stream.isTTY === true && env['TERM'] !== 'dumb';
    this.draw = canRedraw ? createLogUpdate(stream, { showCursor: true }) : undefined;
  }

  /** Redraws the block; without a terminal writes a line when the last one is a second old or the phase changed. */
  update(snapshot: ProgressSnapshot): void {
    if (this.draw !== undefined) {
      this.hideCursor();
      this.draw(renderProgress(snapshot, this.columns(), this.colour));
      return;
    }
    const isDue = snapshot.elapsedMs - this.lastPlainMs >= PLAIN_LINE_INTERVAL_MS;
    if (!isDue && snapshot.phase === this.lastPhase) return;
    this.lastPlainMs = snapshot.elapsedMs;
    this.lastPhase = snapshot.phase;
    this.stream.write(`${renderPlainProgress(snapshot)}\n`);
  }

  /** Writes a line that stays, above the block: something happened. */
  note(text: string): void {
    const line = cleanText(text);
    if (this.draw === undefined) this.stream.write(`${line}\n`);
    else this.draw.persist(fitText(line, this.columns()));
  }

  /** Ends the view, with the block cleared (the summary follows it), and gives the cursor back. Safe to repeat. */
  finish(): void {
    this.draw?.clear();
    this.draw?.done();
    this.showCursor();
  }

  private columns(): number {
    // One column is left free: some terminals wrap when the last one is written.
    return Math.max(1, (this.stream.columns ?? 80) - 1);
  }

  private hideCursor(): void {
    if (this.isCursorHidden) return;
    this.isCursorHidden = true;
    this.stream.write(HIDE_CURSOR);
    process.once('exit', this.restoreOnExit);
    process.once('SIGINT', this.restoreOnSignal);
    process.once('SIGTERM', this.restoreOnSignal);
  }

  private showCursor(): void {
    if (!this.isCursorHidden) return;
    this.isCursorHidden = false;
    this.stream.write(SHOW_CURSOR);
    process.off('exit', this.restoreOnExit);
    process.off('SIGINT', this.restoreOnSignal);
    process.off('SIGTERM', this.restoreOnSignal);
  }
}
