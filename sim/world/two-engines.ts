/**
 * Runs worlds on the XS engine, in a machine of their own, and compares them with the same worlds here: what is not the
 * same on both is told by the first line of the trace in which they differ. Knows nothing of what happens in a world.
 */
import { ESP32_HEAP, XsMachine, type XsHeap } from '../xs/machine.ts';
import { runWorld, type WorldOptions, type WorldResult } from './world.ts';
import type { XsWorldRequest } from './xs-guest.ts';

/** A world is not a board: broker, network and checkers need room, too. */
export const WORLD_HEAP: XsHeap = {
  chunkBytes: 64 * 1024 * 1024,
  slots: 1_500_000,
  stack: 16 * ESP32_HEAP.stack,
  keys: 16_000,
};

const HASH_DIGITS = 16;
const TAIL_LINES = 60;

export interface XsWorldsOptions {
  /** Path of the worker: see prepareXsEngine. */
  readonly worker: string;
  /** Path of xs-guest as JavaScript: built, or bundled. */
  readonly guest: string;
  /** Modules that the guest imports by name, as paths, which a board would have in flash. */
  readonly preloaded?: Readonly<Record<string, string>> | undefined;
}

/** A machine that runs one world after the other. */
export class XsWorlds {
  private readonly machine: XsMachine;
  private sink: ((line: string) => void) | undefined;
  private take: (result: WorldResult) => void = () => undefined;

  private constructor(machine: XsMachine) {
    this.machine = machine;
  }

  static async start({ worker, guest, preloaded = {} }: XsWorldsOptions): Promise<XsWorlds> {
    const made: { worlds?: XsWorlds } = {};
    const machine = await XsMachine.start({
      worker,
      heap: WORLD_HEAP,
      modules: { ...preloaded },
      preload: Object.keys(preloaded),
      onPrint: (line) => made.worlds?.sink?.(line),
      onMessage: (bytes) => made.worlds?.take(JSON.parse(Buffer.from(bytes).toString()) as WorldResult),
    });
    const worlds = new XsWorlds(machine);
    made.worlds = worlds;
    try {
      await machine.import(guest);
    } catch (error) {
      await machine.stop();
      throw error;
    }
    return worlds;
  }

  /** Runs one world; not before the one before has come to its end. Rejects when the machine ends over it. */
  async run({ onTrace, ...options }: WorldOptions): Promise<WorldResult> {
    this.sink = onTrace;
    const request: XsWorldRequest = { options, isTraced: onTrace !== undefined };
    const result = new Promise<WorldResult>((resolve) => {
      this.take = resolve;
    });
    // What was posted by then has come: the machine says that it stands still after all else.
    await this.machine.post(Buffer.from(JSON.stringify(request)));
    return result;
  }

  stop(): Promise<void> {
    return this.machine.stop();
  }
}

/** Where the two are no longer the same. */
export interface Difference {
  atMs: number;
  text: string;
  /** The lines up to it, as they are here. */
  tail: string[];
}

/**
 * Runs a world on XS and here. Returns what it came to on XS. Where the two differ, and be it in the text of an exception,
 * the first violation is of the rule `engine`, and says in which line they do.
 */
export async function runOnBoth(worlds: Pick<XsWorlds, 'run'>, options: WorldOptions): Promise<WorldResult> {
  const { onTrace: _, ...others } = options;
  const [theirs, ours] = await Promise.all([worlds.run(options), runWorld(others)]);
  if (theirs.hash === ours.hash) return theirs;
  const { atMs, text, tail } = await findDifference(worlds, others);
  return { ...theirs, violations: [{ atMs, rule: 'engine', text }, ...theirs.violations], tail };
}

/** Runs a world on both once more, and looks for the first line of the trace in which they differ. */
async function findDifference(worlds: Pick<XsWorlds, 'run'>, options: WorldOptions): Promise<Difference> {
  const traceOf = async (run: (options: WorldOptions) => Promise<unknown>): Promise<string[]> => {
    const lines: string[] = [];
    await run({ ...options, isTraceHashed: true, onTrace: (line) => lines.push(line) });
    return lines;
  };
  return differenceOf(await traceOf((world) => worlds.run(world)), await traceOf(runWorld));
}

/** Of two traces whose lines begin with the hash up to them: that of XS, and that from here. */
export function differenceOf(theirs: readonly string[], ours: readonly string[]): Difference {
  let index = 0;
  while (index < ours.length && ours[index] === theirs[index]) index++;
  const plain = (line: string): string => line.slice(HASH_DIGITS + 1);
  const [xs, node] = [theirs, ours].map((lines) => (index < lines.length ? plain(lines[index]) : undefined));
  const last = ours.slice(0, index + 1).slice(-TAIL_LINES);
  const atMs = Number.parseInt(node ?? xs ?? '0', 10);
  return { atMs, text: tell(index + 1, xs, node), tail: last.map(plain) };
}

function tell(line: number, xs: string | undefined, node: string | undefined): string {
  if (xs === node) {
    return xs === undefined ? 'no line differs' : `other bytes on the network before line ${line}, "${xs}"`;
  }
  const quoted = (text: string | undefined): string => (text === undefined ? 'not there' : `"${text}"`);
  return `line ${line} of the trace is ${quoted(xs)} on XS, and ${quoted(node)} in Node`;
}
