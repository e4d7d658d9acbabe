/**
 * A run as one SVG that loads nothing: ratios as bars, growth as curves. Text only where it is read; two colours, which
 * are told apart by lightness, too.
 */
import { CASES as CLIENT_CASES } from './client/client-bench.ts';
import { CASES as CODEC_CASES } from './codec-cases.ts';
import type { Curve } from './growth/growth-bench.ts';
import { LogScale, shortNumber } from './plot-scale.ts';
import type { Results } from './results.ts';

const WIDTH = 1080;
const MARGIN = 30;
const COLUMNS = 3;
const PANEL_WIDTH = (WIDTH - 2 * MARGIN) / COLUMNS;
const PANEL_HEIGHT = 240;
const BAR_HEIGHT = 22;
const BAR_LABEL_WIDTH = 330;
const OURS = '#1257b0';
const THEIRS = '#e0762f';
const GRID = '#e3e3e3';
const TEXT = '#222222';
const FAINT = '#666666';

interface Bar {
  readonly label: string;
  readonly ratio: number;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

interface TextStyle {
  size?: number;
  fill?: string;
  anchor?: 'start' | 'middle' | 'end';
  weight?: number;
}

function textAt(x: number, y: number, text: string, style: TextStyle = {}): string {
  const { size = 12, fill = TEXT, anchor = 'start', weight = 400 } = style;
  return (
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" fill="${fill}" ` +
    `text-anchor="${anchor}" font-weight="${weight}">${escape(text)}</text>`
  );
}

function lineFrom(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" stroke="${stroke}"/>`;
}

/** What is compared with a peer, as far as it was measured. */
function barsOf({ client, codec, connection, fleet }: Results): Bar[] {
  const bars: Bar[] = [];
  for (const { name, title } of CODEC_CASES) {
    const one = codec?.[name];
    if (one === undefined) continue;
    const short = title.split(/[ ,]/)[0] + (name === 'publishProperties' ? ', five properties' : '');
    bars.push({ label: `encode ${short}: speed`, ratio: one.encodeRatio });
    bars.push({ label: `decode ${short}: speed`, ratio: one.decodeRatio });
  }
  for (const { name, title } of CLIENT_CASES) {
    const one = client?.[name];
    if (one === undefined) continue;
    const isMosquitto = one.onMotemq !== undefined;
    bars.push({
      label: `${title}, ${isMosquitto ? 'Mosquitto' : 'our broker'}: processor`,
      ratio: one.cpuRatio,
    });
    if (one.onMotemq) bars.push({ label: `${title}, our broker: processor`, ratio: one.onMotemq.cpuRatio });
  }
  if (connection)
    bars.push({ label: 'connection: memory beyond a socket', ratio: connection.extraMemoryRatio });
  for (const [name, one] of Object.entries(fleet ?? {})) {
    bars.push({ label: `fleet, QoS ${name.at(-1) ?? ''}: processor`, ratio: one.cpuRatio });
  }
  return bars;
}

function drawBars(bars: readonly Bar[], top: number): string {
  const x0 = MARGIN + BAR_LABEL_WIDTH;
  const highest = Math.max(10, ...bars.map(({ ratio }) => ratio));
  const lowest = Math.min(1, ...bars.map(({ ratio }) => ratio));
  const scale = new LogScale(lowest, highest, x0, WIDTH - MARGIN - 60);
  const bottom = top + bars.length * BAR_HEIGHT;
  const grid = scale
    .ticks()
    .map((tick) => {
      const x = scale.at(tick);
      const label = textAt(x, bottom + 16, `${shortNumber(tick)}×`, {
        size: 11,
        fill: FAINT,
        anchor: 'middle',
      });
      return lineFrom(x, top - 4, x, bottom, tick === 1 ? FAINT : GRID) + label;
    })
    .join('');
  const drawn = bars.map(({ label, ratio }, index) => {
    const y = top + index * BAR_HEIGHT;
    const [from, to] = [scale.at(1), scale.at(ratio)].sort((a, b) => a - b);
    const fill = ratio >= 1 ? OURS : THEIRS;
    return (
      textAt(x0 - 10, y + 14, label, { anchor: 'end' }) +
      `<rect x="${from.toFixed(1)}" y="${y + 2}" width="${Math.max(1, to - from).toFixed(1)}" height="${BAR_HEIGHT - 6}" fill="${fill}"/>` +
      textAt(to + 6, y + 14, `${ratio.toFixed(ratio < 10 ? 1 : 0)}×`, { weight: 600 })
    );
  });
  return grid + drawn.join('');
}

/** A curve that begins at 0 cannot have that on a scale of powers: it stands where a half would. */
const onScale = (x: number): number => (x === 0 ? 0.5 : x);

function drawCurve(curve: Curve, left: number, top: number): string {
  const { title, xTitle, unit, points } = curve;
  const [x0, x1] = [left + 46, left + PANEL_WIDTH - 24];
  const [y0, y1] = [top + PANEL_HEIGHT - 62, top + 34];
  const xs = points.map(({ x }) => onScale(x));
  const ys = points.flatMap(({ ours, theirs }) => [ours, theirs]);
  const xScale = new LogScale(Math.min(...xs), Math.max(...xs), x0, x1);
  const yScale = new LogScale(Math.min(...ys), Math.max(...ys), y0, y1).widened();
  const horizontal = yScale
    .ticks()
    .map((tick) => {
      const y = yScale.at(tick);
      const label = textAt(x0 - 6, y + 4, shortNumber(tick), { size: 10, fill: FAINT, anchor: 'end' });
      return lineFrom(x0, y, x1, y, GRID) + label;
    })
    .join('');
  const vertical = points
    .map(({ x }) => {
      const at = xScale.at(onScale(x));
      const label = textAt(at, y0 + 15, shortNumber(x), { size: 10, fill: FAINT, anchor: 'middle' });
      return lineFrom(at, y0, at, y0 + 4, FAINT) + label;
    })
    .join('');
  const drawn = (of: (point: Curve['points'][number]) => number, stroke: string): string => {
    const places = points.map((point) => [xScale.at(onScale(point.x)), yScale.at(of(point))] as const);
    const path = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
    const dots = places.map(
      ([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${stroke}"/>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${stroke}" stroke-width="2"/>${dots.join('')}`;
  };
  return (
    textAt(left + 8, top + 14, title, { size: 13, weight: 600 }) +
    textAt(left + 8, top + 28, unit, { size: 10, fill: FAINT }) +
    textAt((x0 + x1) / 2, y0 + 30, xTitle, { size: 10, fill: FAINT, anchor: 'middle' }) +
    horizontal +
    lineFrom(x0, y0, x1, y0, FAINT) +
    vertical +
    drawn(({ theirs }) => theirs, THEIRS) +
    drawn(({ ours }) => ours, OURS)
  );
}

function drawLegend(y: number): string {
  const entry = (x: number, fill: string, text: string): string =>
    `<rect x="${x}" y="${y - 9}" width="18" height="10" fill="${fill}"/>${textAt(x + 24, y, text)}`;
  return entry(MARGIN, OURS, 'motemq') + entry(MARGIN + 110, THEIRS, 'MQTT.js, mqtt-packet');
}

/** The whole picture. */
export function plotResults(results: Results): string {
  const parts: string[] = [];
  let y = MARGIN + 10;
  const { date, node, cores } = results.run;
  parts.push(textAt(MARGIN, y, 'motemq beside MQTT.js and mqtt-packet', { size: 20, weight: 600 }));
  parts.push(
    textAt(WIDTH - MARGIN, y, `${date}, Node ${node}, ${cores} cores`, { fill: FAINT, anchor: 'end' }),
  );
  const bars = barsOf(results);
  if (bars.length > 0) {
    y += 28;
    parts.push(
      textAt(MARGIN, y, 'Times better, in one run; every bar to the right is ours', { fill: FAINT }),
    );
    y += 18;
    parts.push(drawBars(bars, y));
    y += bars.length * BAR_HEIGHT + 50;
  }
  const curves = Object.values(results.growth ?? {});
  if (curves.length > 0) {
    y += 10;
    parts.push(
      textAt(MARGIN, y, 'How costs grow (lower is better; both axes in powers)', { size: 15, weight: 600 }),
    );
    y += 24;
    parts.push(drawLegend(y));
    y += 16;
    curves.forEach((curve, index) => {
      const left = MARGIN + (index % COLUMNS) * PANEL_WIDTH;
      parts.push(drawCurve(curve, left, y + Math.floor(index / COLUMNS) * PANEL_HEIGHT));
    });
    y += Math.ceil(curves.length / COLUMNS) * PANEL_HEIGHT;
  }
  const height = Math.ceil(y + MARGIN);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `font-family="system-ui, 'DejaVu Sans', sans-serif">\n<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>\n` +
    `${parts.join('\n')}\n</svg>\n`
  );
}
