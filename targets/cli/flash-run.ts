/**
 * Runs the commands of a flash plan one after the other, without a shell, in a process group of their own, and reads
 * what they print. The manifest with the configuration exists as long as they run, readable for this user alone.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { processIdIn, type FlashPlan, type Step } from './flash-plan.ts';
import { killGroup, namesIn } from './machine.ts';
import { LineReader, type Redactor } from './redactor.ts';

/** How a step ended. */
export interface StepResult {
  /** Null when it could not be started, or was killed. */
  readonly status: number | null;
  /** What of its output was kept, without secrets: the last lines. */
  readonly lines: readonly string[];
  /** The operating system's code, or the signal. */
  readonly failure: string | undefined;
}

/** A failed build of ESP-IDF prints thousands of lines; its complaints are among the last. */
const LINES_KEPT_MAX = 2000;
/** How long commands may take to end after a signal, before they are made to. */
const END_MS_MAX = 5000;

/** From here on only this user may read what is written, by us and by whom we start: the password is in it. */
export function keepFilesPrivate(): void {
  process.umask(0o077);
}

/**
 * Writes the manifest, readable for this user alone.
 *
 * @param appManifest its time is taken over: make builds anew what is older than a manifest
 */
export function writeManifest(plan: FlashPlan, appManifest: string): void {
  removeLeftOver(dirname(dirname(dirname(plan.manifestPath))));
  mkdirSync(dirname(plan.manifestPath), { recursive: true });
  writeFileSync(plan.manifestPath, plan.manifestText, { mode: 0o600 });
  const { atime, mtime } = statSync(appManifest);
  utimesSync(plan.manifestPath, atime, mtime);
}

/** Removes manifests whose processes were killed before they could: there may be passwords in them. */
function removeLeftOver(outputFolder: string): void {
  for (const name of namesIn(outputFolder)) {
    const processId = processIdIn(name);
    if (processId !== undefined && !isAlive(processId)) removeManifest(join(outputFolder, name));
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // Somebody else's: it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** @param folder what the plan calls its manifest's */
export function removeManifest(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs steps; a signal ends what is running. */
export class StepRunner {
  private child: ChildProcess | undefined = undefined;
  private killTimer: NodeJS.Timeout | undefined = undefined;
  private readonly redactor: Redactor;
  private readonly take: (line: string) => void;

  /** @param take gets every line, without secrets */
  constructor(redactor: Redactor, take: (line: string) => void) {
    this.redactor = redactor;
    this.take = take;
  }

  /** Never rejects. */
  run(step: Step, env: NodeJS.ProcessEnv): Promise<StepResult> {
    const lines: string[] = [];
    const keep = (line: string): void => {
      lines.push(line);
      if (lines.length > LINES_KEPT_MAX) lines.shift();
      this.take(line);
    };
    return new Promise((resolve) => {
      const child = spawn(step.program, step.args, {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      this.child = child;
      let failure: string | undefined;
      // One reader each: a line of one must not end up in the middle of the other's.
      const readers = [child.stdout, child.stderr].map((stream) => {
        const reader = new LineReader(this.redactor, keep);
        stream.setEncoding('utf8').on('data', (text: string) => reader.push(text));
        return reader;
      });
      const end = (status: number | null): void => {
        for (const reader of readers) reader.finish();
        clearTimeout(this.killTimer);
        this.child = undefined;
        resolve({ status, lines, failure });
      };
      child.once('error', (error: NodeJS.ErrnoException) => {
        failure = error.code ?? error.message;
        // Without a process there is no 'close'.
        if (child.pid === undefined) end(null);
      });
      child.once('close', (status, signal) => {
        failure ??= signal ?? undefined;
        end(status);
      });
    });
  }

  /** Ends what is running, gently at first. */
  end(signal: NodeJS.Signals): void {
    const pid = this.child?.pid;
    killGroup(pid, signal);
    this.killTimer ??= setTimeout(() => killGroup(pid, 'SIGKILL'), END_MS_MAX);
  }

  /** Ends what is running at once: our own process is ending. */
  kill(): void {
    killGroup(this.child?.pid, 'SIGKILL');
  }
}
