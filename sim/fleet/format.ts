/**
 * Numbers and text as people read them, shared by the progress block, the summary and the HTML report. Also the width
 * of text in a terminal. Knows nothing of results or colours.
 */

/** 12345 -> `12,345`. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** At most three digits and a prefix: 950 -> `950`, 12345 -> `12.3k`. */
export function formatCompact(value: number): string {
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T'], '', trimmed);
}

/** Three digits in decimal units: 1234 -> `1.23 kB`, 1200 -> `1.20 kB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB'], ' ', fixed);
}

/** Three digits in the unit that suits: `850 µs`, `1.20 ms`, `12.5 s`. null is `–`. */
export function formatLatency(latencyMs: number | null): string {
  if (latencyMs === null) return '–';
  if (latencyMs < 0.9995) return `${Math.round(latencyMs * 1000)} µs`;
  if (latencyMs < 999.5) return `${fixed(latencyMs)} ms`;
  return `${fixed(latencyMs / 1000)} s`;
}

/** The same without trailing zeros, for an axis: `5 ms`, `2.5 s`. */
export function formatLatencyTick(latencyMs: number): string {
  if (latencyMs < 0.9995) return `${trimmed(latencyMs * 1000)} µs`;
  if (latencyMs < 999.5) return `${trimmed(latencyMs)} ms`;
  return `${trimmed(latencyMs / 1000)} s`;
}

/** `45 s`, `2 min`, `2 min 05 s`, `1 h 30 min`; below 10 s with one decimal, as short runs differ by tenths. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 9950) return `${trimmed(Math.round(durationMs / 100) / 10)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${seconds % 60 === 0 ? '' : ` ${padded(seconds % 60)} s`}`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${padded(minutes % 60)} min`}`;
}

/** A time between two things: `40 ms`, from a second on as {@link formatDuration}. */
export function formatInterval(intervalMs: number): string {
  return intervalMs < 1000 ? `${trimmed(intervalMs)} ms` : formatDuration(intervalMs);
}

/** `02:05`, or `1:02:05` from an hour on. */
export function formatClock(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const clock = `${padded(Math.floor(seconds / 60) % 60)}:${padded(seconds % 60)}`;
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock}`;
}

/**
 * A part of a whole in percent, rounded towards the cautious side: anything short of all is never `100 %`, anything
 * more than none is never `0 %`.
 */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  if (part >= whole) return '100 %';
  if (part <= 0) return '0 %';
  const percent = (100 * part) / whole;
  if (percent > 99) return percent >= 99.999 ? '> 99.999 %' : `${Math.floor(percent * 1000) / 1000} %`;
  return percent < 0.001 ? '< 0.001 %' : `${Number(percent.toPrecision(3))} %`;
}

const SPARKS = '▁▂▃▄▅▆▇█';

/** The last `width` values as bars from 0 to the highest of them. Shorter input gives a shorter line. */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const shown = values.slice(-Math.max(1, width));
  const highest = shown.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  let line = '';
  for (const value of shown) {
    if (value === null) line += ' ';
    else line += SPARKS[highest === 0 ? 0 : Math.round((Math.max(0, value) / highest) * (SPARKS.length - 1))];
  }
  return line;
}

/** Makes `values` at most `count` long by merging neighbours; `merge` gets each group. */
export function shrink<Value>(
  values: readonly Value[],
  count: number,
  merge: (group: readonly Value[]) => Value,
): Value[] {
  if (values.length <= count) return [...values];
  const shrunk: Value[] = [];
  for (let index = 0; index < count; index++) {
    const start = Math.floor((index * values.length) / count);
    const end = Math.floor(((index + 1) * values.length) / count);
    shrunk.push(merge(values.slice(start, end)));
  }
  return shrunk;
}

/**
 * Text from elsewhere (a broker's reason string, a topic) made safe for one terminal line: escape sequences would move
 * the cursor or worse, and bidirectional marks would reorder the table.
 */
export function cleanText(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/g, ' ');
}

/** How many terminal columns `text` takes; it must hold no escape sequences. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** `text` cut to `width` columns, the last one an ellipsis if something was cut. */
export function fitText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return '';
  let fitted = '';
  let used = 0;
  for (const character of text) {
    const wide = characterWidth(character);
    if (used + wide > width - 1) break;
    fitted += character;
    used += wide;
  }
  return `${fitted}…`;
}

/** `text` cut or padded to exactly `width` columns. */
export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fitted = fitText(text, width);
  const space = ' '.repeat(Math.max(0, width - textWidth(fitted)));
  return align === 'left' ? fitted + space : space + fitted;
}

function characterWidth(character: string): number {
  if (/^(?:\p{Mn}|\p{Me}|\u200d)$/u.test(character)) return 0;
  const code = character.codePointAt(0) ?? 0;
  // East Asian wide blocks and pictographs; terminals draw these two columns wide.
  const isWide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return isWide ? 2 : 1;
}

function scaled(
  value: number,
  base: number,
  units: readonly string[],
  gap: string,
  digitsOf: (size: number) => string,
): string {
  let size = Math.abs(value);
  let index = 0;
  while (size >= base * 0.9995 && index < units.length - 1) {
    size /= base;
    index++;
  }
  const digits = index === 0 ? String(Math.round(size)) : digitsOf(size);
  return `${value < 0 ? '-' : ''}${digits}${gap}${units[index]}`;
}

/** Three significant digits without trailing zeros or an exponent: 1.240 -> `1.24`, 124.4 -> `124`. */
function trimmed(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** Three significant digits, zeros kept, so that a column of them lines up: 4.8 -> `4.80`. */
function fixed(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : value.toPrecision(3);
}

function padded(value: number): string {
  return String(value).padStart(2, '0');
}
