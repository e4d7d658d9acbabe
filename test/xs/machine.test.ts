/**
 * The machines themselves: modules, time, sizes, ends. What firmware is measured on must be right.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ESP32_HEAP, XsMachine, XsMachineError } from '../../sim/xs/machine.ts';
import { Bench, stopAll } from './bench.ts';

afterEach(stopAll);

describe('modules', () => {
  it('are found by specifier and beside one another, and run once', async () => {
    const { machine, lines } = await Bench.start({
      main: "import { a } from 'first'; import { b } from './second.js'; host.print(a + b);",
      first: "host.print('first runs'); export const a = 'a';",
      second: "import { a } from './first.js'; export const b = a + 'b';",
    });
    await machine.import('main');
    await machine.import('main');
    expect(lines).toEqual(['first runs', 'aab']);
    const names = [...machine.codeBytes.keys()].map((path) => path.replace(/.*\//, ''));
    expect(names).toEqual(expect.arrayContaining(['first.js', 'main.js', 'second.js']));
    expect(Math.min(...machine.codeBytes.values())).toBeGreaterThan(20);
  });

  it('that are not there, are wrong or throw are the import’s failure, and the machine goes on', async () => {
    const { machine } = await Bench.start({
      wrong: 'const = 1;',
      throwing: "throw new RangeError('mine');",
      lost: "import 'nowhere';",
    });
    await expect(machine.import('nowhere')).rejects.toThrow(XsMachineError);
    await expect(machine.import('lost')).rejects.toThrow(/nowhere/);
    await expect(machine.import('wrong')).rejects.toThrow(/SyntaxError/);
    await expect(machine.import('throwing')).rejects.toThrow('RangeError: mine');
    await expect(machine.evaluate("throw new TypeError('yours')")).rejects.toThrow('TypeError: yours');
    expect(await machine.evaluate('[1 + 1, typeof setTimeout, typeof TextEncoder]')).toEqual([
      2,
      'undefined',
      'undefined',
    ]);
    expect(await machine.evaluate('undefined')).toBeUndefined();
  });

  it('settle their import as their evaluation does', async () => {
    const { machine, lines } = await Bench.start(
      {
        main: `
          import Timer from 'timer';
          await new Promise((resolve) => Timer.set(resolve, 50));
          host.print('evaluated');
        `,
      },
      { virtualMs: 0 },
    );
    const imported = machine.import('main');
    await machine.settled();
    expect(lines).toEqual([]);
    await machine.runTo(50);
    await imported;
    expect(lines).toEqual(['evaluated']);
  });
});

describe('timers', () => {
  const main = (body: string): string => `
    import Timer from 'timer';
    import Time from 'time';
    const say = (text) => host.print(Time.ticks + ' ' + text);
    ${body}
  `;

  it('go off in order of time, and of their making when they are due together', async () => {
    const { machine, lines } = await Bench.run(
      main(`
        Timer.set(() => say('third'), 30);
        Timer.set(() => say('first'), 10);
        Timer.set(() => say('second a'), 20);
        Timer.set(() => say('second b'), 20);
      `),
      { virtualMs: 1000 },
    );
    expect(machine.state.nextTimerMs).toBe(1010);
    await machine.advanceTo(1015);
    expect(lines).toEqual(['1015 first']);
    await machine.runTo(2000);
    expect(lines).toEqual(['1015 first', '1020 second a', '1020 second b', '1030 third']);
    expect(machine.state.nextTimerMs).toBe(-1);
  });

  it('repeat without drift, move, and stop', async () => {
    const { machine, lines } = await Bench.run(
      main(`
        const ticking = Timer.repeat(() => say('tick'), 10);
        const moved = Timer.set(() => say('moved'), 5);
        Timer.schedule(moved, 25);
        const cleared = Timer.set(() => say('cleared'), 5);
        Timer.clear(cleared);
        Timer.set(() => Timer.clear(ticking), 35);
        const late = Timer.set(() => say('late, then repeated'), 100, 7);
        Timer.set(() => Timer.clear(late), 110);
      `),
      { virtualMs: 0 },
    );
    await machine.runTo(1000);
    expect(lines).toEqual([
      '10 tick',
      '20 tick',
      '25 moved',
      '30 tick',
      '100 late, then repeated',
      '107 late, then repeated',
    ]);
  });

  it('may be set, and cleared, by others', async () => {
    const { machine, lines } = await Bench.run(
      main(`
        let other;
        Timer.set(() => {
          say('a');
          Timer.clear(other);
          Timer.set(() => say('c'), 0);
        }, 10);
        other = Timer.set(() => say('b'), 10);
        const own = Timer.repeat(() => { say('own'); Timer.clear(own); }, 20);
      `),
      { virtualMs: 0 },
    );
    await machine.runTo(100);
    expect(lines).toEqual(['10 a', '10 c', '20 own']);
  });

  it('are held by the machine, not by what made them', async () => {
    const { machine, lines } = await Bench.run(main("Timer.set(() => say('there'), 10);"), { virtualMs: 0 });
    const { slots } = await machine.collect();
    await machine.runTo(10);
    expect(lines).toEqual(['10 there']);
    expect((await machine.collect()).slots).toBeLessThan(slots);
  });

  it('follow the real clock unless told', async () => {
    const bench = await Bench.run(
      main('const at = Time.ticks; Timer.set(() => host.print(String(Time.ticks - at >= 20)), 20);'),
    );
    await bench.printed('true');
  });

  it('do not make a virtual clock go back', async () => {
    const { machine } = await Bench.run(main(''), { virtualMs: 500 });
    await machine.advanceTo(100);
    expect(await machine.evaluate('host.Time.ticks')).toBe(500);
  });
});

describe('what is newer than the engine', () => {
  it('is there', async () => {
    const { machine } = await Bench.run('');
    expect(
      await machine.evaluate(`
        const error = new TypeError('mine');
        const before = typeof error.stack;
        error.stack = 'ours';
        [before, error.stack, Object.keys(error).length, new Error('other').stack !== 'ours']
      `),
    ).toEqual(['string', 'ours', 0, true]);
    expect(
      await machine.evaluate(`
        const list = [3, 1, 2];
        [list.findLast((x) => x < 3), list.findLastIndex((x) => x > 2), list.findLastIndex((x) => x > 3),
          list.toSorted(), list.toReversed(), list.with(-1, 9), list, Object.keys(list).length]
      `),
    ).toEqual([2, 0, -1, [1, 2, 3], [2, 1, 3], [3, 1, 9], [3, 1, 2], 3]);
  });
});

describe('texts', () => {
  it('are UTF-8 and characters, as on a board', async () => {
    const { machine } = await Bench.run('');
    const evaluate = (source: string): Promise<unknown> => machine.evaluate(source);
    expect(await evaluate("['😀'.length, '😀'.charCodeAt(0)]")).toEqual([1, 0x1f600]);
    expect(await evaluate("Array.from(new Uint8Array(ArrayBuffer.fromString('a\\0é😀')))")).toEqual([
      ...Buffer.from('a\0é😀'),
    ]);
    expect(
      await evaluate('String.fromArrayBuffer(Uint8Array.of(1, 97, 0, 0xc3, 0xa9, 2).buffer, 1, 4)'),
    ).toBe('a\0é');
    expect(await evaluate('String.fromArrayBuffer(new ArrayBuffer(0))')).toBe('');
    for (const bytes of ['0xff', '0xc3', '0xc3, 0x41', '0x80', '0xe2, 0x82']) {
      await expect(evaluate(`String.fromArrayBuffer(Uint8Array.of(${bytes}).buffer)`), bytes).rejects.toThrow(
        /TypeError/,
      );
    }
    await expect(evaluate('String.fromArrayBuffer(new ArrayBuffer(2), 1, 2)')).rejects.toThrow(/RangeError/);
  });
});

describe('messages', () => {
  it('go in, go out, and are answered at once', async () => {
    const messages: string[] = [];
    const { machine } = await Bench.run(
      `
        const text = (buffer) => String.fromCharCode(...new Uint8Array(buffer));
        globalThis.onHostMessage = (bytes) => {
          const answer = host.ask('how many?');
          const none = host.ask(new Uint8Array([110, 111]));
          host.post(text(bytes) + ' ' + text(answer) + ' ' + none);
        };
      `,
      {
        onMessage: (bytes) => messages.push(Buffer.from(bytes).toString()),
        onAsk: (bytes) => (Buffer.from(bytes).toString() === 'no' ? new Uint8Array(0) : Buffer.from('7')),
      },
    );
    await machine.post(Buffer.from('got'));
    await machine.post(Buffer.from('again'));
    expect(messages).toEqual(['got 7 undefined', 'again 7 undefined']);
  });
});

describe('the heap of a board', () => {
  const LIBRARY = `
    export const table = Object.freeze(Array.from({ length: 200 }, (_, i) => ({ i, text: 'row ' + i })), true);
    export class Thing { constructor() { this.a = 1; } method() { return this.a; } }
    export function make(count) { const list = []; while (count-- > 0) list.push(new Thing()); return list; }
  `;
  const USE = "import { make } from 'library'; host.print(String(make(10).length));";

  it('holds nothing of preloaded modules', async () => {
    const empty = await Bench.start({}, { heap: ESP32_HEAP });
    const preloaded = await Bench.start({ library: LIBRARY }, { heap: ESP32_HEAP, preload: ['library'] });
    expect(preloaded.machine.state.slots).toBe(empty.machine.state.slots);
    expect(preloaded.machine.state.chunkBytes).toBe(empty.machine.state.chunkBytes);
    expect(preloaded.machine.state.slots).toBeLessThan(50);

    const used = await Bench.start(
      { library: LIBRARY, main: USE },
      { heap: ESP32_HEAP, preload: ['library'] },
    );
    const loaded = await Bench.start({ library: LIBRARY, main: USE }, { heap: ESP32_HEAP });
    await used.machine.import('main');
    await loaded.machine.import('main');
    expect(used.lines).toEqual(['10']);
    // Each row of the table is an object with two properties, and its text is in chunks.
    expect(loaded.machine.state.slots - used.machine.state.slots).toBeGreaterThan(600);
    expect(loaded.machine.state.chunkBytes - used.machine.state.chunkBytes).toBeGreaterThan(200 * 16);
  });

  const STATEFUL = `
    export const frozen = Object.freeze([1]);
    export const bytes = new Uint8Array(4);
    export const map = new Map();
    export const record = { a: 1 };
    export let count = 0;
    export function increment() { count++; }
  `;

  it('finds what is preloaded as it is in flash: frozen, or copied when it is written to', async () => {
    const use = (body: string): Promise<Bench> =>
      Bench.start(
        {
          library: STATEFUL,
          main: `import { frozen, bytes, map, record, count, increment } from 'library';\n${body}`,
        },
        { heap: ESP32_HEAP, preload: ['library'] },
      );
    const frozen = await use('frozen.push(2);');
    await expect(frozen.machine.import('main')).rejects.toThrow(/TypeError.*not extensible/);
    for (const body of ['bytes[0] = 1;', 'map.set(1, 1);']) {
      const { machine } = await use(body);
      await expect(machine.import('main'), body).rejects.toThrow(/a write to what is preloaded/);
    }
    const copied = await use("increment(); record.a = 2; host.print(count + ' ' + record.a);");
    await copied.machine.import('main');
    expect(copied.lines).toEqual(['1 2']);
  });

  it('is as large as it was told, and does not grow', async () => {
    const { machine } = await Bench.run(
      `
        for (let round = 0; round < 200; round++) {
          const list = [];
          for (let i = 0; i < 100; i++) list.push({ i, bytes: new Uint8Array(16) });
        }
      `,
      { heap: ESP32_HEAP },
    );
    const { state } = machine;
    // One slot of each block is the engine's own.
    expect(state.slotsMax).toBe(ESP32_HEAP.slots - 1);
    expect(state.chunkBytesMax).toBe(ESP32_HEAP.chunkBytes);
    expect(state.slotsPeak).toBeGreaterThan(1000);
    expect(state.slotsPeak).toBeLessThanOrEqual(ESP32_HEAP.slots);
    expect(state.slotBytes).toBe(32);
    const after = await machine.collect();
    expect(after.slots).toBeLessThan(200);
    expect((await machine.markPeak()).slotsPeak).toBe(after.slots);
  });

  it.each([
    ['objects', 'const list = []; for (;;) list.push({});'],
    ['buffers', 'const list = []; for (;;) list.push(new ArrayBuffer(1000));'],
    ['one buffer', `new ArrayBuffer(${ESP32_HEAP.chunkBytes});`],
    ['texts', "let text = 'x'; for (;;) text += text;"],
  ])('that is full of %s ends the machine, as a board resets', async (_, main) => {
    const { machine } = await Bench.start({ main }, { heap: ESP32_HEAP });
    await expect(machine.import('main')).rejects.toThrow('memory full');
    expect((await machine.ended)?.message).toBe('memory full');
    await expect(machine.evaluate('1')).rejects.toThrow('memory full');
  });

  it('has a stack of its own size, too', async () => {
    const { machine } = await Bench.start(
      { main: 'const deep = (n) => (n === 0 ? 0 : 1 + deep(n - 1)); deep(1000);' },
      { heap: ESP32_HEAP },
    );
    await expect(machine.import('main')).rejects.toThrow('stack overflow');
  });
});

describe('an end', () => {
  it.each([
    ['a timer', "Timer.set(() => { throw new Error('boom'); }, 5);", /uncaught Error: boom/],
    ['a promise', "Timer.set(() => { Promise.reject(new Error('boom')); }, 5);", /unhandled rejection.*boom/],
    ['a message', "globalThis.onHostMessage = () => { throw new Error('boom'); };", /uncaught Error: boom/],
  ])('comes of what nobody catches in %s', async (_, body, message) => {
    const { machine } = await Bench.run(`import Timer from 'timer';\n${body}`, { virtualMs: 0 });
    const moved = Promise.all([machine.advanceTo(5), machine.post(new Uint8Array(0))]);
    await expect(moved).rejects.toThrow(message);
    expect((await machine.ended)?.message).toMatch(message);
  });

  it('comes when asked, at once or in the middle of things', async () => {
    const quiet = await Bench.run('');
    await quiet.machine.stop();
    expect(await quiet.machine.ended).toBeUndefined();
    const busy = await Bench.start({ main: 'for (;;);' });
    const imported = busy.machine.import('main');
    imported.catch(() => undefined);
    await busy.machine.kill();
    await expect(imported).rejects.toThrow('the machine was stopped');
    expect(await busy.machine.ended).toBeUndefined();
  });

  it('is the start’s failure when the machine cannot be made', async () => {
    await expect(Bench.start({}, { preload: ['nowhere'] })).rejects.toThrow(/nowhere/);
    await expect(XsMachine.start({ worker: '/nowhere/worker' })).rejects.toThrow(/ENOENT/);
  });
});

describe('the meter', () => {
  const main = `
    let text = '';
    for (let i = 0; i < 100; i++) text += String.fromCharCode(65 + (i % 26));
    const table = new Map([...text].map((letter, i) => [letter, i]));
    export default table;
  `;

  it('reads the same for the same work, and more for more', async () => {
    const first = await Bench.run(main, { heap: ESP32_HEAP });
    const second = await Bench.run(main, { heap: ESP32_HEAP });
    const longer = await Bench.run(main.replace('100', '101'), { heap: ESP32_HEAP });
    expect(first.machine.state.computrons).toBeGreaterThan(1000);
    expect(second.machine.state).toEqual(first.machine.state);
    expect(longer.machine.state.computrons).toBeGreaterThan(first.machine.state.computrons);
  });
});
