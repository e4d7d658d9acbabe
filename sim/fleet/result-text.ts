/**
 * What the summary and the page say of a result in the same words.
 */
import { formatCount, formatInterval } from './format.ts';
import type { FleetResult, FleetSpread } from './report.ts';

/** What kept the devices busy: `a message every 1 s`, `climate.js in XS machines`. */
export function loadText({ options, firmware }: FleetResult): string {
  if (firmware !== undefined) return `${firmware.file} ${engineText(firmware.engine)}`;
  return options.intervalMs === undefined ? '' : `a message every ${formatInterval(options.intervalMs)}`;
}

export function engineText(engine: 'node' | 'xs'): string {
  return engine === 'xs' ? 'in XS machines' : 'on Node';
}

/** A figure of machines: the median, and the highest. */
export interface MachineRow {
  name: string;
  value: string;
  detail: string;
}

/** The figures of a machine, those of slots before those of chunks. */
export function machineRows({ firmware }: FleetResult): MachineRow[] {
  const machines = firmware?.machines;
  if (machines === undefined) return [];
  const row = (name: string, { median, max }: FleetSpread, unit: string): MachineRow => ({
    name,
    value: formatCount(median) + unit,
    detail: `most ${formatCount(max)}${unit}`,
  });
  return [
    row(`slots of ${formatCount(machines.slotsMax)}`, machines.slots, ''),
    row('with garbage', machines.slotsPeak, ''),
    row(`chunks of ${machines.chunkBytesMax / 1024} KiB`, machines.chunkBytes, ' B'),
    row('with garbage', machines.chunkBytesPeak, ' B'),
    row('computrons', machines.computronsPerSecond, '/s'),
  ];
}
