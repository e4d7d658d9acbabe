/**
 * A world as a text that people read, keep and change: its seed, how many devices, how long, and what goes wrong, a line
 * each. Comments begin with `#`. Knows no files.
 */
import { BROKER_KINDS, type BrokerKind } from './broker-process.ts';
import { FAULT_KINDS, OF_BROKER, formatFault, parseFault, type Fault } from './faults.ts';
import { FAULTS_FROM_MS, type WorldOptions } from './world.ts';

/** What runs a world again. */
export interface Schedule {
  readonly seed: number;
  readonly devices: number;
  /** Virtual milliseconds in which things go wrong. */
  readonly durationMs: number;
  /** Undefined: as the seed draws it. */
  readonly broker?: BrokerKind | undefined;
  readonly faults: readonly Fault[];
}

export const SEED_MAX = 4_294_967_295;
export const DEVICES_MAX = 1000;
export const HOURS_MAX = 10_000;
const HOUR_MS = 3_600_000;

/** `comment` may have several lines. */
export function formatSchedule(schedule: Schedule, comment: string): string {
  const { seed, devices, durationMs, broker, faults } = schedule;
  return [
    ...comment.split('\n').map((line) => `# ${line}`.trimEnd()),
    `seed ${seed}`,
    `devices ${devices}`,
    `hours ${durationMs / HOUR_MS}`,
    ...(broker === undefined ? [] : [`broker ${broker}`]),
    '# at (ms), what, which device, how long (ms)',
    ...faults.map(formatFault),
    '',
  ].join('\n');
}

/**
 * Reads what formatSchedule wrote, or somebody by hand.
 *
 * @throws {SyntaxError} beginning with the line's number
 */
export function parseSchedule(text: string): Schedule {
  const header = new Map<string, number>();
  const faults: [line: number, fault: Fault][] = [];
  let broker: BrokerKind | undefined;
  const lines = text.split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    try {
      if (/^\d/.test(line)) faults.push([index + 1, readFault(line)]);
      else if (line.startsWith('broker ')) broker = readBroker(line, broker);
      else readHeader(line, header);
    } catch (error) {
      throw new SyntaxError(`line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
  const [seed, devices, hours] = HEADER.map(({ name }) => {
    const value = header.get(name);
    if (value === undefined) throw new SyntaxError(`line ${lines.length}: there is no line "${name} …"`);
    return value;
  });
  const durationMs = Math.round(hours * HOUR_MS);
  for (const [line, fault] of faults) {
    const problem = problemOf(fault, devices, durationMs);
    if (problem !== null) throw new SyntaxError(`line ${line}: ${problem}`);
  }
  return {
    seed,
    devices,
    durationMs,
    ...(broker === undefined ? {} : { broker }),
    faults: faults.map(([, fault]) => fault).sort((a, b) => a.atMs - b.atMs),
  };
}

/** What runWorld takes. */
export function optionsOfSchedule(schedule: Schedule): WorldOptions {
  return { ...schedule };
}

const HEADER = [
  { name: 'seed', least: 0, most: SEED_MAX, isWhole: true },
  { name: 'devices', least: 1, most: DEVICES_MAX, isWhole: true },
  { name: 'hours', least: 0.001, most: HOURS_MAX, isWhole: false },
] as const;

function readHeader(line: string, header: Map<string, number>): void {
  const [name, ...values] = line.split(/\s+/);
  const row = HEADER.find((one) => one.name === name);
  if (row === undefined) throw new SyntaxError(`neither a fault nor seed, devices, hours or broker: ${line}`);
  const { least, most, isWhole } = row;
  const value = values.join(' ');
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
  const isRight = number >= least && number <= most && (!isWhole || Number.isInteger(number));
  if (!isRight) {
    const kind = isWhole ? 'whole number' : 'number';
    throw new SyntaxError(`${name} is a ${kind} from ${least} to ${most}, not "${value}"`);
  }
  if (header.has(name)) throw new SyntaxError(`${name} is there twice`);
  header.set(name, number);
}

function readBroker(line: string, before: BrokerKind | undefined): BrokerKind {
  const name = line.slice('broker '.length).trim();
  const broker = BROKER_KINDS.find((kind) => kind === name);
  if (broker === undefined) throw new SyntaxError(`broker is ${BROKER_KINDS.join(' or ')}, not "${name}"`);
  if (before !== undefined) throw new SyntaxError('broker is there twice');
  return broker;
}

function readFault(line: string): Fault {
  return parseFault(line.replace(/\s+/g, ' '));
}

/** What would have a world check what it cannot. */
function problemOf({ atMs, kind, device, ms }: Fault, devices: number, durationMs: number): string | null {
  const isOfBroker = OF_BROKER.includes(kind);
  if (isOfBroker && device !== -1) return `${kind} is the broker's: its device is -1`;
  if (!isOfBroker && (device < 0 || device >= devices)) return `there is no device ${device} of ${devices}`;
  if (ms < 0 || ms > FAULT_KINDS[kind]) return `${kind} lasts 0 to ${FAULT_KINDS[kind]} ms, not ${ms}`;
  // The collector must be there before, and everything be well again at the end.
  if (atMs < FAULTS_FROM_MS) return `faults begin at ${FAULTS_FROM_MS} ms, not at ${atMs}`;
  const endMs = FAULTS_FROM_MS + durationMs;
  if (atMs + ms > endMs) return `it goes on to ${atMs + ms} ms, and faults end at ${endMs}`;
  return null;
}
