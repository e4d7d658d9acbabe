/**
 * `motemq sim`: worlds of devices, a broker and everything that goes wrong, on virtual time, each from a seed; what broke a
 * rule, made as small as it can be, with what runs it again.
 */
import { Option, type Command } from 'commander';
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { wantsColour, type ProgressStream } from '../../sim/fleet/progress.ts';
import { runCampaign, type CampaignResult } from '../../sim/world/campaign.ts';
import { BROKER_KINDS } from '../../sim/world/broker-process.ts';
import { FAULT_NAMES, formatFault } from '../../sim/world/faults.ts';
import { formatSchedule } from '../../sim/world/schedule.ts';
import { shrinkFaults } from '../../sim/world/shrink.ts';
import type { XsWorldsOptions } from '../../sim/world/two-engines.ts';
import { DURATION_MS_DEFAULT, runWorld, type WorldOptions, type WorldResult } from '../../sim/world/world.ts';
import { packageVersion } from '../node/package-version.ts';
import { complain } from './client-command.ts';
import { integerFrom } from './connection-flags.ts';
import { CommandError, UsageError } from './exit-status.ts';
import { runOnEngines, startXsWorlds } from './sim-engine.ts';
import { isRealTime, parseSeconds, RealWorlds, realTimeFlags } from './sim-real.ts';
import {
  parseDevices,
  parseFaults,
  parseHours,
  parseSeed,
  parseSeeds,
  planOf,
  type SimFlags,
  type SimPlan,
} from './sim-options.ts';
import { count, oneLine, renderFailure, renderVerdict } from './sim-report.ts';
import { SimView } from './sim-view.ts';

const SHRINK_RUNS_DEFAULT = 300;
/** Failed seeds that are told of while others run. */
const FAILURES_TOLD_MAX = 10;
/** Lines of the trace that are written at once. */
const TRACE_LINES_HELD = 1000;

/** Where it runs, and what runs worlds: tests have others. */
export interface SimSurroundings {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  readonly run?: ((options: WorldOptions) => Promise<WorldResult>) | undefined;
  /** The engine XS and what runs there; default: what was built. */
  readonly xs?: XsWorldsOptions | undefined;
}

/** What shrinking came to. */
interface Shrunk {
  readonly result: WorldResult;
  readonly before: number;
  readonly runs: number;
}

/** Runs what the flags say, and tells of it. Returns whether all went well. Throws a CommandError where it cannot begin. */
export async function runSim(given: SimFlags, surroundings: SimSurroundings): Promise<boolean> {
  const flags = isRealTime(given) ? realTimeFlags(given) : given;
  const plan = planOf(flags);
  // A run of hours must not find out at its end.
  if (flags.json !== undefined) await checkWritable(flags.json, '--json');
  if (flags.replayOut !== undefined) await checkWritable(flags.replayOut, '--replay-out');
  if (isRealTime(flags)) {
    const worlds = new RealWorlds(flags);
    const isWell = await runPlan(plan, flags, { ...surroundings, run: (options) => worlds.run(options) });
    print(surroundings.stdout, worlds.report());
    return isWell;
  }
  if (flags.engine !== 'xs') return runPlan(plan, flags, surroundings);
  const worlds = await startXsWorlds(surroundings);
  try {
    const both = { ...plan, what: `${plan.what}, on XS and in Node` };
    return await runPlan(both, flags, { ...surroundings, run: (options) => runOnEngines(worlds, options) });
  } finally {
    await worlds.stop();
  }
}

async function runPlan(plan: SimPlan, flags: SimFlags, surroundings: SimSurroundings): Promise<boolean> {
  const { stdout } = surroundings;
  const view = new SimView(surroundings.stderr);
  const result = await runAll(plan, flags, surroundings, view);
  const elapsedMs = view.elapsedMs();
  const { what, devices, durationMs } = plan;
  const colour = wantsColour(stdout);
  print(stdout, renderVerdict(result, { what, devices, durationMs, elapsedMs }, colour));
  const failure = result.failures.at(0);
  let shrunk: Shrunk | null = null;
  if (failure !== undefined) {
    shrunk = await shrink(failure, plan, flags, surroundings, view);
    const file = await writeReplay(shrunk?.result ?? failure, plan, flags);
    const command = commandOf(failure.seed, plan, flags, file);
    print(stdout, [
      '',
      ...renderFailure({ result: shrunk?.result ?? failure, shrunk, command, file }, colour),
    ]);
  }
  if (flags.json !== undefined) {
    await writeFile(flags.json, `${JSON.stringify(jsonOf(plan, result, shrunk, elapsedMs), null, 2)}\n`);
  }
  return failure === undefined;
}

function print(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  stream.write(`${lines.join('\n')}\n`);
}

async function checkWritable(file: string, flag: string): Promise<void> {
  try {
    await access(dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw new CommandError(`${flag}: ${(error as Error).message}`);
  }
}

/** Ctrl-C aborts what runs, and a second one ends the program. */
function interruptible(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    forget: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}

async function runAll(
  plan: SimPlan,
  flags: SimFlags,
  { stdout, run }: SimSurroundings,
  view: SimView,
): Promise<CampaignResult> {
  const { from, to, devices, durationMs, faultKinds, broker, faults } = plan;
  const seeds = to - from + 1;
  const common = { from, to, devices, durationMs, faultKinds, broker, workers: flags.workers };
  if (seeds === 1) {
    // One world hears no signal until it is over: it is left to end the program.
    const trace = new TraceWriter(stdout);
    const onTrace = flags.trace ? (line: string) => trace.write(line) : undefined;
    const result = await runCampaign({
      ...common,
      run: (options) => (run ?? runWorld)({ ...options, faults, onTrace }),
    });
    trace.flush();
    if (flags.trace) stdout.write('\n');
    return result;
  }
  const { signal, forget } = interruptible();
  let told = 0;
  try {
    return await runCampaign(
      { ...common, run, signal },
      {
        handleProgress: (totals) => view.update(totals, seeds),
        handleFailure: ({ seed, violations }) => {
          if (told++ < FAILURES_TOLD_MAX) view.note(`seed ${seed} went wrong: ${oneLine(violations[0])}`);
        },
      },
    );
  } finally {
    forget();
    view.finish();
  }
}

/** The trace on its way out: a write for each line would take longer than the world. */
class TraceWriter {
  private readonly stream: NodeJS.WritableStream;
  private lines: string[] = [];

  constructor(stream: NodeJS.WritableStream) {
    this.stream = stream;
  }

  write(line: string): void {
    this.lines.push(line);
    if (this.lines.length >= TRACE_LINES_HELD) this.flush();
  }

  flush(): void {
    if (this.lines.length > 0) print(this.stream, this.lines);
    this.lines = [];
  }
}

async function shrink(
  failure: WorldResult,
  { devices, durationMs, faultKinds, broker }: SimPlan,
  flags: SimFlags,
  { run = runWorld }: SimSurroundings,
  view: SimView,
): Promise<Shrunk | null> {
  // A replay is what it is, unless somebody wants it smaller.
  const runsMax = flags.shrink ?? (flags.replay === undefined ? SHRINK_RUNS_DEFAULT : 0);
  if (runsMax === 0) return null;
  const { signal, forget } = interruptible();
  let runs = 0;
  try {
    const options = { seed: failure.seed, devices, durationMs, faultKinds, broker };
    // With none it is only cut off behind the violation.
    const before = (await shrinkFaults(options, failure, { runsMax: 0 })).faults.length;
    const result = await shrinkFaults(options, failure, {
      runsMax,
      signal,
      onProgress: (progress) => {
        ({ runs } = progress);
        view.show(
          () => `shrinking seed ${failure.seed}: ${count(progress.faults, 'fault')} left, run ${runs}`,
        );
      },
      run: async (world) => {
        // So that a signal is heard.
        await setImmediate();
        return run(world);
      },
    });
    return { result, before, runs };
  } finally {
    forget();
    view.finish();
  }
}

/** Writes the schedule to a file. Returns its name, or undefined: a replay that was not shrunk is in one already. */
async function writeReplay(result: WorldResult, plan: SimPlan, flags: SimFlags): Promise<string | undefined> {
  const isNew = flags.replay === undefined || flags.shrink !== undefined || flags.replayOut !== undefined;
  if (!isNew) return undefined;
  const file = flags.replayOut ?? `motemq-sim-${result.seed}.txt`;
  const { devices, durationMs } = plan;
  const { seed, broker, faults, violations } = result;
  const comment = `motemq ${packageVersion()} sim\n${oneLine(violations[0])}`;
  try {
    await writeFile(file, formatSchedule({ seed, devices, durationMs, broker, faults }, comment));
    return file;
  } catch (error) {
    complain('sim', `the schedule is not in a file: ${(error as Error).message}`);
    return undefined;
  }
}

/** What runs the world again, and shows its trace. */
function commandOf(seed: number, plan: SimPlan, flags: SimFlags, file: string | undefined): string {
  const replay = file ?? flags.replay;
  const engine = flags.engine === 'xs' ? ' --engine xs' : '';
  if (replay !== undefined) return `motemq sim --replay ${replay} --trace${engine}`;
  const { devices, durationMs, faultKinds, broker } = plan;
  return [
    `motemq sim --seed ${seed} --devices ${devices}`,
    ...(durationMs === DURATION_MS_DEFAULT ? [] : [`--hours ${durationMs / 3_600_000}`]),
    ...(faultKinds.length === FAULT_NAMES.length ? [] : [`--faults ${faultKinds.join(',') || 'none'}`]),
    ...(broker === undefined ? [] : [`--broker ${broker}`]),
    `--trace${engine}`,
  ].join(' ');
}

function jsonOf(plan: SimPlan, result: CampaignResult, shrunk: Shrunk | null, elapsedMs: number): object {
  const { from, to, devices, durationMs, faultKinds, broker = 'both' } = plan;
  const { totals, failures, isComplete } = result;
  const shown = ({ seed, violations, hash, faults }: WorldResult): object => ({
    seed,
    violations,
    hash,
    faults: faults.map(formatFault),
  });
  return {
    version: packageVersion(),
    ok: failures.length === 0,
    isComplete,
    from,
    to,
    devices,
    durationMs,
    faultKinds,
    broker,
    elapsedMs: Math.round(elapsedMs),
    totals,
    failures: failures.map(shown),
    shrunk: shrunk === null ? null : { runs: shrunk.runs, ...shown(shrunk.result) },
  };
}

async function sim(flags: SimFlags): Promise<void> {
  try {
    const isWell = await runSim(flags, process);
    if (!isWell) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    complain('sim', error.message);
    if (error instanceof UsageError) process.stderr.write('(motemq sim --help says more)\n');
    process.exitCode = 1;
  }
}

/** Every kind, in lines that fit. */
function faultsText(): string {
  const half = Math.ceil(FAULT_NAMES.length / 2);
  const rows = [FAULT_NAMES.slice(0, half), FAULT_NAMES.slice(half)];
  return `Faults: ${rows.map((row) => row.join(', ')).join(',\n  ')}.`;
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('sim')
    .summary('run devices and a broker on virtual time, with everything that goes wrong')
    .description(
      'Runs worlds in this process: the core that ships on devices with stores, the broker, and a network, on one ' +
        'virtual clock, from one seed. Connections break, power goes in the middle of a write, brokers die; all the ' +
        'while checkers look for what must not happen. A world that goes wrong is made as small as it can be.',
    )
    .option('--seed <n>', 'one world', parseSeed)
    .option(
      '--seeds <from..to>',
      'a world for each; or a number, so many fresh ones (default: 200)',
      parseSeeds,
    )
    .option('--devices <n>', 'in each world (default: 5)', parseDevices)
    .option('--hours <h>', 'of virtual time in which things go wrong (default: 1)', parseHours)
    .option(
      '--faults <list>',
      'names with commas, all, none; -name leaves one out (default: all)',
      parseFaults,
    )
    .addOption(
      new Option(
        '--broker <broker>',
        'ours; naive, a second one, written from the standard alone; both, as each seed draws it (default: both)',
      ).choices([...BROKER_KINDS, 'both']),
    )
    .option('--trace', 'print every line of the trace, of one world')
    .option('--replay <file>', 'run exactly what this file says')
    .option(
      '--replay-out <file>',
      'where the schedule of what went wrong goes (default: ./motemq-sim-SEED.txt)',
    )
    .option(
      '--shrink <runs>',
      'worlds to run to make it small, 0 for none (default: 300)',
      integerFrom(0, 100_000),
    )
    .option('--workers <n>', 'threads (default: as many as there are cores)', integerFrom(0, 256))
    .addOption(
      new Option(
        '--engine <engine>',
        'xs: on the engine of a board as well, and the same to the last byte (default: node)',
      ).choices(['node', 'xs']),
    )
    .addOption(
      new Option(
        '--real <broker>',
        'in real time, over sockets and proxies, against this one, which is started',
      ).choices(['mosquitto', 'motemq']),
    )
    .option('--server <url>', 'likewise, against mqtt://host:port, which goes on running')
    .option('--seconds <n>', 'with these: real time for the faults of a schedule (default: 45)', parseSeconds)
    .option('--json <file>', 'write the result as JSON')
    .addHelpText(
      'after',
      `
${faultsText()}

Exit status: 0 when no rule was broken, 1 when one was, or the flags make no sense. Ctrl-C ends early and reports all the
same; twice ends at once.

Examples:
  $ motemq sim
  $ motemq sim --seeds 1..2000 --devices 20 --hours 0.5
  $ motemq sim --faults power-cut-in-write,broker-crash
  $ motemq sim --faults -clock-jump,-store-fails --seeds 1000
  $ motemq sim --seed 42 --trace | grep 'd3 '
  $ motemq sim --seeds 20 --engine xs
  $ motemq sim --real mosquitto --seed 42
  $ motemq sim --replay motemq-sim-42.txt --trace`,
    )
    .action(sim);
}
