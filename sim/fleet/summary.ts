/**
 * The end of a run on a terminal: verdict, tables side by side, what happened over time, and the devices and events
 * worth a look. Draws a {@link FleetResult}; computes nothing that is not in it. No line is wider than 100 columns.
 */
import pc from 'picocolors';
import {
  cleanText,
  fitText,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatLatency,
  formatLatencyTick,
  formatShare,
  padText,
  shrink,
  sparkline,
  textWidth,
} from './format.ts';
import type { FleetEventKind, FleetOutlier, FleetResult } from './report.ts';
import { engineText, loadText, machineRows } from './result-text.ts';

export interface SummaryOptions {
  /** The terminal's columns; the summary uses 60 to 100. Default 100. */
  columns?: number;
  /** Default false. */
  colour?: boolean;
}

const COLUMNS_MIN = 60;
const COLUMNS_MAX = 100;
/** From this width on, sections stand side by side. */
const TWO_COLUMNS_FROM = 88;
const INDENT = '  ';
const LABEL_COLUMNS = 17;
const VALUE_COLUMNS = 12;
/** The latency distribution beside the percentiles, over a logarithmic axis. */
const SHAPE_COLUMNS = 14;
const OUTLIERS_MAX = 5;
const EVENTS_MAX = 10;

type Paint = (text: string) => string;
type Painter = ReturnType<typeof pc.createColors>;

/** A line and the columns it takes: paint adds characters that take none. */
interface Line {
  text: string;
  width: number;
}

/** A row of a section: label, value, and what puts the value in perspective. */
interface Row {
  label: string;
  value: string;
  detail?: string;
  paint?: Paint;
}

/** Renders the summary, ending in a newline. */
export function renderSummary(result: FleetResult, options: SummaryOptions = {}): string {
  const paint = pc.createColors(options.colour === true);
  const columns = Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, options.columns ?? COLUMNS_MAX));
  const isWide = columns >= TWO_COLUMNS_FROM;
  const sectionColumns = isWide ? Math.floor((columns - 4) / 2) : columns - INDENT.length;

  const sections = [
    section('Messages', messageRows(result, paint), sectionColumns, paint),
    section('Latency, publish to collector', latencyRows(result), sectionColumns, paint),
    section('Connections', connectionRows(result, paint), sectionColumns, paint),
    section('Bytes of MQTT, all devices', byteRows(result), sectionColumns, paint),
    section(memoryTitle(result), memoryRows(result), sectionColumns, paint),
    section('Run', runRows(result), sectionColumns, paint),
  ];
  const lines = [...heading(result, columns, paint), ''];
  for (let index = 0; index < sections.length; index += isWide ? 2 : 1) {
    const pair = isWide ? sideBySide(sections[index], sections[index + 1], sectionColumns) : sections[index];
    lines.push(...pair.map((line) => (INDENT + line.text).trimEnd()), '');
  }
  lines.push(...overTime(result, columns, paint));
  lines.push(...outliers(result, columns, paint));
  lines.push(...events(result, columns, paint));
  return `${lines.join('\n').trimEnd()}\n`;
}

function heading(result: FleetResult, columns: number, paint: Painter): string[] {
  const { options, protocol, verdict, totals } = result;
  const word = verdict.ok ? ' PASS ' : ' FAIL ';
  const badge = verdict.ok
    ? paint.bgGreen(paint.black(paint.bold(word)))
    : paint.bgRed(paint.white(paint.bold(word)));
  const share = formatShare(totals.delivered, totals.sent);
  const claim = `${share} of ${formatCount(totals.sent)} messages delivered at QoS ${options.qos}`;
  const what = [
    `${formatCount(options.devices)} devices`,
    loadText(result),
    formatDuration(result.elapsedMs),
    `MQTT ${protocol.version}`,
    result.broker.url,
  ].join(' · ');
  const room = columns - INDENT.length;
  const lines = [
    '',
    `${INDENT}${badge} ${paint.bold(fitText(claim, room - word.length - 1))}`,
    `${INDENT}${paint.dim(fitText(cleanText(what), room))}`,
  ];
  for (const reason of verdict.reasons) lines.push(...bullet(paint.red('✖'), reason, room));
  for (const remark of verdict.remarks) lines.push(...bullet(paint.yellow('·'), remark, room));
  return lines;
}

/** Wraps at spaces, as a sentence that says why must not be cut. */
function bullet(mark: string, sentence: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of cleanText(sentence).split(' ')) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > room - 2) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  lines.push(line);
  return lines.map((text, index) => `${INDENT}${index === 0 ? mark : ' '} ${fitText(text, room - 2)}`);
}

function messageRows({ totals, rates, options, firmware }: FleetResult, paint: Painter): Row[] {
  const fatal = options.qos > 0 ? paint.red : paint.yellow;
  const rows: Row[] = [
    { label: 'sent', value: formatCount(totals.sent), detail: `${formatCount(rates.sentPerSecondMean)}/s` },
    {
      label: 'delivered',
      value: formatCount(totals.delivered),
      detail: formatShare(totals.delivered, totals.sent),
    },
    { label: 'lost', value: formatCount(totals.lost), ...alarm(totals.lost, fatal) },
    {
      label: 'duplicated',
      value: formatCount(totals.duplicated),
      ...alarm(totals.duplicated, options.qos === 2 ? paint.red : paint.yellow),
    },
    {
      label: 'out of order',
      value: formatCount(totals.outOfOrder),
      ...alarm(totals.outOfOrder, paint.yellow),
    },
  ];
  if (options.qos > 0) {
    rows.push({
      label: 'unacknowledged',
      value: formatCount(totals.unacknowledged),
      ...alarm(totals.unacknowledged, paint.yellow),
    });
  }
  if (firmware !== undefined) {
    const dropped = `${formatCount(firmware.dropped)} dropped`;
    rows.push({ label: 'samples in them', value: formatCount(firmware.samples), detail: dropped });
  }
  return rows;
}

function latencyRows({ latency, latencyDistribution }: FleetResult): Row[] {
  if (latency === null) return [{ label: 'none', value: '–', detail: 'nothing was delivered' }];
  const bins = latencyDistribution;
  const shape = sparkline(
    shrink(bins, SHAPE_COLUMNS, mergeBins).map((bin) => (bin.count === 0 ? null : bin.count)),
    SHAPE_COLUMNS,
  );
  const spread =
    bins.length === 0
      ? ''
      : `${formatLatencyTick(bins[0].fromMs)} – ${formatLatencyTick(bins[bins.length - 1].toMs)}`;
  return [
    { label: 'p50', value: formatLatency(latency.p50Ms) },
    { label: 'p90', value: formatLatency(latency.p90Ms) },
    { label: 'p99', value: formatLatency(latency.p99Ms), detail: shape },
    { label: 'p99.9', value: formatLatency(latency.p999Ms), detail: spread },
    { label: 'max', value: formatLatency(latency.maxMs) },
    { label: 'mean', value: formatLatency(latency.meanMs) },
  ];
}

function mergeBins(
  group: readonly FleetResult['latencyDistribution'][number][],
): FleetResult['latencyDistribution'][number] {
  const count = group.reduce((sum, bin) => sum + bin.count, 0);
  return { fromMs: group[0].fromMs, toMs: group[group.length - 1].toMs, count };
}

function connectionRows(result: FleetResult, paint: Painter): Row[] {
  const { connections } = result;
  return [
    { label: 'connects', value: formatCount(connections.connects) },
    {
      label: 'reconnects',
      value: formatCount(connections.reconnects),
      ...alarm(connections.reconnects, paint.yellow),
    },
    { label: 'refused', value: formatCount(connections.refused), ...alarm(connections.refused, paint.red) },
    {
      label: 'failures',
      value: formatCount(connections.failures),
      ...alarm(connections.failures, paint.red),
    },
    { label: 'births seen', value: formatCount(connections.births) },
    { label: 'wills seen', value: formatCount(connections.wills) },
    commandRow(result),
  ];
}

/** Who commands devices with firmware is not the fleet: it sees what they obeyed. */
function commandRow({ connections, firmware }: FleetResult): Row {
  if (firmware !== undefined) {
    return { label: 'commands obeyed', value: formatCount(connections.commandsReceived) };
  }
  return {
    label: 'commands',
    value: formatCount(connections.commandsSent),
    detail: `${formatCount(connections.commandsAnswered)} answered`,
  };
}

function byteRows({ bytes, totals, protocol }: FleetResult): Row[] {
  const perMessage = (count: number): string =>
    totals.sent > 0 ? `${formatBytes(count / totals.sent)} a message` : '';
  return [
    { label: 'written', value: formatBytes(bytes.wireOut), detail: perMessage(bytes.wireOut) },
    {
      label: 'without aliases',
      value: formatBytes(bytes.outWithoutAliases),
      detail: perMessage(bytes.outWithoutAliases),
    },
    {
      label: 'saved by aliases',
      value: formatShare(bytes.outWithoutAliases - bytes.wireOut, bytes.outWithoutAliases),
      detail: protocol.topicAliases ? '' : 'not in use',
    },
    { label: 'read', value: formatBytes(bytes.wireIn) },
  ];
}

function memoryTitle({ firmware }: FleetResult): string {
  return firmware?.machines === undefined ? 'Memory of this process' : 'Heap of a machine, median';
}

function memoryRows(result: FleetResult): Row[] {
  const { memory, firmware } = result;
  if (firmware?.machines !== undefined) {
    return machineRows(result).map(({ name, value, detail }) => ({ label: name, value, detail }));
  }
  return [
    { label: 'a device', value: formatBytes(memory.rssBytesPerDevice), detail: 'resident' },
    { label: '', value: formatBytes(memory.heapBytesPerDevice), detail: 'JavaScript heap' },
    { label: '', value: formatBytes(memory.externalBytesPerDevice), detail: 'buffers' },
    { label: 'at its highest', value: formatBytes(memory.rssMaxBytes), detail: 'whole process' },
  ];
}

function runRows({ options, broker, host, protocol, firmware }: FleetResult): Row[] {
  const brokerName = broker.name ?? (broker.embedded ? 'embedded' : 'unknown broker');
  const what = firmware === undefined ? [] : [`${firmware.file} ${engineText(firmware.engine)}`];
  return [
    ...what.map((detail) => ({ label: 'firmware', value: '', detail: cleanText(detail) })),
    { label: 'broker', value: '', detail: cleanText(`${brokerName}, ${protocol.transport}`) },
    { label: 'topic', value: '', detail: cleanText(options.topic) },
    { label: 'seed', value: '', detail: String(options.seed) },
    {
      label: 'host',
      value: '',
      detail: `${host.cpuCount} × ${cleanText(host.cpuModel)}, Node ${host.nodeVersion}`,
    },
  ];
}

function alarm(value: number, paint: Paint): { paint?: Paint } {
  return value > 0 ? { paint } : {};
}

function section(title: string, rows: readonly Row[], columns: number, paint: Painter): Line[] {
  const name = fitText(title, columns);
  const lines: Line[] = [{ text: paint.bold(name), width: textWidth(name) }];
  for (const row of rows) {
    const label = padText(row.label, LABEL_COLUMNS);
    // A row without a value is text: its detail takes the value's place.
    const value = row.value === '' ? '' : padText(row.value, VALUE_COLUMNS, 'right');
    const detail = fitText(row.detail ?? '', columns - 2 - LABEL_COLUMNS - textWidth(value) - INDENT.length);
    const paintedValue = row.paint === undefined ? value : row.paint(value);
    lines.push({
      text: `${INDENT}${paint.dim(label)}${paintedValue}${INDENT}${row.value === '' ? detail : paint.dim(detail)}`,
      width: 2 + LABEL_COLUMNS + textWidth(value) + INDENT.length + textWidth(detail),
    });
  }
  return lines;
}

function sideBySide(left: readonly Line[], right: readonly Line[], columns: number): Line[] {
  const lines: Line[] = [];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const first = left[index] ?? { text: '', width: 0 };
    const second = right[index] ?? { text: '', width: 0 };
    const space = ' '.repeat(columns + 2 - first.width);
    lines.push({ text: first.text + space + second.text, width: columns + 2 + second.width });
  }
  return lines;
}

function overTime({ timeline }: FleetResult, columns: number, paint: Painter): string[] {
  if (timeline.sent.length < 2) return [];
  const room = columns - 2 * INDENT.length - LABEL_COLUMNS - 2 - VALUE_COLUMNS;
  const perSecond = 1000 / timeline.intervalMs;
  const mean = (group: readonly number[]): number =>
    group.reduce((sum, value) => sum + value, 0) / group.length;
  const worst = (group: readonly (number | null)[]): number | null =>
    group.reduce((most, value) => (value === null ? most : Math.max(most ?? 0, value)), null);
  const row = (name: string, values: readonly (number | null)[], highest: string, colour: Paint): string =>
    `${INDENT}${INDENT}${paint.dim(padText(name, LABEL_COLUMNS))}` +
    `${colour(padText(sparkline(values, room), Math.min(room, values.length)))}  ${highest}`;
  const most = (values: readonly (number | null)[]): number => values.reduce<number>((high, value) => Math.max(high, value ?? 0), 0); // prettier-ignore
  const sent = shrink(timeline.sent, room, mean);
  const delivered = shrink(timeline.delivered, room, mean);
  const latency = shrink(timeline.latencyP99Ms, room, worst);
  const span = formatDuration(timeline.sent.length * timeline.intervalMs);
  return [
    `${INDENT}${paint.bold('Over time')}${paint.dim(`, ${span}, highest at the right`)}`,
    row('sent', sent, `${formatCount(most(timeline.sent) * perSecond)}/s`, paint.blue),
    row('delivered', delivered, `${formatCount(most(timeline.delivered) * perSecond)}/s`, paint.cyan),
    row(
      'connected',
      shrink(timeline.connected, room, mean),
      formatCount(most(timeline.connected)),
      paint.green,
    ),
    row('latency p99', latency, formatLatency(most(timeline.latencyP99Ms)), paint.yellow),
    '',
  ];
}

function outliers({ outliers: worst }: FleetResult, columns: number, paint: Painter): string[] {
  const lost = worst.byLost.slice(0, OUTLIERS_MAX);
  const slow = worst.byLatency.slice(0, OUTLIERS_MAX);
  // A narrow terminal goes without the duplicates, so that the names stay readable.
  const fields: { name: string; width: number; of: (device: FleetOutlier) => string }[] = [
    { name: 'sent', width: 10, of: (device) => formatCount(device.sent) },
    { name: 'lost', width: 9, of: (device) => formatCount(device.lost) },
    { name: 'max latency', width: 14, of: (device) => formatLatency(device.latencyMaxMs) },
  ];
  if (columns >= 80) {
    fields.splice(2, 0, { name: 'duplicated', width: 12, of: (device) => formatCount(device.duplicated) });
  }
  const fieldColumns = fields.reduce((sum, field) => sum + field.width, 0);
  const idColumns = Math.min(30, columns - fieldColumns - 2 * INDENT.length);
  const table = (title: string, devices: readonly FleetOutlier[]): string[] => {
    if (devices.length === 0) return [];
    const heads = fields.map(({ name, width }) => padText(name, width, 'right')).join('');
    return [
      `${INDENT}${paint.bold(padText(title, idColumns + INDENT.length))}${paint.dim(heads)}`,
      ...devices.map((device) => {
        const cells = fields.map(({ width, of }) => padText(of(device), width, 'right')).join('');
        return `${INDENT}${INDENT}${padText(cleanText(device.clientId), idColumns)}${cells}`;
      }),
      '',
    ];
  };
  return [...table('Devices that lost most', lost), ...table('Slowest devices', slow)];
}

function events({ events: all }: FleetResult, columns: number, paint: Painter): string[] {
  if (all.length === 0) return [];
  const shown = all.slice(-EVENTS_MAX);
  const paints: Record<FleetEventKind, Paint> = {
    phase: paint.dim,
    note: paint.dim,
    reconnect: paint.yellow,
    fault: paint.yellow,
    refused: paint.red,
    error: paint.red,
  };
  const more =
    all.length > shown.length ? paint.dim(`, the last ${shown.length} of ${formatCount(all.length)}`) : '';
  return [
    `${INDENT}${paint.bold('Events')}${more}`,
    ...shown.map((event) => {
      const clock = formatClock(event.atMs).padStart(8);
      const kind = paints[event.kind](padText(event.kind, 10));
      const room = columns - 2 * INDENT.length - clock.length - 2 - 11;
      return `${INDENT}${INDENT}${paint.dim(clock)}  ${kind} ${fitText(cleanText(event.text), room)}`;
    }),
    '',
  ];
}
