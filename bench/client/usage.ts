/**
 * What a piece of work takes of the process that does it: processor time, system calls, memory.
 */
import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Taken } from './orders.ts';

const IO_FILE = '/proc/self/io';

/** The kernel's counters of this process, by name; empty where there are none. */
function readCounters(): Map<string, number> {
  let text = '';
  try {
    text = readFileSync(IO_FILE, 'utf8');
  } catch {
    // Not Linux, or not allowed: the counters stay 0.
  }
  return new Map(
    text.split('\n').map((line): [string, number] => {
      const [name, value] = line.split(': ');
      return [name, Number(value)];
    }),
  );
}

let collections = 0;
const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
/** Memory is looked at only where asked for, because that takes time. */
const hasMemory = globalThis.gc !== undefined;
if (hasMemory) observer.observe({ entryTypes: ['gc'] });

/** Does `work`, which resolves to how many messages it was, and says what it took. */
export async function measureUsage(work: () => Promise<number>): Promise<Taken> {
  if (hasMemory) {
    globalThis.gc?.();
    await nextTurn(); // collections are told of late
    observer.takeRecords();
    collections = 0;
  }
  const counters = readCounters();
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const count = await work();
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  const memoryAfter = process.memoryUsage();
  const after = readCounters();
  const more = (name: string): number => (after.get(name) ?? 0) - (counters.get(name) ?? 0);
  return {
    count,
    ms,
    cpuMicroseconds: user + system,
    reads: more('syscr'),
    writes: more('syscw'),
    bytesRead: more('rchar'),
    bytesWritten: more('wchar'),
    heapBytes: hasMemory ? memoryAfter.heapUsed - memory.heapUsed : 0,
    bufferBytes: hasMemory ? memoryAfter.external - memory.external : 0,
    collections: collections + (hasMemory ? observer.takeRecords().length : 0),
  };
}
