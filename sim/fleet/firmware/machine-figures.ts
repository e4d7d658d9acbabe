/**
 * What a run's machines have used, summed up: for the result, and in a few words for the live view.
 */
import { ESP32_HEAP } from '../../xs/machine.ts';
import { formatCount } from '../format.ts';
import type { FleetMachines, FleetSpread } from '../report.ts';
import type { MachineFigures, XsDevice } from './xs-device.ts';

type Machines = readonly Pick<XsDevice, 'figures'>[];

function spreadOf(values: readonly (number | undefined)[]): FleetSpread {
  const sorted = values.filter((value) => value !== undefined).sort((left, right) => left - right);
  if (sorted.length === 0) return { median: 0, max: 0 };
  return { median: Math.round(sorted[sorted.length >> 1]), max: Math.round(sorted[sorted.length - 1]) };
}

function figuresOf(machines: Machines): MachineFigures[] {
  return machines.map((machine) => machine.figures()).filter((figures) => figures !== undefined);
}

/** Figures of all machines; undefined when none has run. */
export function summariseMachines(machines: Machines, died: number): FleetMachines | undefined {
  const figures = figuresOf(machines);
  if (figures.length === 0) return undefined;
  return {
    count: figures.length,
    died,
    slotsMax: ESP32_HEAP.slots,
    chunkBytesMax: ESP32_HEAP.chunkBytes,
    slotsPeak: spreadOf(figures.map((one) => one.slotsPeak)),
    chunkBytesPeak: spreadOf(figures.map((one) => one.chunkBytesPeak)),
    slots: spreadOf(figures.map((one) => one.slots)),
    chunkBytes: spreadOf(figures.map((one) => one.chunkBytes)),
    computronsPerSecond: spreadOf(figures.map((one) => one.computronsPerSecond)),
  };
}

/** ` · 683 of 2,048 slots, 8,608 of 32,768 bytes of chunks` for the machine that needs most, or nothing yet. */
export function machinesText(machines: Machines): string {
  const figures = figuresOf(machines);
  const slots = Math.max(0, ...figures.map((one) => one.slots ?? 0));
  const chunkBytes = Math.max(0, ...figures.map((one) => one.chunkBytes ?? 0));
  if (slots === 0) return '';
  const of = (part: number, whole: number): string => `${formatCount(part)} of ${formatCount(whole)}`;
  return ` · ${of(slots, ESP32_HEAP.slots)} slots, ${of(chunkBytes, ESP32_HEAP.chunkBytes)} bytes of chunks`;
}
