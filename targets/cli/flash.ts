/**
 * `motemq flash`: builds an app with the Moddable SDK and writes it to a board, or starts it in the SDK's simulator.
 * Here are the flags and the order of events; finding the SDKs, planning, running and showing are files of their own.
 */
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { collect, complain, fail } from './client-command.ts';
import { NOWHERE, UsageError } from './exit-status.ts';
import type { Finding } from './findings.ts';
import { readLine, relevantLines, remediesFor } from './flash-output.ts';
import { describePlan, environmentOf, shownPath } from './flash-plan.ts';
import { prepareFlash, type FlashFlags, type Prepared } from './flash-prepare.ts';
import { StepRunner, keepFilesPrivate, removeManifest, writeManifest, type StepResult } from './flash-run.ts';
import { FlashView } from './flash-view.ts';
import { findProgram, isFile, thisMachine, type Machine } from './machine.ts';
import { examplesFolder, listExamples } from './moddable-app.ts';
import { Redactor } from './redactor.ts';
import { listSerialPorts } from './serial-ports.ts';
import { printLine } from './stdio.ts';
import { PASSWORD_VARIABLE, askPassword } from './wifi-password.ts';

/** What is missing, each with what to do, on standard error. */
function tellProblems(problems: readonly Finding[]): void {
  for (const { title, state, detail, fix } of problems) {
    process.stderr.write(`  ${state.padEnd(7)}  ${title}: ${detail}\n`);
    for (const line of fix) process.stderr.write(`           → ${line}\n`);
  }
}

async function listPorts(machine: Machine): Promise<void> {
  const ports = listSerialPorts(machine);
  for (const { path, description, isUsable, group } of ports) {
    const rights = isUsable
      ? 'ok'
      : `no right to use it${group === undefined ? '' : `, the group ${group} has`}`;
    await printLine([path.padEnd(16), rights, description ?? ''].join('  ').trimEnd());
  }
  if (ports.length > 0) return;
  complain('flash', 'there is no serial port that a board may be on');
  process.exitCode = 1;
}

function tellFailure(step: string, result: StepResult, isVerbose: boolean): void {
  const { status, lines, failure } = result;
  const how = status === null ? (failure ?? 'killed') : `status ${status}`;
  complain('flash', `the ${step} failed (mcconfig: ${how})`);
  if (!isVerbose) for (const line of relevantLines(lines)) process.stderr.write(`  ${line}\n`);
  for (const advice of remediesFor(lines)) process.stderr.write(`  → ${advice}\n`);
  if (!isVerbose) process.stderr.write('  (-v prints everything)\n');
  process.exitCode = 1;
}

/** Starts what was built for the simulator, or says why not. */
async function simulate({ job, plan }: Prepared, runner: StepRunner, env: NodeJS.ProcessEnv): Promise<void> {
  const { target, sdk } = job;
  const folder = sdk?.toolsFolder ?? '';
  const mac = join(folder, 'mcsim.app', 'Contents', 'MacOS', 'mcsim');
  const program = [join(folder, 'mcsim'), mac].find(isFile) ?? findProgram(thisMachine(), 'mcsim');
  if (program === undefined) {
    process.stderr.write(
      `  the simulator is not built; make -C ${join(sdk?.folder ?? '', 'build/makefiles', target.platform)} builds it\n`,
    );
    return;
  }
  const hasDisplay = target.platform === 'mac' || env['DISPLAY'] || env['WAYLAND_DISPLAY'];
  if (!hasDisplay) {
    process.stderr.write('  not started: there is no display (DISPLAY is not set)\n');
    return;
  }
  process.stderr.write('  in the simulator; ends with its window, or Ctrl-C\n');
  const simulators = join(sdk?.folder ?? '', 'build', 'simulators');
  const args = [...(target.board === undefined ? [] : [simulators]), plan.result];
  const result = await runner.run({ name: 'flash', program, args }, env);
  const isEndedByUs = result.failure === 'SIGINT' || result.failure === 'SIGTERM';
  if (result.status !== 0 && !isEndedByUs) {
    complain('flash', `the simulator ended with ${result.failure ?? `status ${result.status}`}`);
    process.exitCode = 1;
  }
}

/** Says how it ended, on standard output. */
async function tellResult({ job, plan, board }: Prepared, startedAtMs: number): Promise<void> {
  const { app, target, port, isBuildOnly } = job;
  const took = `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;
  if (target.kind === 'board' && !isBuildOnly) {
    await printLine(`${app.name} is on ${target.name}${port === undefined ? '' : `, ${port}`} (${took})`);
    if (board.afterFlashing !== undefined) process.stderr.write(`  this board: ${board.afterFlashing}\n`);
    return;
  }
  await printLine(`built ${shownPath(plan.result, process.cwd())} (${took})`);
}

async function execute(prepared: Prepared, flags: FlashFlags, machine: Machine): Promise<void> {
  const { job, plan, notes } = prepared;
  const isVerbose = flags.verbose === true;
  const view = new FlashView(process.stderr, machine.env, isVerbose);
  const redactor = new Redactor(job.config.secrets);
  const warned = new Set<string>();
  let isSimulating = false;
  const runner = new StepRunner(redactor, (line) => {
    if (isVerbose || isSimulating) {
      process.stdout.write(`${line}\n`);
      return;
    }
    const reading = readLine(line);
    if (reading === undefined) return;
    if ('progress' in reading) view.update(reading.progress);
    if ('warning' in reading && !warned.has(reading.warning)) {
      warned.add(reading.warning);
      view.note(`  warning: ${reading.warning}`);
    }
  });
  const clean = (): void => {
    runner.kill();
    removeManifest(job.manifestFolder);
  };
  let isInterrupted = false;
  const interrupt = (signal: NodeJS.Signals): void => {
    // Again: at once.
    if (isInterrupted) process.exit(130);
    isInterrupted = true;
    runner.end(signal);
  };
  process.once('exit', clean);
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const startedAtMs = performance.now();
  for (const note of notes) view.note(`  ${note}`);
  try {
    keepFilesPrivate();
    writeManifest(plan, job.app.manifest);
    const env = environmentOf(job, plan, machine.env);
    for (const step of plan.steps) {
      const result = await runner.run(step, env);
      view.clear();
      if (isInterrupted) {
        complain('flash', 'interrupted');
        process.exitCode = 130;
        return;
      }
      if (result.status !== 0) {
        tellFailure(step.name, result, isVerbose);
        return;
      }
    }
    await tellResult(prepared, startedAtMs);
    if (job.target.kind === 'simulator' && !job.isBuildOnly) {
      isSimulating = true;
      await simulate(prepared, runner, env);
      if (isInterrupted) process.exitCode = 130;
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('exit', clean);
    view.clear();
    removeManifest(job.manifestFolder);
  }
}

async function flash(word: string | undefined, flags: FlashFlags): Promise<void> {
  // Takes a --password out of what other users see of our command line.
  process.title = 'motemq flash';
  const machine = thisMachine();
  try {
    if (flags.listPorts) {
      await listPorts(machine);
      return;
    }
    if (word === undefined) throw new UsageError(`which app? ${appHint()}`);
    if (flags.debug && flags.release) throw new UsageError('--debug and --release cannot be used together');
    const canAsk = process.stdin.isTTY && flags.dryRun !== true;
    const ask = canAsk ? (question: string) => askPassword(question) : undefined;
    const prepared = await prepareFlash(word, flags, machine, examplesFolder(), ask);
    const { problems, plan, job } = prepared;
    if (flags.dryRun) for (const line of describePlan(plan, machine.env)) await printLine(line);
    if (problems.length > 0) {
      const isBuilt = job.target.kind !== 'board' || job.isBuildOnly;
      const cannot = flags.dryRun ? 'would fail' : `cannot be ${isBuilt ? 'built' : 'flashed'} yet`;
      complain('flash', `${job.app.name} for ${job.target.name} ${cannot}:`);
      tellProblems(problems);
      process.exitCode = 1;
      return;
    }
    if (!flags.dryRun) await execute(prepared, flags, machine);
  } catch (error) {
    fail('flash', error, NOWHERE, false);
  }
}

function appHint(): string {
  const examples = listExamples(examplesFolder());
  return `a folder with a manifest.json${examples.length === 0 ? '' : `, or one of ${examples.join(', ')}`}`;
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('flash')
    .argument('[app]', 'a folder with a manifest.json, such a file, or the name of an example')
    .summary('build an app with the Moddable SDK and write it to an ESP32')
    .description(
      'Builds an app with the Moddable SDK, and writes it to the board on a serial port, or starts it in the SDK’s ' +
        'simulator. Says beforehand what is missing for it, and how to get that.',
    )
    .option(
      '--target <target>',
      'esp32 or esp32/BOARD; lin or mac, the simulator; others of the SDK’s are built only',
      'esp32',
    )
    .option('--port <path>', 'serial port of the board (default: the only one there is, or UPLOAD_PORT)')
    .option('--ssid <name>', 'Wi-Fi network that the app joins')
    .option('--password <password>', 'its password; see below for better ways to give it')
    .option('--password-file <file>', 'its password is the first line of this file; - is standard input')
    .option('--broker <url>', 'broker that the app connects to, for the app: config.broker')
    .addOption(
      new Option(
        '--config <name=value>',
        'anything else for the app: config.NAME; may be repeated',
      ).argParser(collect),
    )
    .option('--release', 'without debugger and instrumentation (default)')
    .option('--debug', 'with them')
    .option('--build-only', 'build, and flash or start nothing')
    .option('--output <folder>', 'where to build (default: ~/.cache/motemq/moddable)')
    .option('--dry-run', 'print the commands, and what is missing, and run nothing')
    .option('--list-ports', 'print the serial ports that a board may be on')
    .option('-v, --verbose', 'print everything that the SDK prints')
    .addHelpText(
      'after',
      `
The Wi-Fi password is asked for when --ssid is given, or taken from --password-file or from the environment variable
${PASSWORD_VARIABLE}. With --password it stays in the shell's history, and other users of this computer can see
it for a moment. Password and broker never stand on the command line of the SDK: they go into a manifest that only
you can read and that is deleted afterwards. The firmware contains them; so does the folder of --output, whose new
files only you can read. Nothing that is printed shows them.

Exit status: 0 when it is flashed or built, 1 when something is missing or fails, 130 after Ctrl-C.

Examples:
  $ motemq doctor --for flash
  $ motemq flash sensor --ssid home --broker mqtt://192.168.1.5
  $ motemq flash ./my-app --target esp32/m5stick_c --port /dev/ttyUSB0 --debug
  $ motemq flash ./my-app --target lin`,
    )
    .action(flash);
}
