/**
 * What `motemq sim` says in the end: what the worlds came to, the verdict, and of a world that went wrong everything that
 * helps to find out why. Lines of text; knows no files and runs nothing.
 */
import pc from 'picocolors';
import { cleanText, formatCompact, formatCount, formatDuration } from '../../sim/fleet/format.ts';
import type { CampaignResult, Totals } from '../../sim/world/campaign.ts';
import { FAULT_NAMES, formatFault } from '../../sim/world/faults.ts';
import type { Violation } from '../../sim/world/ledger.ts';
import type { WorldResult } from '../../sim/world/world.ts';
import { faultCount } from './sim-view.ts';

const COLUMNS = 92;
const LABEL_COLUMNS = 10;
/** Failed seeds named one by one. */
const FAILURES_SHOWN_MAX = 10;
/** Of the trace, up to the violation. */
const TRACE_LINES_SHOWN = 25;

type Paint = ReturnType<typeof pc.createColors>;

/** What was run, beside the result. */
export interface Circumstances {
  /** `seeds 1..200`. */
  readonly what: string;
  readonly devices: number;
  readonly durationMs: number;
  readonly elapsedMs: number;
}

/** `01:02:03.456`. */
export function formatVirtualTime(ms: number): string {
  const padded = (value: number, digits: number): string => String(Math.floor(value)).padStart(digits, '0');
  return `${padded(ms / 3_600_000, 2)}:${padded((ms / 60_000) % 60, 2)}:${padded((ms / 1000) % 60, 2)}.${padded(ms % 1000, 3)}`;
}

/** The sums and the verdict. */
export function renderVerdict(result: CampaignResult, where: Circumstances, colour: boolean): string[] {
  const paint = pc.createColors(colour);
  const { totals, failures, isComplete } = result;
  const { what, devices, durationMs, elapsedMs } = where;
  const each = totals.seeds === 1 ? '' : ' each';
  const lines = [
    `${what}: ${count(devices, 'device')}, ${formatDuration(durationMs)} of faults${each}, and time to recover`,
    '',
    ...labelled('faults', faultPieces(totals), paint),
    ...labelled('messages', messagePieces(totals), paint),
    ...labelled('devices', devicePieces(totals), paint),
    ...labelled('brokers', brokerPieces(totals), paint),
    ...labelled('time', [timeText(totals, elapsedMs)], paint),
    '',
  ];
  if (!isComplete) lines.push(paint.yellow(`ended early, after ${count(totals.seeds, 'seed')}`));
  if (totals.failed === 0) {
    lines.push(paint.green(`✔ no violation in ${count(totals.seeds, 'seed')}`));
    return lines;
  }
  lines.push(paint.red(`✖ ${failedText(totals)}`));
  for (const { seed, violations } of failures.slice(0, FAILURES_SHOWN_MAX)) {
    lines.push(`  seed ${seed}  ${oneLine(violations[0])}`);
  }
  if (totals.failed > FAILURES_SHOWN_MAX) lines.push(`  and ${totals.failed - FAILURES_SHOWN_MAX} more`);
  return lines;
}

/** `qos2-twice: …`, the first line of it. */
export function oneLine({ rule, text }: Violation): string {
  return `${rule}: ${cleanText(text.split('\n')[0])}`;
}

function failedText(totals: Totals): string {
  const rules = Object.entries(totals.violations)
    .sort(([, a], [, b]) => b - a)
    .map(([rule, times]) => `${rule} ${formatCount(times)}`);
  const verb = totals.seeds === 1 ? 'went wrong' : `of ${formatCount(totals.seeds)} went wrong`;
  return `${totals.seeds === 1 ? 'it' : formatCount(totals.failed)} ${verb}: ${rules.join(', ')}`;
}

function faultPieces(totals: Totals): string[] {
  const kinds = FAULT_NAMES.filter((kind) => totals.faults[kind] > 0).sort(
    (a, b) => totals.faults[b] - totals.faults[a],
  );
  const total = formatCount(faultCount(totals));
  return [
    kinds.length === 0 ? total : `${total}:`,
    ...kinds.map((kind, index) => {
      const isLast = index === kinds.length - 1;
      return `${kind} ${formatCount(totals.faults[kind])}${isLast ? '' : ','}`;
    }),
  ];
}

function messagePieces({ messages, arrivals, duplicates, packets }: Totals): string[] {
  return [
    `${formatCount(messages)} published,`,
    `${formatCount(arrivals)} arrived,`,
    `${formatCount(duplicates)} of them again;`,
    `${formatCount(packets)} packets`,
  ];
}

function devicePieces({ powerCuts, storeWrites }: Totals): string[] {
  return [`${formatCount(powerCuts)} power cuts,`, `${formatCount(storeWrites)} writes to their stores`];
}

function brokerPieces({ seeds, naiveSeeds }: Totals): string[] {
  return [`ours in ${count(seeds - naiveSeeds, 'world')},`, `the naive one in ${formatCount(naiveSeeds)}`];
}

function timeText({ virtualMs }: Totals, elapsedMs: number): string {
  const seconds = virtualMs / 1000;
  const perSecond = elapsedMs > 0 ? formatCompact((seconds * 1000) / elapsedMs) : '–';
  const hours = formatCount(virtualMs / 3_600_000);
  return `${hours} h of theirs in ${formatDuration(elapsedMs)} of ours: ${perSecond} virtual seconds a second`;
}

/** Pieces in as many lines as they need, behind a label. */
function labelled(label: string, pieces: readonly string[], paint: Paint): string[] {
  const rows: string[] = [];
  let row = '';
  for (const piece of pieces) {
    const longer = row === '' ? piece : `${row} ${piece}`;
    if (row !== '' && LABEL_COLUMNS + longer.length > COLUMNS) {
      rows.push(row);
      row = piece;
    } else {
      row = longer;
    }
  }
  return [...rows, row].map(
    (text, index) => paint.dim((index === 0 ? label : '').padEnd(LABEL_COLUMNS)) + text,
  );
}

/** What is told of one world that went wrong. */
export interface FailureDetails {
  /** Shrunk, if it was. */
  readonly result: WorldResult;
  /** Faults that it had before, and worlds run to shrink it; null when it was not. */
  readonly shrunk: { readonly before: number; readonly runs: number } | null;
  /** What runs it again. */
  readonly command: string;
  /** Where the schedule was written; undefined when it was not. */
  readonly file?: string | undefined;
}

export function renderFailure(details: FailureDetails, colour: boolean): string[] {
  const paint = pc.createColors(colour);
  const { result, shrunk, command, file } = details;
  const { seed, violations, faults, tail } = result;
  const [first] = violations;
  const shown = tail.slice(-TRACE_LINES_SHOWN);
  const [text, ...more] = first.text.split('\n').map(cleanText);
  return [
    `${paint.bold(`seed ${seed}`)}: ${paint.red(first.rule)} at ${formatVirtualTime(first.atMs)} (${first.atMs} ms)`,
    `  ${text}`,
    ...more.map((line) => `  ${paint.dim(line)}`),
    '',
    scheduleTitle(faults.length, shrunk),
    ...faults.map((fault) => `  ${formatFault(fault)}`),
    '',
    `the trace up to it, its last ${count(shown.length, 'line')}:`,
    ...shown.map((line) => `  ${paintTrace(cleanText(line), paint)}`),
    '',
    ...(file === undefined ? [] : [`the schedule is in ${file}`]),
    `again, with all of the trace: ${paint.bold(command)}`,
  ];
}

function scheduleTitle(left: number, shrunk: FailureDetails['shrunk']): string {
  if (shrunk === null)
    return `${count(left, 'fault')} until then: at (ms), what, which device, how long (ms)`;
  const from = `of ${formatCount(shrunk.before)} until then, after ${count(shrunk.runs, 'run')}`;
  if (left === 0) return `no fault is needed, ${from}`;
  return `${count(left, 'fault')} ${left === 1 ? 'is' : 'are'} enough, ${from}: at (ms), what, which device, how long (ms)`;
}

function paintTrace(line: string, paint: Paint): string {
  if (line.includes(' VIOLATION ')) return paint.red(line);
  return line.includes(' FAULT ') ? paint.yellow(line) : paint.dim(line);
}

/** `1 seed`, `2,000 seeds`. */
export function count(value: number, what: string): string {
  return `${formatCount(value)} ${what}${value === 1 ? '' : 's'}`;
}
