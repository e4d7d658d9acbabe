/**
 * What `motemq flash` and `motemq doctor` ask of the computer they run on: environment, files, rights, programs. All of
 * it in one object, so that a test can put another computer there. Knows nothing of boards, SDKs or MQTT.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, readdirSync, statSync, type Stats } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

/** How a program ended. */
export interface RunResult {
  /** Exit status; null when it could not be started, was killed, or took too long. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why there is no status: the operating system's code such as `ENOENT`, the signal, or `TIMEOUT`. */
  readonly failure: string | undefined;
}

/** A computer as the checks see it. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** Goes before paths of the system, such as `/dev`; empty on this computer. */
  readonly root: string;
  /** As `process.versions.node`. */
  readonly nodeVersion: string;
  /** Numbers of the groups that this process is in. */
  readonly groups: readonly number[];
  readonly userName: string;
  /** Whether this process may read and write the file. */
  mayUse(path: string): boolean;
  /** Runs a program to its end, without a shell, and never rejects. */
  run(program: string, args: readonly string[], options?: { cwd?: string }): Promise<RunResult>;
}

/** No program that is only asked for its version takes that long. */
const RUN_MS_MAX = 10_000;
/** Of what a program says; the rest is of no interest. */
const OUTPUT_LENGTH_MAX = 65_536;

/** Runs a program as {@link Machine.run} says. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<RunResult> {
  const { timeoutMs = RUN_MS_MAX, ...rest } = options;
  return new Promise((resolve) => {
    // A group of its own: what the program has started must end with it, or the timeout would end nothing.
    const child = spawn(program, args, { ...rest, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let stdout = '';
    let stderr = '';
    let failure: string | undefined;
    const settle = (status: number | null): void => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr, failure });
    };
    const timer = setTimeout(() => {
      failure = 'TIMEOUT';
      killGroup(child.pid, 'SIGKILL');
      // Whoever holds its output open, or cannot be killed, is not waited for.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      settle(null);
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, OUTPUT_LENGTH_MAX);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, OUTPUT_LENGTH_MAX);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure ??= error.code ?? error.message;
      settle(null);
    });
    child.once('close', (status, signal) => {
      failure ??= signal ?? undefined;
      settle(failure === undefined ? status : null);
    });
  });
}

/** Signals a program that was started as the first of its group, and all that it has started. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** For advice to copy; the shell's own word for it where the system has no name for this user. */
function ownUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return '$USER';
  }
}

/** The computer this runs on. */
export function thisMachine(): Machine {
  return {
    env: process.env,
    platform: process.platform,
    home: homedir(),
    root: '',
    nodeVersion: process.versions.node,
    groups: process.getgroups?.() ?? [],
    userName: ownUserName(),
    mayUse: (path) => {
      try {
        accessSync(path, constants.R_OK | constants.W_OK);
        return true;
      } catch {
        return false;
      }
    },
    run: (program, args, options) => runProgram(program, args, options),
  };
}

/** What is there; undefined when nothing is, or we may not look. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

export function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** The file's text, or undefined when it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Names in a folder, in order; none when it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  if (!isFile(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program's path, from PATH; undefined when it is not there. */
export function findProgram(machine: Machine, name: string): string | undefined {
  const folders = (machine.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}
