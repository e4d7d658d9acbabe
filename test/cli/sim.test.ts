/**
 * `motemq sim`: its flags, what it prints of campaigns that go well and that do not, and the files it writes and reads.
 */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noTotals } from '../../sim/world/campaign.ts';
import { FAULT_NAMES, formatFault, type Fault } from '../../sim/world/faults.ts';
import { parseSchedule } from '../../sim/world/schedule.ts';
import { runWorld, type WorldOptions, type WorldResult } from '../../sim/world/world.ts';
import { CommandError } from '../../targets/cli/exit-status.ts';
import { register, runSim } from '../../targets/cli/sim.ts';
import {
  parseDevices,
  parseFaults,
  parseHours,
  parseSeed,
  parseSeeds,
  planOf,
  type SimFlags,
} from '../../targets/cli/sim-options.ts';
import { formatVirtualTime, renderFailure, renderVerdict } from '../../targets/cli/sim-report.ts';
import { SimView, renderProgress } from '../../targets/cli/sim-view.ts';
import { brokenResult, resultOf } from '../world/worlds.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motemq-sim-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A stream that keeps what is written to it. */
class Sink extends Writable {
  text = '';
  isTTY = false;
  columns = 80;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return this.text.replace(/\n$/, '').split('\n');
  }
}

interface Ran {
  isWell: boolean;
  out: string;
  lines: string[];
  err: string;
}

async function run(flags: SimFlags, world?: (options: WorldOptions) => Promise<WorldResult>): Promise<Ran> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const isWell = await runSim(flags, { stdout, stderr, run: world });
  return { isWell, out: stdout.text, lines: stdout.lines, err: stderr.text };
}

const RESETS: Fault[] = Array.from({ length: 20 }, (_, index) => ({
  atMs: 20_000 + 1000 * index,
  kind: 'reset',
  device: 0,
  ms: 4000,
}));

/** Seeds whose last digit is 3 break a rule as soon as the 7th reset is there. */
const BAD = ({ seed, faults = RESETS }: WorldOptions): Promise<WorldResult> => {
  const isBad = seed % 10 === 3 && faults.some(({ atMs }) => atMs === RESETS[7].atMs);
  return Promise.resolve(isBad ? brokenResult(seed, faults, 'qos2-twice') : resultOf(seed, { faults }));
};
const replayOut = (): string => join(folder, 'replay.txt');

describe('the flags', () => {
  it('choose kinds of faults', () => {
    expect(parseFaults('all')).toEqual(FAULT_NAMES);
    expect(parseFaults('none')).toEqual([]);
    expect(parseFaults('stall, reset')).toEqual(['reset', 'stall']);
    expect(parseFaults('-reset')).toEqual(FAULT_NAMES.filter((kind) => kind !== 'reset'));
    expect(parseFaults('-reset,-stall')).toHaveLength(FAULT_NAMES.length - 2);
    expect(parseFaults('all,-reset')).toEqual(parseFaults('-reset'));
    expect(parseFaults('reset,none,stall')).toEqual(['stall']);
  });

  it('say which fault was meant', () => {
    expect(() => parseFaults('power-cuts')).toThrow('There is no fault "power-cuts". Is it power-cut?');
    expect(() => parseFaults('reset,-stal')).toThrow('There is no fault "stal". Is it stall?');
    expect(() => parseFaults('')).toThrow('There is no fault ""');
    expect(() => parseFaults('meteorites')).toThrow(
      /^There is no fault "meteorites". There are: reset, half-open,/,
    );
  });

  it('choose seeds', () => {
    expect(parseSeeds('1..2000')).toEqual({ from: 1, to: 2000 });
    expect(parseSeeds('7..7')).toEqual({ from: 7, to: 7 });
    expect(parseSeeds('500')).toEqual({ fresh: 500 });
    for (const wrong of ['', '5..3', '1..2..3', '..5', '0', '-5', '1..4294967296', '1.5']) {
      expect(() => parseSeeds(wrong), wrong).toThrow(/It must be|A seed is/);
    }
    expect(parseSeed('4294967295')).toBe(4_294_967_295);
    expect(() => parseSeed('4294967296')).toThrow('A seed is a whole number from 0 to 4294967295.');
  });

  it('say how many and how long', () => {
    expect([parseDevices('1'), parseDevices('1000')]).toEqual([1, 1000]);
    expect([parseHours('0.5'), parseHours('24')]).toEqual([0.5, 24]);
    for (const wrong of ['0', '1001', 'x', '1.5']) expect(() => parseDevices(wrong)).toThrow('It must be');
    for (const wrong of ['0', '-1', 'x', '1e3', '10001'])
      expect(() => parseHours(wrong)).toThrow('It must be');
  });

  it('have 200 fresh seeds and all faults for a default', () => {
    const plans = [planOf({}), planOf({})];
    for (const plan of plans) {
      expect(plan).toMatchObject({ devices: 5, durationMs: 3_600_000, faultKinds: FAULT_NAMES });
      expect(plan.to - plan.from).toBe(199);
      expect(plan.what).toBe(`seeds ${plan.from}..${plan.to}, fresh`);
    }
    expect(plans[0].from).not.toBe(plans[1].from);
    expect(planOf({ seeds: { fresh: 4_294_967_296 } })).toMatchObject({ from: 0, to: 4_294_967_295 });
  });

  it.each([
    [{ seed: 1, seeds: { from: 1, to: 2 } }, '--seed and --seeds: one of them'],
    [{ trace: true }, '--trace takes one seed: --seed or --replay'],
    [{ replay: 'x', seed: 1 }, '--seed: with --replay, the file says so'],
    [{ replay: 'x', faults: [] }, '--faults: with --replay, the file says so'],
    [{ replay: '/no/such/file' }, '--replay: ENOENT: no such file or directory'],
    [{ seed: 1, json: '/no/such/folder/x' }, '--json: ENOENT: no such file or directory'],
    [{ seed: 1, replayOut: '/no/such/folder/x' }, '--replay-out: ENOENT: no such file or directory'],
  ] as [SimFlags, string][])('do not go together, or not with what is there: %j', async (flags, message) => {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const refused = runSim(flags, { stdout, stderr, run: BAD });
    await expect(refused).rejects.toThrow(CommandError);
    await expect(refused).rejects.toThrow(message);
    expect(stdout.text + stderr.text).toBe('');
  });

  it('are read from the command line', async () => {
    const errors: string[] = [];
    const program = new Command('motemq')
      .exitOverride()
      .configureOutput({ writeErr: (text) => errors.push(text) });
    register(program);
    const parse = (...words: string[]): Promise<unknown> =>
      program.parseAsync(['sim', ...words], { from: 'user' });
    await expect(parse('--faults', 'rest')).rejects.toThrow('Is it reset?');
    await expect(parse('--faults', '-rest')).rejects.toThrow('Is it reset?');
    await expect(parse('--seeds', '9..1')).rejects.toThrow('It must be FROM..TO');
    await expect(parse('--shrink', '-1')).rejects.toThrow('from 0 to 100000');
    expect(errors).toHaveLength(4);
    const help = program.commands[0].helpInformation();
    for (const flag of [
      '--seed <n>',
      '--seeds <from..to>',
      '--devices <n>',
      '--hours <h>',
      '--faults <list>',
    ])
      expect(help).toContain(flag);
    for (const flag of ['--trace', '--replay <file>', '--json <file>']) expect(help).toContain(flag);
  });
});

describe('a campaign that goes well', () => {
  it('says what it came to', async () => {
    const { isWell, lines, err } = await run({
      seeds: { from: 1, to: 12 },
      devices: 2,
      hours: 0.5,
      faults: ['reset', 'stall'],
    });
    expect(isWell).toBe(true);
    expect(lines[0]).toBe('seeds 1..12: 2 devices, 30 min of faults each, and time to recover');
    expect(lines[2]).toMatch(/^faults {4}\d+: (reset|stall) \d+, (reset|stall) \d+$/);
    expect(lines[3]).toMatch(
      /^messages {2}[\d,]+ published, [\d,]+ arrived, \d+ of them again; [\d,]+ packets$/,
    );
    expect(lines[4]).toMatch(/^devices {3}0 power cuts, [\d,]+ writes to their stores$/);
    expect(lines[5]).toMatch(/^brokers {3}ours in \d+ worlds, the naive one in [1-9]\d*$/);
    expect(lines[6]).toMatch(/^time {6}\d+ h of theirs in .* of ours: .* virtual seconds a second$/);
    expect(lines.at(-1)).toBe('✔ no violation in 12 seeds');
    // It did not take long enough for a line of progress.
    expect(err).toBe('');
    expect(await readdir(folder)).toEqual([]);
  });

  it('runs one seed, and shows its trace', async () => {
    const trace: string[] = [];
    await runWorld({ seed: 5, durationMs: 180_000, onTrace: (line) => trace.push(line) });
    const { lines } = await run({ seed: 5, hours: 0.05, trace: true });
    expect(lines.slice(0, trace.length)).toEqual(trace);
    expect(lines.at(trace.length)).toBe('');
    expect(lines.at(trace.length + 1)).toMatch(/^seed 5: 5 devices, 3 min of faults, and time/);
    expect(lines.at(-1)).toBe('✔ no violation in 1 seed');
  });
});

describe('a campaign that does not', () => {
  it('names the seeds, shrinks the first and says how to run it again', async () => {
    const { isWell, lines, out, err } = await run(
      { seeds: { from: 1, to: 40 }, replayOut: replayOut() },
      BAD,
    );
    expect(isWell).toBe(false);
    expect(err.split('\n')[0]).toBe('seed 3 went wrong: qos2-twice: d0.7 did what qos2-twice forbids');
    expect(lines).toContain('✖ 4 of 40 went wrong: qos2-twice 4');
    for (const seed of [3, 13, 23, 33]) {
      expect(lines).toContain(`  seed ${seed}  qos2-twice: d0.7 did what qos2-twice forbids`);
    }
    expect(lines).toContain('seed 3: qos2-twice at 00:00:28.000 (28000 ms)');
    const left = { ...RESETS[7], ms: 0 };
    expect(out).toContain(
      `1 fault is enough, of 20 until then, after 12 runs: at (ms), what, which device, how long (ms)\n  ${formatFault(left)}\n`,
    );
    expect(out).toContain(
      'the trace up to it, its last 2 lines:\n  10000 d0 connects\n  28000 VIOLATION qos2-twice',
    );
    expect(lines.at(-1)).toBe(`again, with all of the trace: motemq sim --replay ${replayOut()} --trace`);
    const text = await readFile(replayOut(), 'utf8');
    expect(text).toMatch(/^# motemq \S+ sim\n# qos2-twice: d0.7 did/);
    expect(parseSchedule(text)).toEqual({ seed: 3, devices: 5, durationMs: 3_600_000, faults: [left] });
  });

  it('is replayed from its file, as it is', async () => {
    await run({ seed: 3, replayOut: replayOut() }, BAD);
    const ran: WorldOptions[] = [];
    const { isWell, lines } = await run({ replay: replayOut(), trace: true }, (options) => {
      ran.push(options);
      options.onTrace?.('28000 d0 connects');
      return BAD(options);
    });
    expect(isWell).toBe(false);
    expect(ran).toHaveLength(1);
    expect(ran[0]).toMatchObject({ seed: 3, devices: 5, faults: [{ ...RESETS[7], ms: 0 }] });
    expect(lines[0]).toBe('28000 d0 connects');
    expect(lines[2]).toBe(`${replayOut()}, seed 3: 5 devices, 1 h of faults, and time to recover`);
    expect(lines).toContain('✖ it went wrong: qos2-twice 1');
    expect(lines.at(-1)).toBe(`again, with all of the trace: motemq sim --replay ${replayOut()} --trace`);
  });

  it('is replayed to the same, line by line', async () => {
    const drawn = await runWorld({ seed: 8, durationMs: 360_000, devices: 3 });
    const lines = drawn.faults.map(formatFault);
    await writeFile(replayOut(), ['# by hand', 'seed 8', 'devices 3', 'hours 0.1', ...lines].join('\n'));
    const results: WorldResult[] = [];
    await run({ replay: replayOut() }, async (options) => {
      results.push(await runWorld(options));
      return results[0];
    });
    expect(results).toEqual([drawn]);
  });

  it('has the broker that is asked for, and so has its replay', async () => {
    const brokers: (string | undefined)[] = [];
    const world = (options: WorldOptions): Promise<WorldResult> => {
      brokers.push(options.broker);
      return BAD(options).then((result) => ({ ...result, broker: options.broker ?? 'ours' }));
    };
    const flags = { seed: 3, broker: 'naive', shrink: 1, replayOut: replayOut() } as const;
    const { lines } = await run(flags, world);
    expect(lines).toContain('brokers   ours in 0 worlds, the naive one in 1');
    await run({ replay: replayOut() }, world);
    expect(brokers).toEqual(['naive', 'naive', 'naive']);
    await run({ seeds: { from: 3, to: 4 }, broker: 'both', shrink: 0, replayOut: replayOut() }, world);
    expect(brokers.slice(3)).toEqual([undefined, undefined]);
    // Whatever it was, it is that again.
    expect(parseSchedule(await readFile(replayOut(), 'utf8')).broker).toBe('ours');
    await expect(run({ replay: replayOut(), broker: 'ours' })).rejects.toThrow(
      '--broker: with --replay, the file says so',
    );
  });

  it('is not shrunk when that is not wanted', async () => {
    const { lines, out } = await run({ seed: 3, devices: 7, shrink: 0, replayOut: replayOut() }, BAD);
    expect(lines).toContain('20 faults until then: at (ms), what, which device, how long (ms)');
    expect(out).toContain(RESETS.map((fault) => `  ${formatFault(fault)}\n`).join(''));
    expect(parseSchedule(await readFile(replayOut(), 'utf8'))).toMatchObject({ devices: 7, faults: RESETS });
  });

  it('says in which line a replay is wrong', async () => {
    await writeFile(replayOut(), 'seed 1\ndevices 2\nhours 1\n20000 rest 0 5\n');
    await expect(run({ replay: replayOut() })).rejects.toThrow(
      new CommandError(`${replayOut()}, line 4: not a fault: 20000 rest 0 5`),
    );
  });

  it('goes into a file of JSON', async () => {
    const json = join(folder, 'result.json');
    await run({ seeds: { from: 1, to: 20 }, json, replayOut: replayOut() }, BAD);
    const written: unknown = JSON.parse(await readFile(json, 'utf8'));
    expect(written).toMatchObject({
      ok: false,
      isComplete: true,
      from: 1,
      to: 20,
      devices: 5,
      durationMs: 3_600_000,
      faultKinds: FAULT_NAMES,
      totals: { seeds: 20, failed: 2, violations: { 'qos2-twice': 2 } },
      failures: [
        { seed: 3, violations: [{ atMs: 40_000, rule: 'qos2-twice' }], faults: RESETS.map(formatFault) },
        { seed: 13 },
      ],
      shrunk: { runs: 12, seed: 3, faults: [formatFault({ ...RESETS[7], ms: 0 })] },
    });
  });
});

describe('what is printed', () => {
  const where = { what: 'seeds 1..50', devices: 1, durationMs: 3_600_000, elapsedMs: 2000 };

  it('is about an end that came early, too', () => {
    const totals = { ...noTotals(), seeds: 1234, virtualMs: 7_200_000 };
    const lines = renderVerdict({ totals, failures: [], isComplete: false }, where, false);
    expect(lines[0]).toBe('seeds 1..50: 1 device, 1 h of faults each, and time to recover');
    expect(lines).toContain('faults    0');
    expect(lines).toContain('time      2 h of theirs in 2 s of ours: 3.6k virtual seconds a second');
    expect(lines.slice(-2)).toEqual(['ended early, after 1,234 seeds', '✔ no violation in 1,234 seeds']);
  });

  it('fits in a terminal, whatever befell', () => {
    const totals = { ...noTotals(), seeds: 2 };
    for (const kind of FAULT_NAMES) totals.faults[kind] = 1_234_567;
    const lines = renderVerdict({ totals, failures: [], isComplete: true }, where, false);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(92);
    expect(lines.join(' ').match(/1,234,567/g)).toHaveLength(FAULT_NAMES.length);
  });

  it('names ten failed seeds, and how many others', () => {
    const failures = Array.from({ length: 15 }, (_, seed) => brokenResult(seed, []));
    const totals = { ...noTotals(), seeds: 50, failed: 15, violations: { 'made-up-rule': 14, stuck: 1 } };
    const lines = renderVerdict({ totals, failures, isComplete: true }, where, false);
    expect(lines).toContain('✖ 15 of 50 went wrong: made-up-rule 14, stuck 1');
    expect(lines.filter((line) => line.startsWith('  seed '))).toHaveLength(10);
    expect(lines.at(-1)).toBe('  and 5 more');
  });

  it('has no control characters of what is told', () => {
    const result = brokenResult(1, []);
    const [violation] = result.violations;
    const bell = {
      ...result,
      violations: [{ ...violation, text: 'a\u0007b\n    at x' }],
      tail: ['1 a\u001b[2Jb'],
    };
    const details = { shrunk: { before: 5, runs: 1 }, command: 'motemq sim' };
    const text = renderFailure({ result: bell, ...details }, false).join('\n');
    expect(text).toContain('\n  a b\n      at x\n');
    expect(text).toContain('\n  1 a [2Jb\n');
    expect(text).toContain('\nno fault is needed, of 5 until then, after 1 run\n');
    expect(renderFailure({ result: bell, ...details }, true).join('\n')).not.toBe(text);
  });

  it('has times as clocks show them', () => {
    expect([0, 61_001, 3_599_999, 360_000_000].map(formatVirtualTime)).toEqual([
      '00:00:00.000',
      '00:01:01.001',
      '00:59:59.999',
      '100:00:00.000',
    ]);
  });
});

describe('the progress', () => {
  const totals = { ...noTotals(), seeds: 50, virtualMs: 180_000_000 };

  it('says how far, how fast, and what came of it', () => {
    expect(renderProgress(totals, 200, 5000)).toBe(
      '50 of 200 seeds  10/s  0 faults  36k virtual s/s  no violation',
    );
    expect(renderProgress({ ...totals, failed: 2 }, 200, 0)).toContain('2 failed');
  });

  it('is a line every five seconds where nobody looks', () => {
    const sink = new Sink();
    let nowMs = 1000;
    const view = new SimView(sink, {}, () => nowMs);
    for (; nowMs <= 17_000; nowMs += 500) view.update(totals, 200);
    expect(sink.lines).toHaveLength(3);
    view.note('something');
    view.finish();
    expect(sink.lines.at(-1)).toBe('something');
    expect(sink.text).not.toContain('\u001b');
  });

  it('is one line on a terminal, and is gone in the end', () => {
    const sink = new Sink();
    sink.isTTY = true;
    sink.columns = 40;
    let nowMs = 0;
    const view = new SimView(sink, { NO_COLOR: '1' }, () => nowMs);
    for (; nowMs <= 1000; nowMs += 10) view.update(totals, 200);
    const drawn = sink.text.split('\r\u001b[2K').filter((text) => text !== '');
    expect(drawn).toHaveLength(11);
    expect(drawn[0]).toMatch(/^━━━━━─────────────── 50 of 200/);
    for (const line of drawn) expect(line.length).toBeLessThan(40);
    view.note('seed 7 went wrong');
    view.finish();
    expect(sink.text.endsWith('\r\u001b[2Kseed 7 went wrong\n')).toBe(true);
  });
});
