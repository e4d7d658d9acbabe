/**
 * The flags of `motemq sim` as what is to be run: which seeds, of which world, with which faults. Runs nothing.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { BrokerKind } from '../../sim/world/broker-process.ts';
import { FAULT_NAMES, type Fault, type FaultKind } from '../../sim/world/faults.ts';
import { DEVICES_MAX, HOURS_MAX, SEED_MAX, parseSchedule } from '../../sim/world/schedule.ts';
import { DEVICES_DEFAULT, DURATION_MS_DEFAULT } from '../../sim/world/world.ts';
import { CommandError, UsageError } from './exit-status.ts';
import { nearestName } from './nearest.ts';

const HOUR_MS = 3_600_000;
/** Seeds nobody chose, when nobody says how many. */
const FRESH_SEEDS_DEFAULT = 200;
/** A thousandth of an hour is enough for a device to connect and say something. */
const HOURS_MIN = 0.001;

/** First and last, or how many fresh ones. */
export type SeedRange = { readonly from: number; readonly to: number } | { readonly fresh: number };

/** The options as commander gives them. */
export interface SimFlags {
  seed?: number;
  seeds?: SeedRange;
  devices?: number;
  hours?: number;
  faults?: readonly FaultKind[];
  trace?: boolean;
  replay?: string;
  replayOut?: string;
  shrink?: number;
  workers?: number;
  engine?: 'node' | 'xs';
  broker?: BrokerKind | 'both';
  real?: 'mosquitto' | 'motemq';
  server?: string;
  seconds?: number;
  json?: string;
}

/** What is to be run. */
export interface SimPlan {
  readonly from: number;
  readonly to: number;
  readonly devices: number;
  readonly durationMs: number;
  readonly faultKinds: readonly FaultKind[];
  /** Undefined: each seed draws it. */
  readonly broker: BrokerKind | undefined;
  /** Of a replay; undefined: each seed draws its own. */
  readonly faults: readonly Fault[] | undefined;
  /** In a few words. */
  readonly what: string;
}

function seedOf(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (seed <= SEED_MAX) return seed;
  throw new InvalidArgumentError(`A seed is a whole number from 0 to ${SEED_MAX}.`);
}

export function parseSeed(text: string): number {
  return seedOf(text);
}

/** `1..2000`, or `2000`. */
export function parseSeeds(text: string): SeedRange {
  const [first, last, ...more] = text.split('..');
  if (last === undefined) {
    const fresh = seedOf(first);
    if (fresh === 0) throw new InvalidArgumentError('It must be at least one seed.');
    return { fresh };
  }
  const [from, to] = [seedOf(first), seedOf(last)];
  if (more.length > 0 || to < from) {
    throw new InvalidArgumentError(
      'It must be FROM..TO, the first and the last seed, or how many fresh ones.',
    );
  }
  return { from, to };
}

export function parseHours(text: string): number {
  const hours = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (hours >= HOURS_MIN && hours <= HOURS_MAX) return hours;
  throw new InvalidArgumentError(`It must be a number of hours from ${HOURS_MIN} to ${HOURS_MAX}.`);
}

export function parseDevices(text: string): number {
  const devices = /^\d+$/.test(text) ? Number(text) : NaN;
  if (devices >= 1 && devices <= DEVICES_MAX) return devices;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${DEVICES_MAX}.`);
}

/** `reset,stall`, `none`, `all`, `-clock-jump`: in the order of FAULT_NAMES. */
export function parseFaults(text: string): FaultKind[] {
  const words = text.split(',').map((word) => word.trim());
  // Who only leaves out leaves out of all.
  const chosen = new Set<FaultKind>(words[0].startsWith('-') ? FAULT_NAMES : []);
  for (const word of words) {
    if (word === 'all') for (const kind of FAULT_NAMES) chosen.add(kind);
    else if (word === 'none') chosen.clear();
    else if (word.startsWith('-')) chosen.delete(kindOf(word.slice(1)));
    else chosen.add(kindOf(word));
  }
  return FAULT_NAMES.filter((kind) => chosen.has(kind));
}

function kindOf(word: string): FaultKind {
  const kind = FAULT_NAMES.find((name) => name === word);
  if (kind !== undefined) return kind;
  const nearest = nearestName(word, [...FAULT_NAMES, 'all', 'none']);
  throw new InvalidArgumentError(
    nearest === undefined
      ? `There is no fault "${word}". There are: ${FAULT_NAMES.join(', ')}.`
      : `There is no fault "${word}". Is it ${nearest}?`,
  );
}

/** Throws a CommandError for flags that make no sense, and for a replay that cannot be read. */
export function planOf(flags: SimFlags): SimPlan {
  if (flags.engine === 'xs' && flags.workers !== undefined) {
    throw new UsageError('--workers: with --engine xs, worlds run one after the other');
  }
  if (flags.replay !== undefined) return replayPlan(flags, flags.replay);
  const { seed, seeds, devices = DEVICES_DEFAULT, hours, faults = FAULT_NAMES } = flags;
  if (seed !== undefined && seeds !== undefined) throw new UsageError('--seed and --seeds: one of them');
  const durationMs = hours === undefined ? DURATION_MS_DEFAULT : Math.round(hours * HOUR_MS);
  const range = seed === undefined ? (seeds ?? { fresh: FRESH_SEEDS_DEFAULT }) : { from: seed, to: seed };
  const broker = flags.broker === 'both' ? undefined : flags.broker;
  const common = { devices, durationMs, faultKinds: faults, broker, faults: undefined };
  const plan = { ...common, ...('fresh' in range ? freshSeeds(range.fresh) : namedSeeds(range)) };
  if (flags.trace && plan.to > plan.from) throw new UsageError('--trace takes one seed: --seed or --replay');
  return plan;
}

function freshSeeds(fresh: number): Pick<SimPlan, 'from' | 'to' | 'what'> {
  const from = randomInt(0, SEED_MAX + 2 - fresh);
  const to = from + fresh - 1;
  return { from, to, what: `seeds ${from}..${to}, fresh` };
}

function namedSeeds({ from, to }: { from: number; to: number }): Pick<SimPlan, 'from' | 'to' | 'what'> {
  return { from, to, what: from === to ? `seed ${from}` : `seeds ${from}..${to}` };
}

function replayPlan(flags: SimFlags, file: string): SimPlan {
  for (const name of ['seed', 'seeds', 'devices', 'hours', 'faults', 'broker'] as const) {
    if (flags[name] !== undefined) throw new UsageError(`--${name}: with --replay, the file says so`);
  }
  try {
    const { seed, devices, durationMs, broker, faults } = parseSchedule(readFileSync(file, 'utf8'));
    return {
      from: seed,
      to: seed,
      devices,
      durationMs,
      faultKinds: FAULT_NAMES,
      broker,
      faults,
      what: `${file}, seed ${seed}`,
    };
  } catch (error) {
    const { message } = error as Error;
    throw new CommandError(error instanceof SyntaxError ? `${file}, ${message}` : `--replay: ${message}`);
  }
}
