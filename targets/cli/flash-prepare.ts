/**
 * From the flags of `motemq flash` to a job: what is to be built, with what, for which port, and what stands in the
 * way. Reads folders and asks programs for their versions; writes nothing and starts no build.
 */
import { join, resolve } from 'node:path';
import type { Finding } from './findings.ts';
import { folderOfTool, manifestFolderName, planFlash, type FlashJob, type FlashPlan } from './flash-plan.ts';
import type { Machine } from './machine.ts';
import { checkTypeScript, findApp, findTsc, readAppNeeds } from './moddable-app.ts';
import { planConfig } from './moddable-config.ts';
import { checkEspIdf, findEspIdf } from './moddable-esp-idf.ts';
import { checkBuildPrograms, checkGlib, checkSdk, findSdk, hostPlatformOf } from './moddable-sdk.ts';
import { checkTarget, parseTarget, readBoard, type Board, type Target } from './moddable-target.ts';
import { checkSerialPorts, findSerialPort, listSerialPorts, type SerialPort } from './serial-ports.ts';
import { PASSWORD_VARIABLE, findPassword } from './wifi-password.ts';

/** The options as commander gives them. */
export interface FlashFlags {
  target: string;
  port?: string;
  ssid?: string;
  password?: string;
  passwordFile?: string;
  broker?: string;
  config?: string[];
  debug?: true;
  release?: true;
  buildOnly?: true;
  output?: string;
  dryRun?: true;
  listPorts?: true;
  verbose?: true;
}

/** A job, and what else is to be said of it. */
export interface Prepared {
  readonly job: FlashJob;
  readonly plan: FlashPlan;
  readonly board: Board;
  /** What stands in the way. */
  readonly problems: readonly Finding[];
  readonly notes: readonly string[];
}

/** Which port, and what is wrong with it. An empty port of several, or of none, is a problem. */
function choosePort(machine: Machine, named: string | undefined): { port?: string; problems: Finding[] } {
  let ports: SerialPort[];
  const wanted = named ?? machine.env['UPLOAD_PORT'];
  if (wanted) {
    const port = findSerialPort(machine, wanted);
    if (port === undefined) {
      const there = listSerialPorts(machine).map(({ path }) => path);
      const others = there.length === 0 ? 'there is none at all' : `there is ${there.join(', ')}`;
      return { problems: [portProblem(`there is no ${wanted}`, others)] };
    }
    ports = [port];
  } else {
    ports = listSerialPorts(machine);
    if (ports.length > 1) {
      const paths = ports.map(({ path }) => path).join(', ');
      return { problems: [portProblem(`there are several: ${paths}`, 'choose one with --port')] };
    }
  }
  const problems = checkSerialPorts(machine, ports).filter(({ state }) => state !== 'ok');
  return ports.length === 0 ? { problems } : { port: ports[0].path, problems };
}

function portProblem(detail: string, ...fix: string[]): Finding {
  return { id: 'serial-port', title: 'serial port', state: 'wrong', detail, fix };
}

function defaultOutput(machine: Machine): string {
  const cache = machine.env['XDG_CACHE_HOME'] || join(machine.home, '.cache');
  return join(cache, 'motemq', 'moddable');
}

/**
 * Everything up to where something is written or run. Throws UsageError and CommandError.
 *
 * @param examples the folder of the package's examples
 * @param ask asks somebody for the password; undefined when there is nobody
 */
export async function prepareFlash(
  word: string,
  flags: FlashFlags,
  machine: Machine,
  examples: string,
  ask: ((question: string) => Promise<string>) | undefined,
): Promise<Prepared> {
  const target = parseTarget(flags.target, hostPlatformOf(machine.platform) ?? 'lin');
  const app = findApp(word, examples);
  const sdk = findSdk(machine);
  if (sdk !== undefined) checkTarget(target, sdk.folder);
  const config = planConfig(flags, await findPassword(flags, machine.env, ask), target);
  const board = readBoard(target, sdk?.folder ?? '', machine.env);
  const needs = readAppNeeds(app, target.name, sdk?.folder, machine.env);
  const idf = target.platform === 'esp32' ? findEspIdf(machine, sdk) : undefined;

  const findings = [...checkSdk(machine, sdk), ...checkBuildPrograms(machine)];
  if (needs.typeScriptSource !== undefined) findings.push(await checkTypeScript(machine, app, needs));
  if (target.platform === 'esp32') findings.push(...checkEspIdf(machine, sdk, idf, board.chip));
  if (target.runsHere) findings.push(...(await checkGlib(machine)));
  const isFlashed = target.kind === 'board' && flags.buildOnly !== true;
  const chosen = isFlashed ? choosePort(machine, flags.port) : { problems: [] };

  const outputFolder = resolve(flags.output ?? defaultOutput(machine));
  const job: FlashJob = {
    app,
    target,
    config,
    sdk,
    idf,
    port: chosen.port,
    isDebug: flags.debug === true,
    isBuildOnly: flags.buildOnly === true,
    outputFolder,
    manifestFolder: join(outputFolder, manifestFolderName(process.pid)),
    compilerFolder:
      needs.typeScriptSource === undefined
        ? undefined
        : folderOfTool(findTsc(machine, app, needs.compiler), machine.env),
  };
  return {
    job,
    plan: planFlash(job),
    board,
    problems: [...findings.filter(({ state }) => state !== 'ok'), ...chosen.problems],
    notes: notesOn(flags, target, needs.hasSsid, board),
  };
}

function notesOn(flags: FlashFlags, target: Target, hasSsid: boolean, board: Board): string[] {
  const notes: string[] = [];
  if (flags.password !== undefined) {
    notes.push(
      `--password stays in your shell's history; ${PASSWORD_VARIABLE}, --password-file or the prompt do not`,
    );
  }
  if (!target.runsHere && flags.ssid === undefined && !hasSsid) {
    notes.push('no --ssid: the app joins no network unless it brings its own settings');
  }
  if (target.kind === 'board' && flags.buildOnly !== true && board.beforeFlashing !== undefined) {
    notes.push(`this board: ${board.beforeFlashing}`);
  }
  return notes;
}
