/**
 * A fleet run as one HTML file that opens without a network and without scripts: verdict, key figures, charts, tables.
 * Lays out a {@link FleetResult}; the drawing is in html-charts.ts, the looks are in report-style.ts.
 */
import {
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatLatency,
  formatLatencyTick,
  formatShare,
} from './format.ts';
import { markup, NOTHING, raw, type HtmlValue, type Markup } from './html.ts';
import { renderByteBars, renderDistribution, renderTimeChart, type ChartMark } from './html-charts.ts';
import type { FleetEvent, FleetOutlier, FleetResult, FleetTimeline } from './report.ts';
import { REPORT_STYLE } from './report-style.ts';
import { engineText, loadText, machineRows } from './result-text.ts';

/** More points than this cannot be told apart on a screen, and each costs bytes. */
const CHART_POINTS_MAX = 150;
const TABLE_ROWS_MAX = 120;
/** A run of hours can have thousands of events; the page lists the last ones and says so. */
const EVENTS_MAX = 200;

/** Renders the whole file. Every text of `result` is escaped, wherever it came from. */
export function renderHtmlReport(result: FleetResult): string {
  const timeline = shrinkTimeline(result.timeline, CHART_POINTS_MAX);
  const title = `Fleet report: ${formatCount(result.options.devices)} devices, QoS ${result.options.qos}`;
  // The policy is a promise the browser keeps: nothing is loaded, nothing runs.
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="motemq ${result.host.motemqVersion}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${raw(REPORT_STYLE)}</style>
</head>
<body>
<main>
${header(result)}
${tiles(result)}
<h2>Over time</h2>
<div class="grid">${timeCharts(result, timeline)}</div>
<h2>Latency and bytes</h2>
<div class="grid">
${renderDistribution({ id: 'distribution', bins: result.latencyDistribution, latency: result.latency })}
${renderByteBars({
  id: 'bytes',
  wireOut: result.bytes.wireOut,
  outWithoutAliases: result.bytes.outWithoutAliases,
  wireIn: result.bytes.wireIn,
  messages: result.totals.sent,
  hasAliases: result.protocol.topicAliases,
})}
</div>
<h2>Accounts</h2>
<div class="grid">${accounts(result)}</div>
${outliers(result)}
${events(result.events)}
${timelineTable(shrinkTimeline(result.timeline, TABLE_ROWS_MAX))}
<h2>The run</h2>
<div class="grid">${theRun(result)}</div>
<footer><p>Made by motemq ${result.host.motemqVersion}. The same options and seed repeat this run: seed <code>${result.options.seed}</code>.</p></footer>
</main>
</body>
</html>
`; // prettier-ignore
  return page.text;
}

const LOGO = raw(
  '<svg viewBox="0 0 26 26" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" aria-hidden="true"><circle cx="13" cy="13" r="3" fill="currentColor" stroke="none"/><path d="M8.4 8.4a6.5 6.5 0 0 0 0 9.2M17.6 8.4a6.5 6.5 0 0 1 0 9.2M5 5a11.3 11.3 0 0 0 0 16M21 5a11.3 11.3 0 0 1 0 16"/></svg>',
);
const TICK = raw(
  '<svg viewBox="0 0 30 30" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="15" cy="15" r="12.5"/><path d="m9.5 15.5 3.8 3.8 7.2-8"/></svg>',
);
const CROSS = raw(
  '<svg viewBox="0 0 30 30" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" aria-hidden="true"><circle cx="15" cy="15" r="12.5"/><path d="m10.8 10.8 8.4 8.4m0-8.4-8.4 8.4"/></svg>',
);

function header(result: FleetResult): Markup {
  const { options, protocol, broker, totals, verdict } = result;
  const started = result.startedAt.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');
  const claim =
    totals.sent === 0
      ? 'nothing was sent'
      : totals.lost === 0
        ? `all ${formatCount(totals.sent)} messages arrived`
        : `${formatShare(totals.delivered, totals.sent)} of ${formatCount(totals.sent)} messages arrived`;
  return markup`<header>
    <p class="brand">${LOGO} motemq <span>fleet report</span></p>
    <h1>${formatCount(options.devices)} devices at QoS ${options.qos} for ${formatDuration(result.elapsedMs)}</h1>
    <p class="lead"><span>${started}</span><span>MQTT ${protocol.version} over ${protocol.transport}</span><span>${loadText(result)}</span><span><code>${broker.url}</code></span></p>
    <section class="verdict ${verdict.ok ? 'pass' : 'fail'}" aria-label="Verdict">
      ${verdict.ok ? TICK : CROSS}
      <div>
        <strong>${verdict.ok ? 'Passed' : 'Failed'}: ${claim}</strong>
        <ul>${verdict.reasons.map((reason) => markup`<li>${reason}</li>`)}${verdict.remarks.map((remark) => markup`<li class="remark">${remark}</li>`)}</ul>
      </div>
    </section>
  </header>`; // prettier-ignore
}

function tiles({ totals, rates, latency, bytes, memory, protocol, firmware }: FleetResult): Markup {
  const tile = (name: string, figure: string, note: string): Markup => {
    // The unit is set smaller than the number.
    const [, value, unit] = /^(.*?)(?: (\D+))?$/.exec(figure) ?? ['', figure];
    return markup`<div class="card tile">
      <dl>
        <dt>${name}</dt>
        <dd>${value}${unit === undefined ? NOTHING : markup`<small>${unit}</small>`}</dd>
      </dl>
      <p>${note}</p>
    </div>`;
  };
  const lost = totals.lost === 0 ? 'none lost' : `${formatCount(totals.lost)} lost`;
  const twice = totals.duplicated === 0 ? 'none twice' : `${formatCompact(totals.duplicated)} twice`;
  return markup`<section class="tiles" aria-label="Key figures">
    ${tile('Delivered', formatShare(totals.delivered, totals.sent), `${lost}, ${twice}`)}
    ${tile('Throughput', `${formatCount(rates.deliveredPerSecondMean)} /s`, `highest ${formatCount(rates.deliveredPerSecondMax)}/s`)}
    ${tile('Latency, median', formatLatency(latency?.p50Ms ?? null), `90 % below ${formatLatency(latency?.p90Ms ?? null)}`)}
    ${tile('Latency, p99', formatLatency(latency?.p99Ms ?? null), `longest ${formatLatency(latency?.maxMs ?? null)}`)}
    ${tile('Saved by aliases', protocol.topicAliases ? formatShare(bytes.outWithoutAliases - bytes.wireOut, bytes.outWithoutAliases) : '–', `${formatBytes(bytes.wireOut)} written`)}
    ${firmware?.machines === undefined ? tile('Memory a device', formatBytes(memory.rssBytesPerDevice), `${formatBytes(memory.rssMaxBytes)} in all`) : tile('Heap in use', `${formatCount(firmware.machines.slots.max)} slots`, `of ${formatCount(firmware.machines.slotsMax)}; ${formatCount(firmware.machines.chunkBytes.max)} bytes of chunks`)}
  </section>`; // prettier-ignore
}

function timeCharts({ events: all, latency, options }: FleetResult, timeline: FleetTimeline): Markup {
  const perSecond = 1000 / timeline.intervalMs;
  const rate = (value: number): number => Math.round(value * perSecond * 10) / 10;
  const marks: ChartMark[] = all
    .filter((event) => event.kind !== 'phase' && event.kind !== 'note' && event.kind !== 'reconnect')
    .map((event) => ({ atMs: event.atMs, text: event.text }));
  const highest = (values: readonly (number | null)[]): number =>
    values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const sent = timeline.sent.map(rate);
  const delivered = timeline.delivered.map(rate);
  const common = { intervalMs: timeline.intervalMs, marks };
  return markup`<div class="wide">${renderTimeChart({
    ...common,
    id: 'throughput',
    title: 'Messages a second',
    description: `Messages a second over time: sent up to ${formatCount(highest(sent))}, delivered up to ${formatCount(highest(delivered))}.`,
    series: [
      { name: 'delivered', colour: 'c-delivered', values: delivered, shape: 'area' },
      { name: 'sent', colour: 'c-sent', values: sent, shape: 'dashed' },
    ],
    scale: 'linear',
    format: (value) => `${formatCount(value)}/s`,
    formatTick: (value) => `${formatCompact(value)}/s`,
  })}</div>
  ${renderTimeChart({
    ...common,
    id: 'latency',
    title: 'Latency, publish to collector',
    description:
      latency === null
        ? 'Latency over time: nothing was delivered.'
        : `Latency over time: median ${formatLatency(latency.p50Ms)}, 99th percentile ${formatLatency(latency.p99Ms)} over the whole run.`,
    series: [
      { name: 'p99', colour: 'c-p99', values: timeline.latencyP99Ms, shape: 'line' },
      { name: 'p50', colour: 'c-delivered', values: timeline.latencyP50Ms, shape: 'line' },
    ],
    scale: 'log',
    format: formatLatency,
    formatTick: formatLatencyTick,
  })}
  ${renderTimeChart({
    ...common,
    id: 'connected',
    title: 'Connected devices',
    description: `Connected devices over time: up to ${formatCount(highest(timeline.connected))} of ${formatCount(options.devices)}.`,
    series: [{ name: 'connected', colour: 'c-connected', values: timeline.connected, shape: 'area' }],
    scale: 'linear',
    format: formatCount,
    formatTick: formatCompact,
  })}`; // prettier-ignore
}

type TableRow = readonly [name: string, value: HtmlValue];

function panel(title: string, rows: readonly TableRow[], kind = 'figures'): Markup {
  return markup`<div class="card panel">
    <table class="${kind}">
      <caption>
        ${title}
      </caption>
      <tbody>
        ${rows.map(
          ([name, value]) =>
            markup`<tr>
              <th scope="row">${name}</th>
              <td>${value}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function accounts(result: FleetResult): Markup {
  const { totals, latency, connections, memory, options, bytes, firmware } = result;
  const part = (value: number): Markup =>
    markup`${formatCount(value)}<small>${formatShare(value, totals.sent)}</small>`;
  const bad = (value: number, isWrong: boolean): HtmlValue =>
    value > 0 && isWrong ? markup`<span class="wrong">${formatCount(value)}</span>` : formatCount(value);
  const acknowledged: TableRow[] =
    options.qos === 0
      ? []
      : [
          ['Acknowledged by the broker', part(totals.acknowledged)],
          ['Lost after acknowledgement', bad(totals.lostAcknowledged, true)],
        ];
  const ms = (value: number | undefined): string => formatLatency(value ?? null);
  return markup`${panel('Messages', [
    ['Sent', formatCount(totals.sent)],
    ['Delivered', part(totals.delivered)],
    ...acknowledged,
    ['Lost', bad(totals.lost, options.qos > 0)],
    ['Delivered more than once', bad(totals.duplicated, options.qos === 2)],
    ['Out of order', formatCount(totals.outOfOrder)],
    ['From outside this run', formatCount(totals.unexpected)],
    ...(firmware === undefined ? [] : ([['Samples in them', markup`${formatCount(firmware.samples)}<small>${formatCount(firmware.dropped)} dropped</small>`]] as const)),
  ])}
  ${panel('Latency, publish to collector', [
    ['Shortest', ms(latency?.minMs)],
    ['Mean', ms(latency?.meanMs)],
    ['p50', ms(latency?.p50Ms)],
    ['p90', ms(latency?.p90Ms)],
    ['p99', ms(latency?.p99Ms)],
    ['p99.9', ms(latency?.p999Ms)],
    ['Longest', ms(latency?.maxMs)],
  ])}
  ${panel('Connections', [
    ['Accepted', formatCount(connections.connects)],
    ['Of these, reconnects', formatCount(connections.reconnects)],
    ['Refused', bad(connections.refused, true)],
    ['Lost or failed', bad(connections.failures, true)],
    ['Births and wills seen', `${formatCount(connections.births)} and ${formatCount(connections.wills)}`],
    ...(firmware === undefined
      ? ([
          ['Commands received', markup`${formatCount(connections.commandsReceived)}<small>of ${formatCount(connections.commandsSent)}</small>`],
          ['Commands answered', formatCount(connections.commandsAnswered)],
        ] as const)
      : ([['Commands obeyed', formatCount(connections.commandsReceived)]] as const)),
  ])}
  ${panel(firmware?.machines === undefined ? 'Memory and bytes' : 'Machine of a device (median), bytes', [
    ...memoryRows(result),
    [firmware?.machines === undefined ? 'Whole process, highest' : 'This process, highest', markup`${formatBytes(memory.rssMaxBytes)}<small>${formatBytes(memory.rssBeforeBytes)} before</small>`],
    ['MQTT bytes written', formatBytes(bytes.wireOut)],
    ['MQTT bytes read', formatBytes(bytes.wireIn)],
  ])}`; // prettier-ignore
}

/** What a device takes: of this process, or of its machine. */
function memoryRows(result: FleetResult): TableRow[] {
  const { memory, firmware } = result;
  if (firmware?.machines === undefined) {
    return [
      ['Resident memory a device', formatBytes(memory.rssBytesPerDevice)],
      ['JavaScript heap a device', formatBytes(memory.heapBytesPerDevice)],
      ['Buffers a device', formatBytes(memory.externalBytesPerDevice)],
    ];
  }
  return machineRows(result).map(({ name, value, detail }) => [
    name[0].toUpperCase() + name.slice(1),
    markup`${value}<small>${detail}</small>`,
  ]);
}

function outliers({ outliers: worst }: FleetResult): Markup {
  const isAlone = worst.byLost.length === 0 || worst.byLatency.length === 0;
  const table = (title: string, note: string, devices: readonly FleetOutlier[]): Markup => {
    if (devices.length === 0) return NOTHING;
    return markup`<div class="card panel${isAlone ? ' wide' : ''}"><div class="scroll" tabindex="0" role="region" aria-label="${title}"><table class="figures"><caption>${title}</caption>
      <thead><tr><th scope="col">Device</th><th scope="col">Sent</th><th scope="col">Lost</th><th scope="col">Twice</th><th scope="col">Late</th><th scope="col">${note}</th></tr></thead>
      <tbody>${devices.map(
        (device) =>
          markup`<tr><th scope="row"><code>${device.clientId}</code></th><td>${formatCount(device.sent)}</td><td>${formatCount(device.lost)}</td><td>${formatCount(device.duplicated)}</td><td>${formatCount(device.outOfOrder)}</td><td>${formatLatency(device.latencyMaxMs)}</td></tr>`,
      )}</tbody></table></div></div>`; // prettier-ignore
  };
  if (worst.byLost.length + worst.byLatency.length === 0) return NOTHING;
  return markup`<h2>Devices worth a look</h2>
    <div class="grid">
      ${table('Lost most', 'Longest', worst.byLost)} ${table('Slowest message', 'Longest', worst.byLatency)}
    </div>`;
}

function events(all: readonly FleetEvent[]): Markup {
  if (all.length === 0) return NOTHING;
  const shown = all.slice(-EVENTS_MAX);
  const tone = { phase: '', note: '', reconnect: ' warn', fault: ' warn', refused: ' bad', error: ' bad' };
  const title = shown.length < all.length ? `Events (the last ${shown.length} of ${formatCount(all.length)})` : 'Events'; // prettier-ignore
  return markup`<h2>${title}</h2>
    <div class="card panel"><div class="scroll" tabindex="0" role="region" aria-label="Events"><table class="words">
      <thead><tr><th scope="col">Time</th><th scope="col">Kind</th><th scope="col">What happened</th></tr></thead>
      <tbody>${shown.map(
        (event) =>
          markup`<tr><td>${(event.atMs / 1000).toFixed(1)} s</td><td><span class="kind${tone[event.kind] ?? ''}">${event.kind}</span></td><td>${event.text}</td></tr>`,
      )}</tbody></table></div></div>`; // prettier-ignore
}

/** The charts' numbers as a table: for screen readers, and for those who want the number and not the picture. */
function timelineTable(timeline: FleetTimeline): Markup {
  const seconds = timeline.intervalMs / 1000;
  const row = (index: number): Markup => markup`<tr><th scope="row">${formatDuration(index * timeline.intervalMs)}</th>
    <td>${formatCount(timeline.sent[index] / seconds)}</td><td>${formatCount(timeline.delivered[index] / seconds)}</td><td>${formatCount(timeline.connected[index])}</td>
    <td>${formatLatency(timeline.latencyP50Ms[index])}</td><td>${formatLatency(timeline.latencyP99Ms[index])}</td><td>${formatCount(timeline.errors[index])}</td></tr>`; // prettier-ignore
  return markup`<details class="card"><summary>The charts as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Timeline"><table class="figures">
      <thead><tr><th scope="col">From</th><th scope="col">Sent/s</th><th scope="col">Delivered/s</th><th scope="col">Connected</th><th scope="col">p50</th><th scope="col">p99</th><th scope="col">Errors</th></tr></thead>
      <tbody>${timeline.sent.map((_, index) => row(index))}</tbody></table></div></details>`; // prettier-ignore
}

function theRun({ options, broker, protocol, host, rates, firmware }: FleetResult): Markup {
  const code = (text: string): Markup => markup`<code>${text}</code>`;
  const maximum = (value: number | undefined): string =>
    value === undefined ? 'not sent' : formatCount(value);
  return markup`${panel('Options', [
    ['Devices', formatCount(options.devices)],
    ...(firmware === undefined ? [] : ([['Firmware', code(firmware.file)], ['Runs', engineText(firmware.engine)], ['Format', firmware.format]] as const)),
    ...(options.intervalMs === undefined ? [] : ([['Interval', `${formatCount(options.intervalMs)} ms`]] as const)),
    ['Duration', formatDuration(options.durationSeconds * 1000)],
    ['QoS', options.qos],
    ['Topic', code(options.topic)],
    ['Ramp', options.rampPerSecond === 0 ? 'all at once' : `${formatCount(options.rampPerSecond)} devices/s`],
    ['Seed', code(String(options.seed))],
    ['Sent on average', `${formatCount(rates.sentPerSecondMean)}/s`],
  ], 'facts')}
  ${panel('Broker and host', [
    ['Broker', broker.name ?? (broker.embedded ? 'embedded' : 'unknown')],
    ['Address', code(broker.url)],
    ['Protocol', `MQTT ${protocol.version} over ${protocol.transport}`],
    ['Topic Alias Maximum', maximum(protocol.topicAliasMaximum)],
    ['Receive Maximum', maximum(protocol.receiveMaximum)],
    ['Processor', `${host.cpuCount} × ${host.cpuModel}`],
    ['Memory', formatBytes(host.memoryTotalBytes)],
    ['System', `Node ${host.nodeVersion}, ${host.platform} ${host.architecture}`],
  ], 'facts')}`; // prettier-ignore
}

/** Merges neighbouring intervals so that at most `count` remain: sums for counts, the worst for connections and p99,
 * so that merging never hides an outage. */
function shrinkTimeline(timeline: FleetTimeline, count: number): FleetTimeline {
  const length = timeline.sent.length;
  if (length <= count) return timeline;
  // Whole groups only, so that every merged interval is equally long and a rate stays a rate.
  const group = Math.ceil(length / count);
  const groups = Math.ceil(length / group);
  const merge = <Value>(values: readonly Value[], one: (part: readonly Value[]) => Value): Value[] =>
    Array.from({ length: groups }, (_, index) => one(values.slice(index * group, (index + 1) * group)));
  const sum = (part: readonly number[]): number =>
    // The last group may be short: scaled up, or the curve would drop at the end of every run.
    (part.reduce((total, value) => total + value, 0) * group) / part.length;
  const total = (part: readonly number[]): number => part.reduce((all, value) => all + value, 0);
  const least = (part: readonly number[]): number => Math.min(...part);
  const present = (part: readonly (number | null)[]): number[] => part.filter((value) => value !== null);
  const worst = (part: readonly (number | null)[]): number | null =>
    present(part).length === 0 ? null : Math.max(...present(part));
  const median = (part: readonly (number | null)[]): number | null => {
    const sorted = present(part).sort((left, right) => left - right);
    return sorted.length === 0 ? null : sorted[sorted.length >> 1];
  };
  return {
    intervalMs: timeline.intervalMs * group,
    sent: merge(timeline.sent, sum),
    delivered: merge(timeline.delivered, sum),
    connected: merge(timeline.connected, least),
    latencyP50Ms: merge(timeline.latencyP50Ms, median),
    latencyP99Ms: merge(timeline.latencyP99Ms, worst),
    errors: merge(timeline.errors, total),
  };
}
