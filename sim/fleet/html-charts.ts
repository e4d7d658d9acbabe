/**
 * The report's charts as inline SVG, drawn here and not in the browser. Text must keep its size on any screen, so the
 * outer SVG has no viewBox: positions across are percentages, heights are pixels, and only the curves sit in a nested
 * SVG that is stretched. Knows axes and colours by class name; what is charted is the caller's.
 */
import { linearScale, logScale, timeScale, timeTickFormat, type Scale } from './chart-scale.ts';
import { formatBytes, formatCount, formatLatency, formatLatencyTick, formatShare } from './format.ts';
import { markup, NOTHING, raw, type Markup } from './html.ts';
import type { LatencyBin, LatencySummary } from './ledger.ts';

const PLOT_HEIGHT = 190;
/** Room under the plot for the labels of the axis. */
const AXIS_HEIGHT = 26;
/** Width of the stretched coordinate system the curves are drawn in. */
const CURVE_WIDTH = 1000;

export interface ChartSeries {
  name: string;
  /** A colour class of the style sheet, such as `c-sent`. */
  colour: string;
  /** One value an interval; null leaves a gap. */
  values: readonly (number | null)[];
  shape: 'line' | 'area' | 'dashed';
}

/** Something that happened, marked above the plot. */
export interface ChartMark {
  atMs: number;
  text: string;
}

export interface TimeChart {
  /** Unique in the page: labels refer to it. */
  id: string;
  title: string;
  /** What a listener should know of the picture: read out in place of it. */
  description: string;
  /** Length of one interval. */
  intervalMs: number;
  series: readonly ChartSeries[];
  scale: 'linear' | 'log';
  format: (value: number) => string;
  formatTick: (value: number) => string;
  marks: readonly ChartMark[];
}

/** A card with a line chart over the run's time. Pointing at it shows the values of that moment. */
export function renderTimeChart(chart: TimeChart): Markup {
  const count = Math.max(1, ...chart.series.map((series) => series.values.length));
  const values = chart.series
    .flatMap((series) => series.values)
    .filter((value): value is number => value !== null);
  const highest = Math.max(0, ...values);
  const scale =
    chart.scale === 'log' ? logScale(Math.min(highest, ...values), highest) : linearScale(highest);
  const spanMs = count * chart.intervalMs;
  const time = timeScale(spanMs);
  return markup`<figure class="card chart" aria-labelledby="${chart.id}-title">
    <figcaption>
      <h3 id="${chart.id}-title">${chart.title}</h3>
      <ul class="legend" aria-hidden="true">
        ${chart.series.map((series) => markup`<li class="${series.colour} ${series.shape}">${series.name}</li>`)}
      </ul>
    </figcaption>
    <svg class="plot" width="100%" height="${PLOT_HEIGHT + AXIS_HEIGHT}" role="img" aria-label="${chart.description}">
      <title>${chart.description}</title>
      ${yAxis(scale, chart.formatTick)} ${xAxis(time, timeTickFormat(spanMs))}
      <svg width="100%" height="${PLOT_HEIGHT}" viewBox="0 0 ${CURVE_WIDTH} ${PLOT_HEIGHT}"
        preserveAspectRatio="none" overflow="visible">
        ${chart.series.map((series) => curve(series, count, scale))}
      </svg>
      ${marks(chart.marks, time)} ${hotspots(chart, count, scale)}
    </svg>
  </figure>`;
}

export interface DistributionChart {
  id: string;
  bins: readonly LatencyBin[];
  latency: LatencySummary | null;
}

/** A card with the latencies' histogram over a logarithmic axis, percentiles marked. */
export function renderDistribution({ id, bins, latency }: DistributionChart): Markup {
  if (latency === null || bins.length === 0)
    return emptyCard(id, 'Latency distribution', 'Nothing was delivered.');
  const scale = linearScale(Math.max(...bins.map((bin) => bin.count)));
  const axis = logScale(bins[0].fromMs, bins[bins.length - 1].toMs);
  const description =
    `Histogram of ${formatCount(latency.count)} latencies from ${formatLatency(latency.minMs)} to ` +
    `${formatLatency(latency.maxMs)}: half are below ${formatLatency(latency.p50Ms)}, 99 % below ${formatLatency(latency.p99Ms)}.`;
  const bars = bins.map((bin) => {
    if (bin.count === 0) return NOTHING;
    // A bin with one message in a hundred thousand is what one looks for: it stays visible.
    const height = Math.max(2, scale.at(bin.count) * PLOT_HEIGHT);
    const start = axis.at(bin.fromMs) * 100;
    const width = Math.max(0.15, axis.at(bin.toMs) * 100 - start);
    const colour = bin.fromMs >= latency.p99Ms ? 'c-p99' : 'c-delivered';
    const share = formatShare(bin.count, latency.count);
    const range = `${formatLatencyTick(bin.fromMs)} – ${formatLatencyTick(bin.toMs)}`;
    return markup`<rect class="bar ${colour}" rx="2" x="${percent(start + width * 0.06)}" width="${percent(width * 0.88)}"
      y="${px(PLOT_HEIGHT - height)}" height="${px(height)}"><title>${range}: ${formatCount(bin.count)} messages, ${share}</title></rect>`;
  });
  return markup`<figure class="card chart" aria-labelledby="${id}-title">
    <figcaption>
      <h3 id="${id}-title">Latency distribution</h3>
      <ul class="legend" aria-hidden="true">
        <li class="c-delivered area">messages</li>
        <li class="c-p99 area">slowest 1 %</li>
      </ul>
    </figcaption>
    <svg class="plot" width="100%" height="${PLOT_HEIGHT + AXIS_HEIGHT}" role="img" aria-label="${description}">
      <title>${description}</title>
      ${yAxis(scale, formatCount)} ${xAxis(axis, formatLatencyTick)} ${bars} ${percentileLines(latency, axis)}
    </svg>
  </figure>`;
}

export interface ByteBars {
  id: string;
  wireOut: number;
  outWithoutAliases: number;
  wireIn: number;
  messages: number;
  hasAliases: boolean;
}

/** A card with the bytes written, with and without topic aliases, and those read, on one scale. */
export function renderByteBars(chart: ByteBars): Markup {
  const longest = Math.max(1, chart.wireOut, chart.outWithoutAliases, chart.wireIn);
  const saved = formatShare(chart.outWithoutAliases - chart.wireOut, chart.outWithoutAliases);
  const description = chart.hasAliases
    ? `Topic aliases saved ${saved} of the bytes written.`
    : 'Topic aliases were not in use.';
  const rows = [
    { name: 'Written', bytes: chart.wireOut, colour: 'c-delivered' },
    { name: 'Written, had every topic been spelled out', bytes: chart.outWithoutAliases, colour: 'c-ghost' },
    { name: 'Read', bytes: chart.wireIn, colour: 'c-connected' },
  ];
  const rowHeight = 70;
  const bars = rows.map(({ name, bytes, colour }, index) => {
    const top = index * rowHeight;
    const each = chart.messages > 0 ? `${formatBytes(bytes / chart.messages)} a message` : '';
    const width = percent(Math.max(0.4, (100 * bytes) / longest));
    return markup`<g>
      <title>${name}: ${formatCount(bytes)} bytes</title>
      <text class="bar-name" x="0" y="${top + 14}">${name}</text>
      <rect class="track" x="0" y="${top + 23}" width="100%" height="18" rx="5"></rect>
      <rect class="bar ${colour}" x="0" y="${top + 23}" width="${width}" height="18" rx="5"></rect>
      <text class="bar-value" x="0" y="${top + 56}">${formatBytes(bytes)}<tspan class="soft" dx="8">${each}</tspan></text>
    </g>`;
  });
  return markup`<figure class="card chart bytes" aria-labelledby="${chart.id}-title">
    <figcaption>
      <h3 id="${chart.id}-title">Bytes of MQTT, all devices</h3>
      <p class="note">${description}</p>
    </figcaption>
    <svg width="100%" height="${rows.length * rowHeight}" role="img" aria-label="${description}">${bars}</svg>
  </figure>`;
}

function emptyCard(id: string, title: string, text: string): Markup {
  return markup`<figure class="card chart" aria-labelledby="${id}-title">
    <figcaption><h3 id="${id}-title">${title}</h3></figcaption>
    <p class="empty">${text}</p>
  </figure>`;
}

function yAxis(scale: Scale, format: (value: number) => string): Markup {
  return markup`<g class="axis" aria-hidden="true">
    ${scale.ticks.map((tick) => {
      const y = px((1 - scale.at(tick)) * PLOT_HEIGHT);
      return markup`<line x1="0" x2="100%" y1="${y}" y2="${y}"></line>
        <text x="-10" y="${y}" dy="0.32em" text-anchor="end">${format(tick)}</text>`;
    })}
  </g>`;
}

function xAxis(scale: Scale, format: (value: number) => string): Markup {
  return markup`<g class="axis across" aria-hidden="true">
    <line class="base" x1="0" x2="100%" y1="${PLOT_HEIGHT}" y2="${PLOT_HEIGHT}"></line>
    ${scale.ticks.map((tick, index) => {
      const x = percent(scale.at(tick) * 100);
      // Every second label goes on a narrow screen.
      const minor = index % 2 === 1 ? ' class="minor"' : '';
      return markup`<g${raw(minor)}><line x1="${x}" x2="${x}" y1="${PLOT_HEIGHT}" y2="${PLOT_HEIGHT + 5}"></line>
        <text x="${x}" y="${PLOT_HEIGHT + 20}" text-anchor="middle">${format(tick)}</text></g>`;
    })}
  </g>`;
}

function curve(series: ChartSeries, count: number, scale: Scale): Markup {
  const x = (index: number): string => ((CURVE_WIDTH * (index + 0.5)) / count).toFixed(1);
  const y = (value: number): string => ((1 - scale.at(value)) * PLOT_HEIGHT).toFixed(1);
  let line = '';
  let area = '';
  let start = -1;
  const values = series.values;
  for (let index = 0; index <= values.length; index++) {
    const value = index < values.length ? values[index] : null;
    if (value !== null) {
      if (start < 0) start = index;
      line += `${start === index ? 'M' : 'L'}${x(index)} ${y(value)}`;
      // A stroke of no length with round caps is a dot: a value between two gaps stays visible.
      if (start === index) line += 'h0';
    } else if (start >= 0) {
      const top = values.slice(start, index).map((each, offset) => `L${x(start + offset)} ${y(each ?? 0)}`);
      area += `M${x(start)} ${PLOT_HEIGHT}${top.join('')}L${x(index - 1)} ${PLOT_HEIGHT}Z`;
      start = -1;
    }
  }
  const fill = markup`<path class="fill ${series.colour}" d="${area}"></path>`;
  return markup`${series.shape === 'area' ? fill : NOTHING}
    <path class="line ${series.colour} ${series.shape}" d="${line}"></path>`;
}

/** Little flags above the plot. Those too close to tell apart become one that lists them all. */
function marks(all: readonly ChartMark[], time: Scale): Markup {
  const groups: { x: number; texts: string[] }[] = [];
  for (const mark of all) {
    const x = time.at(mark.atMs) * 100;
    const last = groups.at(-1);
    const text = `${(mark.atMs / 1000).toFixed(1)} s: ${mark.text}`;
    if (last !== undefined && x - last.x < 1.5) last.texts.push(text);
    else groups.push({ x, texts: [text] });
  }
  return markup`<g class="marks">
    ${groups.map(
      ({ x, texts }) =>
        markup`<g><title>${texts.join(' · ')}</title>
          <line x1="${percent(x)}" x2="${percent(x)}" y1="0" y2="${PLOT_HEIGHT}"></line>
          <circle cx="${percent(x)}" cy="-5" r="4"></circle></g>`,
    )}
  </g>`;
}

/** One invisible column an interval: its title is the tooltip, and pointing at it shows a guide and the values. */
function hotspots(chart: TimeChart, count: number, scale: Scale): Markup {
  const formatTime = timeTickFormat(count * chart.intervalMs);
  const columns: Markup[] = [];
  for (let index = 0; index < count; index++) {
    const from = (100 * index) / count;
    const middle = percent((100 * (index + 0.5)) / count);
    const present: Markup[] = [];
    const texts: string[] = [];
    for (const series of chart.series) {
      const value = series.values[index] ?? null;
      if (value === null) continue;
      const y = px((1 - scale.at(value)) * PLOT_HEIGHT);
      present.push(markup`<circle class="dot ${series.colour}" cx="${middle}" cy="${y}" r="3.5"></circle>`);
      texts.push(`${series.name} ${chart.format(value)}`);
    }
    if (texts.length === 0) texts.push('none delivered');
    const text = `${formatTime(index * chart.intervalMs)}: ${texts.join(' · ')}`;
    columns.push(
      markup`<g class="hot"><title>${text}</title>
        <rect x="${percent(from)}" y="0" width="${percent(100 / count)}" height="${PLOT_HEIGHT}"></rect>
        <g class="on"><line x1="${middle}" x2="${middle}" y1="0" y2="${PLOT_HEIGHT}"></line>${present}
        <text x="100%" y="-14" text-anchor="end">${text}</text></g></g>`,
    );
  }
  return markup`<g class="hotspots" aria-hidden="true">${columns}</g>`;
}

function percentileLines(latency: LatencySummary, axis: Scale): Markup {
  const percentiles = [
    { name: 'p50', value: latency.p50Ms },
    { name: 'p99', value: latency.p99Ms },
    { name: 'p99.9', value: latency.p999Ms },
  ];
  let lastX = -100;
  return markup`<g class="percentiles" aria-hidden="true">
    ${percentiles.map(({ name, value }) => {
      const x = axis.at(value) * 100;
      // Labels closer than this would overprint; the table beside the chart has them all.
      const isClose = x - lastX < 9;
      if (!isClose) lastX = x;
      const label = isClose
        ? NOTHING
        : markup`<text x="${percent(x)}" y="-9" text-anchor="middle">${name}</text>`;
      return markup`<g><title>${name} ${formatLatency(value)}</title>
        <line x1="${percent(x)}" x2="${percent(x)}" y1="0" y2="${PLOT_HEIGHT}"></line>${label}</g>`;
    })}
  </g>`;
}

function percent(value: number): string {
  return `${Number(value.toFixed(3))}%`;
}

function px(value: number): number {
  return Number(value.toFixed(1));
}
