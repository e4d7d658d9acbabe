/**
 * The figures of a run as Markdown, and how they get into a page: between two markers, so that none is typed by hand.
 */
import { CASES as CLIENT_CASES, type ClientFigures } from './client/client-bench.ts';
import { CASES as CODEC_CASES } from './codec-cases.ts';
import { noiseText } from './measure.ts';
import type { Results } from './results.ts';

const BEGIN = '<!-- figures: written by npm run bench -- --markdown, not by hand -->';
const END = '<!-- end of figures -->';

/** `text` with the figures of `results` between its markers. Throws when it has none. */
export function replaceFigures(text: string, results: Results): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} … ${END} to write between`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${figuresAsMarkdown(results)}\n\n${text.slice(end)}`;
}

type Cell = string | number;

function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const texts = [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows];
  return texts.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const micros = (value: number): string => value.toFixed(2);
const times = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)}×`;
const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
const figure = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

export function figuresAsMarkdown(results: Results): string {
  const sections = [
    runSection(results),
    clientSection(results),
    codecSection(results),
    wasmSection(results),
    connectionSection(results),
    fleetSection(results),
    manySection(results),
    allocationSection(results),
    growthSection(results),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function runSection({ run }: Results): string {
  const { date, node, cores, seconds, noise } = run;
  const noisy = noise === undefined ? '' : ` ${noiseText(noise).replace(/^n/, 'N')}.`;
  return `${date}, Node ${node}, ${cores} cores, ${seconds} s.${noisy}`;
}

function clientSection({ client }: Results): string {
  if (client === undefined) return '';
  const cases = CLIENT_CASES.filter(({ name }) => client[name] !== undefined);
  const hasMosquitto = cases.some(({ name }) => client[name].onMotemq !== undefined);
  const brokers: [string, (name: string) => ClientFigures | undefined][] = hasMosquitto
    ? [
        ['Mosquitto', (name) => client[name]],
        ['Our broker', (name) => client[name].onMotemq],
      ]
    : [['Our broker', (name) => client[name]]];
  const parts = brokers.map(([broker, of]) => {
    const rows: Cell[][] = [];
    const calls: Cell[][] = [];
    for (const { name, title } of cases) {
      const figures = of(name);
      if (figures === undefined) continue;
      rows.push([
        title,
        micros(figures.cpuMicroseconds),
        micros(figures.theirCpuMicroseconds),
        micros(figures.bareCpuMicroseconds),
        `**${times(figures.cpuRatio)}**`,
        whole(figures.perSecond),
        whole(figures.theirPerSecond),
        whole(figures.barePerSecond),
        `**${figures.vsSocket.toFixed(2)}**`,
      ]);
      const { ours, theirs, bare } = figures.calls;
      calls.push([
        title,
        ...[ours, theirs, bare].map((one) => `${one.writes.toFixed(3)} / ${one.reads.toFixed(3)}`),
        `${ours.bytesWritten.toFixed(0)} / ${ours.bytesRead.toFixed(0)}`,
        `${theirs.bytesWritten.toFixed(0)} / ${theirs.bytesRead.toFixed(0)}`,
      ]);
    }
    const head = ['', 'µs ours', 'MQTT.js', 'bare', 'less', 'messages/s ours', 'MQTT.js', 'bare', 'of bare'];
    const callHead = ['', 'writes / reads ours', 'MQTT.js', 'bare', 'bytes out / in ours', 'MQTT.js'];
    return (
      `**${broker}**: µs of the client's processor a message, and messages a second.\n\n${table(head, rows)}\n\n` +
      `Calls of the system and bytes for a message there:\n\n${table(callHead, calls)}`
    );
  });
  return `### Client against MQTT.js and a bare socket\n\n${parts.join('\n\n')}`;
}

function codecSection({ codec }: Results): string {
  if (codec === undefined) return '';
  const rows = CODEC_CASES.filter(({ name }) => codec[name] !== undefined).map(({ name, title }) => {
    const one = codec[name];
    return [
      title,
      whole(one.encodePerSecond),
      `**${times(one.encodeRatio)}**`,
      whole(one.decodePerSecond),
      `**${times(one.decodeRatio)}**`,
    ];
  });
  const head = ['', 'encode, packets/s', 'mqtt-packet ×', 'decode, packets/s', 'mqtt-packet ×'];
  return `### Codec against mqtt-packet\n\n${table(head, rows)}`;
}

function wasmSection({ wasm }: Results): string {
  if (wasm === undefined) return '';
  const rows = Object.entries(wasm).map(([name, ratio]) => [`\`${name}\``, `**${ratio.toFixed(2)}**`]);
  return `### WASM codec over the TypeScript codec\n\n${table(['', 'times as fast'], rows)}`;
}

function connectionSection({ connection }: Results): string {
  if (connection === undefined) return '';
  const { kinds } = connection;
  const titles = [
    ['bare socket', 'bare'],
    ['ours: session and driver', 'driver'],
    ['ours: promise client', 'client'],
    ['MQTT.js', 'theirs'],
  ] as const;
  const rows = titles.map(([title, kind]) => {
    const { rssBytes, heapBytes, bufferBytes, perSecond, cpuMicroseconds } = kinds[kind];
    return [
      title,
      kib(rssBytes),
      kind === 'bare' ? '' : kib(rssBytes - kinds.bare.rssBytes),
      kib(heapBytes + bufferBytes),
      whole(perSecond),
      whole(cpuMicroseconds),
    ];
  });
  const head = [
    '2,000 in a fresh process',
    'KiB of RSS',
    'beyond bare',
    'KiB of heap',
    'connects/s',
    'µs of processor',
  ];
  return (
    `### Connections\n\n${table(head, rows)}\n\nMQTT.js adds **${times(connection.extraMemoryRatio)}** what our client adds to a ` +
    `bare socket; ours connects at **${connection.connectVsSocket.toFixed(2)}** of bare sockets' rate, MQTT.js at ` +
    `${connection.theirConnectVsSocket.toFixed(2)}.`
  );
}

function fleetSection({ fleet }: Results): string {
  if (fleet === undefined) return '';
  const rows = Object.entries(fleet).map(([name, one]) => [
    name === 'publish0' ? 'QoS 0' : 'QoS 1',
    micros(one.cpuMicroseconds),
    micros(one.theirCpuMicroseconds),
    micros(one.bareCpuMicroseconds),
    `**${one.cpuRatio.toFixed(2)}×**`,
    kib(one.rssBytes),
    kib(one.theirRssBytes),
    kib(one.bareRssBytes),
    `**${one.memoryRatio.toFixed(2)}×**`,
  ]);
  const head = ['1,000 devices', 'µs ours', 'MQTT.js', 'bare', 'less', 'KiB ours', 'MQTT.js', 'bare', 'less'];
  return `### Fleet: µs of processor a message, KiB of RSS a device\n\n${table(head, rows)}`;
}

function manySection({ many }: Results): string {
  if (many === undefined) return '';
  const rows = [
    ['devices in one process', whole(many.devices)],
    ['messages delivered, of those sent', `${whole(many.delivered)} of ${whole(many.sent)}`],
    ['messages a second', whole(many.sentPerSecond)],
    ['KiB of RSS a device', kib(many.rssBytes)],
    ['latency, median and 99th percentile', `${many.p50Ms.toFixed(1)} ms, ${many.p99Ms.toFixed(0)} ms`],
  ];
  return `### As many devices as descriptors allow, up to 20,000\n\n${table(['', ''], rows)}`;
}

function allocationSection({ allocation }: Results): string {
  if (allocation === undefined) return '';
  const rows = Object.entries(allocation).map(([name, { bytes, theirBytes }]) => [
    `\`${name}\``,
    whole(bytes),
    whole(theirBytes),
  ]);
  return `### Bytes allocated for an operation\n\n${table(['', 'ours', 'theirs'], rows)}`;
}

function growthSection({ growth }: Results): string {
  if (growth === undefined) return '';
  const rows = Object.values(growth).map(({ title, xTitle, unit, points }) => {
    const ends = [points[0], points[points.length - 1]];
    return [
      `${title}, ${unit}`,
      `${ends.map(({ x }) => x.toLocaleString('en')).join(' → ')} ${xTitle}`,
      ends.map(({ ours }) => figure(ours)).join(' → '),
      ends.map(({ theirs }) => figure(theirs)).join(' → '),
    ];
  });
  return `### Growth\n\n${table(['', 'from → to', 'ours', 'theirs'], rows)}`;
}
