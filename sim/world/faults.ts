/**
 * What goes wrong in a world, and when: drawn from its seed before it begins, so that it can be shown, played again, and
 * made smaller. Each seed draws which kinds there are at all, and how hard they are.
 */
import type { SimRandom } from './random.ts';

/** Every kind of fault, with the longest time it lasts, in milliseconds; 0 for what is over at once. */
export const FAULT_KINDS = {
  /** The connection breaks; each end learns of it in its own time. */
  reset: 5000,
  /** Nothing gets through any more, and nobody is told. */
  'half-open': 0,
  /** Whoever closes next, the other does not learn of it. */
  'lost-closing': 0,
  /** Nothing arrives for a while, then all of it. */
  stall: 120_000,
  /** Connections are refused for a while. */
  refuse: 120_000,
  /** The name is not found for a while. */
  'no-name': 120_000,
  /** Who connects hears nothing for a while. */
  'no-answer': 120_000,
  /** The device's power is off for a while. */
  'power-cut': 180_000,
  /** The same, but it goes at the next write to its store. */
  'power-cut-in-write': 180_000,
  /** The device's store takes nothing for a while. */
  'store-fails': 60_000,
  /** The device's clock jumps forward. */
  'clock-jump': 600_000,
  /** The broker dies, and comes back with its state. */
  'broker-crash': 60_000,
  /** The broker dies, and another takes its place that knows nothing. */
  'broker-forgets': 60_000,
  /** The broker cuts a client off. */
  'broker-cuts': 0,
  /** The broker's disk is slow for a while. */
  'slow-disk': 60_000,
  /** The device says DISCONNECT, and is away for a while. */
  goodbye: 120_000,
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

export const FAULT_NAMES = Object.keys(FAULT_KINDS) as FaultKind[];

/** Faults that are the broker's: they have no device. */
export const OF_BROKER: readonly FaultKind[] = ['broker-crash', 'broker-forgets', 'slow-disk'];

/** One thing that goes wrong. */
export interface Fault {
  /** Milliseconds since the world began. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Index of the device, or -1. */
  readonly device: number;
  /** How long it lasts. */
  readonly ms: number;
}

/** Of a thousand seeds, how many have a kind at all. Losing all state excuses much: few do. */
function perMilleOf(kind: FaultKind): number {
  return kind === 'broker-forgets' ? 120 : 450;
}

/**
 * Draws the faults of a world: of the kinds `allowed`, from `fromMs` on and over by `untilMs`, in order of time.
 */
export function drawFaults(
  random: SimRandom,
  devices: number,
  fromMs: number,
  untilMs: number,
  allowed: readonly FaultKind[],
): Fault[] {
  const faults: Fault[] = [];
  for (const [index, kind] of FAULT_NAMES.entries()) {
    const isOn = random.isChance(perMilleOf(kind));
    // The hardest is one every half minute, the mildest one an hour.
    const everyMs = random.between(30_000, random.between(60_000, 3_600_000));
    // Of a kind alone: leaving one out leaves the others as they were.
    const own = random.fork(index);
    if (!isOn || !allowed.includes(kind)) continue;
    const firstMs = fromMs + own.between(0, 2 * everyMs);
    for (let atMs = firstMs; atMs < untilMs; atMs += own.between(1, 2 * everyMs)) {
      const device = OF_BROKER.includes(kind) ? -1 : own.below(devices);
      const ms = Math.min(own.between(0, FAULT_KINDS[kind]), untilMs - atMs);
      faults.push({ atMs, kind, device, ms });
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** A fault as people read it, and as `parseFault` reads it back. */
export function formatFault({ atMs, kind, device, ms }: Fault): string {
  return `${atMs} ${kind} ${device} ${ms}`;
}

/** Reads what formatFault wrote. Throws a SyntaxError for anything else. */
export function parseFault(line: string): Fault {
  const [atMs, kind, device, ms] = line.trim().split(' ');
  const fault = { atMs: Number(atMs), kind: kind as FaultKind, device: Number(device), ms: Number(ms) };
  const isRight =
    FAULT_NAMES.includes(fault.kind) && [fault.atMs, fault.device, fault.ms].every(Number.isInteger);
  if (!isRight) throw new SyntaxError(`not a fault: ${line}`);
  return fault;
}
