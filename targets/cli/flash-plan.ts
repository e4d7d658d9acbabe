/**
 * From what is asked and what is there to the commands that `motemq flash` runs: which, with which manifest, where to,
 * and how they are shown. Runs and writes nothing.
 */
import { createHash } from 'node:crypto';
import { delimiter, dirname, join, relative } from 'node:path';
import { CommandError } from './exit-status.ts';
import type { App } from './moddable-app.ts';
import type { AppConfig } from './moddable-config.ts';
import type { EspIdf } from './moddable-esp-idf.ts';
import type { Sdk } from './moddable-sdk.ts';
import type { Target } from './moddable-target.ts';
import { PASSWORD_VARIABLE } from './wifi-password.ts';

/** All that decides about the commands. */
export interface FlashJob {
  readonly app: App;
  readonly target: Target;
  readonly config: AppConfig;
  readonly sdk: Sdk | undefined;
  readonly idf: EspIdf | undefined;
  /** Undefined: ESP-IDF looks for one. */
  readonly port: string | undefined;
  readonly isDebug: boolean;
  /** Build, and leave it at that. */
  readonly isBuildOnly: boolean;
  /** Absolute. What is built goes there. */
  readonly outputFolder: string;
  /** Absolute; exists only while the commands run. */
  readonly manifestFolder: string;
  /** Of the TypeScript compiler, when it is not on PATH. */
  readonly compilerFolder: string | undefined;
}

export interface Step {
  /** What it does, as in "the build failed". */
  readonly name: 'build' | 'flash';
  readonly program: string;
  readonly args: readonly string[];
}

export interface FlashPlan {
  readonly steps: readonly Step[];
  /** The manifest that is handed to mcconfig: the app's, and the configuration. */
  readonly manifestPath: string;
  readonly manifestText: string;
  /** As `manifestText`, without secrets. */
  readonly manifestShown: string;
  /** What the commands get on top of our own environment; undefined takes away. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What was built: a folder for a board, a file otherwise. */
  readonly result: string;
}

/** What make, the shell and the SDK's makefiles would take apart. */
const SPECIAL = /[\s$#'"`\\;&|<>()*?:=%]/;

/**
 * The name that the app is built under: two folders of one name must not share what was compiled, for the SDK's
 * makefiles look only at times.
 */
export function buildName(app: App): string {
  const readable = app.name.replace(/[^\w-]/g, '-').slice(0, 32) || 'app';
  return `${readable}-${createHash('sha256').update(app.manifest).digest('hex').slice(0, 6)}`;
}

/** One for each process that flashes, so that those left over can be told from those in use. */
export function manifestFolderName(processId: number): string {
  return `manifest-${processId}`;
}

/** The reverse; undefined for another name. */
export function processIdIn(folderName: string): number | undefined {
  const digits = /^manifest-(\d+)$/.exec(folderName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function checkPaths({ app, sdk, outputFolder, manifestFolder }: FlashJob): void {
  for (const path of [app.manifest, sdk?.folder, outputFolder, manifestFolder]) {
    const found = path === undefined ? null : SPECIAL.exec(path);
    if (found) {
      throw new CommandError(
        `the path "${path}" contains "${found[0]}", which make cannot cope with: move it or link to it from elsewhere`,
      );
    }
  }
}

/** Where mcconfig puts what it makes, as the folders below `bin` are. */
function resultOf({ target, outputFolder, isDebug }: FlashJob, name: string): string {
  const build = isDebug ? 'debug' : 'release';
  const { platform, board, kind } = target;
  const bin = join(outputFolder, 'bin');
  const ofProgram = /^x-(?:cli-)?(.+)$/.exec(platform);
  if (ofProgram) return join(bin, ofProgram[1], build, name);
  if (kind === 'simulator') return join(bin, platform, board ?? 'mc', build, name, 'mc.so');
  return join(bin, platform, ...(board === undefined ? [] : [board]), build, name);
}

/** Throws CommandError for a path that cannot be built from or in. */
export function planFlash(job: FlashJob): FlashPlan {
  checkPaths(job);
  const { app, target, config, sdk, idf, port } = job;
  const name = buildName(app);
  const manifestPath = join(job.manifestFolder, name, 'manifest.json');
  const manifest = (values: Readonly<Record<string, string>>): string =>
    // mcconfig merges what comes last over what it includes.
    `${JSON.stringify({ include: [app.manifest], config: values }, null, 2)}\n`;
  const args = (goal: string): string[] => [
    // -dn: no debugger is started, and none is waited for.
    ...(job.isDebug ? ['-dn'] : []),
    '-m',
    '-p',
    target.name,
    '-o',
    job.outputFolder,
    '-t',
    goal,
    manifestPath,
  ];
  const program = sdk?.toolsFolder === undefined ? 'mcconfig' : join(sdk.toolsFolder, 'mcconfig');
  // Without a goal the SDK's makefiles flash, too, but then stay in a monitor or a debugger.
  const steps: Step[] = [{ name: 'build', program, args: args('build') }];
  if (target.kind === 'board' && !job.isBuildOnly) {
    steps.push({ name: 'flash', program, args: args('deploy') });
  }
  return {
    steps,
    manifestPath,
    manifestText: manifest(config.values),
    manifestShown: manifest(config.shown),
    environment: {
      ...(sdk && { MODDABLE: sdk.folder }),
      ...(target.platform === 'esp32' && idf && { IDF_PATH: idf.folder }),
      ...(target.kind === 'board' && port !== undefined && { UPLOAD_PORT: port }),
    },
    result: resultOf(job, name),
  };
}

/** The environment of the commands, whole. */
export function environmentOf(job: FlashJob, plan: FlashPlan, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const folders = [job.sdk?.toolsFolder, own['PATH'], job.compilerFolder];
  return {
    ...own,
    ...plan.environment,
    PATH: folders.filter((folder) => folder !== undefined && folder !== '').join(delimiter),
    [PASSWORD_VARIABLE]: undefined,
    // Lines to read, one after the other, as soon as they are written.
    TERM: 'dumb',
    NO_COLOR: '1',
    PYTHONUNBUFFERED: '1',
  };
}

/** A word as a shell wants it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The steps as they could be typed, and what is in the manifest: all without secrets. */
export function describePlan(plan: FlashPlan, own: NodeJS.ProcessEnv): string[] {
  const variables = Object.entries(plan.environment)
    .filter(([name, value]) => value !== undefined && own[name] !== value)
    .map(([name, value]) => `${name}=${quoted(value ?? '')} `)
    .join('');
  return [
    `# ${plan.manifestPath}, which only you may read, and which is deleted afterwards:`,
    ...plan.manifestShown
      .trimEnd()
      .split('\n')
      .map((line) => `#   ${line}`),
    ...plan.steps.map(({ program, args }) => variables + [program, ...args].map(quoted).join(' ')),
  ];
}

/** The folder that holds all that is made, for people: relative to the working folder where that is shorter. */
export function shownPath(path: string, from: string): string {
  const short = relative(from, path);
  return short !== '' && !short.startsWith('..') ? short : path;
}

/** The folder of a program found outside PATH. */
export function folderOfTool(program: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (program === undefined) return undefined;
  const folder = dirname(program);
  return (env['PATH'] ?? '').split(delimiter).includes(folder) ? undefined : folder;
}
