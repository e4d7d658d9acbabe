/**
 * What the tests of stores have in common: every store of a world on a bench, dice, and a scripted life of a session as
 * its store sees it.
 */
import type { PersistentStore } from '../../src/session/store.ts';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import { SimFlash } from '../../sim/world/flash.ts';
import { MemoryStore } from '../../sim/world/memory-session-store.ts';
import { SimNvs } from '../../sim/world/nvs.ts';
import type { Dice } from '../../sim/world/power.ts';
import { Power } from '../../sim/world/power.ts';
import { DiskMedium, FlashMedium, WorldStore } from '../../sim/world/stores.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import { FlashStore, preferenceValues } from '../../targets/moddable/flash-store.ts';

/** A store that loses its power, and gets it back. */
export interface BenchStore extends PersistentStore {
  readonly power: Power;
  setFailing(isFailing: boolean): void;
  revive(): void;
}

export interface Bench {
  name: string;
  make(dice: Dice): BenchStore;
  /** Whether all that is removed is gone for good at once, or only received identifiers. */
  isRemovingAtOnce: boolean;
}

const flash = {
  name: 'FlashStore in NVS on flash',
  make: (dice: Dice) => new WorldStore(new FlashMedium(new Power(dice))),
  isRemovingAtOnce: true,
};

/** Puts received identifiers and removes them, one entry of NVS each, until `count` sectors were erased or `max` were put. */
function wear(content: Uint8Array, domain: string, count: number, max: number): number {
  const flash = new SimFlash(new Power(NO_DICE), { content });
  const store = new FlashStore(preferenceValues(new SimNvs(flash), domain));
  let puts = 0;
  for (; flash.erasureCount < count && puts < max; puts++) {
    const number = 1 + (puts % 60000);
    store.put(STORED_RECEIVED, number, NO_BYTES, 0, 0);
    // Some stay, so that every page has something of use.
    if (count > 1 && puts % 100 === 0) store.put(STORED_RECEIVED, 65535 - puts, NO_BYTES, 0, 0);
    store.remove(STORED_RECEIVED, number);
  }
  return puts;
}

/** A flash that has seen so much that its pages are full, with something of use in each: so many entries more, and one is erased. */
export function wornContent(spareEntries: number, domain: string): Uint8Array {
  const { content } = new SimFlash(new Power(NO_DICE));
  wear(content, domain, 3, Infinity);
  wear(content, domain, 1, wear(content.slice(), domain, 1, Infinity) - spareEntries);
  return content;
}

export const BENCHES: readonly Bench[] = [
  {
    name: 'MemoryStore',
    make: (dice) => new MemoryStore(new Power(dice)),
    isRemovingAtOnce: true,
  },
  flash,
  {
    name: 'LogStore in a file on a disk',
    make: (dice) => new WorldStore(new DiskMedium(new Power(dice))),
    isRemovingAtOnce: false,
  },
];

/** As above, but in a flash that has seen much: in it records of use, the session's own or those of another domain. */
export function wornFlashBench(spareEntries: number, domain = 'motemq'): Bench {
  const content = wornContent(spareEntries, domain);
  return {
    ...flash,
    name: `FlashStore in NVS on flash with ${spareEntries} entries to spare`,
    make: (dice) => new WorldStore(new FlashMedium(new Power(dice), { content: content.slice() })),
  };
}

const NO_BYTES = new Uint8Array(0);

// Dice.

/** Always the least. */
export const NO_DICE: Dice = { below: () => 0 };
/** Always the most. */
export const ALL_DICE: Dice = { below: (count) => count - 1 };

// What is kept, and how it comes about.

/** All that is kept, as text. */
export function contentOf(store: PersistentStore): string {
  const rows: string[] = [];
  store.each((kind, number, bytes) => rows.push(`${kind} ${number} ${bytes.join(',')}`));
  return rows.join('\n');
}

/** One call of a session's. */
export interface Step {
  /** Undefined to remove. */
  bytes?: Uint8Array | undefined;
  kind: number;
  number: number;
}

function put(kind: number, number: number, ...bytes: number[]): Step {
  return { kind, number, bytes: Uint8Array.from(bytes) };
}

function remove(kind: number, number: number): Step {
  return { kind, number };
}

/** Bytes that look like flash where nothing was ever written, with a few that do not. */
const BLANK_BYTES = new Array<number>(150).fill(0xff).fill(3, 40, 44);

/**
 * A session's life: messages of QoS 1 and 2 accepted, sent and done, those of QoS 2 by PUBREC and PUBCOMP; received
 * packet identifiers, one of them twice because PUBREC was lost, and used again.
 */
export const LIFE: readonly Step[] = [
  put(STORED_MESSAGE, 1, ...new Array<number>(84).fill(1)),
  put(STORED_PROGRESS, 1, 0, 1, 0),
  put(STORED_MESSAGE, 2, 2, 2, 2),
  put(STORED_RECEIVED, 9),
  put(STORED_PROGRESS, 2, 0, 2, 0),
  put(STORED_PROGRESS, 1, 0, 1, 1), // PUBREC
  remove(STORED_MESSAGE, 1),
  put(STORED_RECEIVED, 10),
  put(STORED_RECEIVED, 9), // PUBREC was lost
  remove(STORED_PROGRESS, 1), // PUBCOMP
  remove(STORED_MESSAGE, 2), // PUBACK
  remove(STORED_PROGRESS, 2),
  put(STORED_MESSAGE, 3, ...BLANK_BYTES),
  remove(STORED_RECEIVED, 9), // PUBREL
  put(STORED_PROGRESS, 3, 255, 255, 0),
  put(STORED_RECEIVED, 9),
  put(STORED_MESSAGE, 4, ...new Array<number>(700).fill(4)),
  remove(STORED_RECEIVED, 10),
  remove(STORED_MESSAGE, 3),
  remove(STORED_PROGRESS, 3),
  remove(STORED_RECEIVED, 9),
];

export function take(store: PersistentStore, { kind, number, bytes }: Step): void {
  if (bytes === undefined) store.remove(kind, number);
  // From within a larger array, as the session has it.
  else {
    const outer = new Uint8Array(bytes.length + 5).fill(0xee);
    outer.set(bytes, 3);
    if (!store.put(kind, number, outer, 3, bytes.length)) throw new Error(`refused: ${kind} ${number}`);
  }
}

/** What is kept after each step, from before the first. `first` is what was there before. */
export function statesOf(bench: Bench, steps: readonly Step[]): string[] {
  const store = bench.make(NO_DICE);
  return [
    contentOf(store),
    ...steps.map((step) => {
      take(store, step);
      return contentOf(store);
    }),
  ];
}

/** Takes steps until the power goes. Returns how many were done. */
export function takeUntilCut(store: PersistentStore, steps: readonly Step[], from = 0): number {
  for (let at = from; at < steps.length; at++) {
    try {
      take(store, steps[at]);
    } catch (error) {
      if (error instanceof PowerLost) return at;
      throw error;
    }
  }
  return steps.length;
}
