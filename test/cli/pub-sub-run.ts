/**
 * Runs `motemq pub` and `motemq sub`, built, and mosquitto's programs for the same, and compares what they say.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { findMosquitto } from '../support/brokers.ts';
import { eventually, withDeadline } from '../support/wait.ts';

const BIN = fileURLToPath(new URL('../../bin/motemq.js', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/targets/cli/motemq.js', import.meta.url));
const RUN_MS_MAX = 20_000;

export type Kind = 'pub' | 'sub';
export type Family = 'motemq' | 'mosquitto';

/** How a program ended. */
export interface Outcome {
  /** Exit status, or null after a signal. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A program that runs. */
export class Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  private readonly stdout: Buffer[] = [];
  private readonly stderr: Buffer[] = [];

  constructor(family: Family, kind: Kind, words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const [program, first] =
      family === 'motemq' ? [process.execPath, [BIN, kind]] : [mosquittoProgram(kind), []];
    const env = { ...process.env, ...environment };
    this.child = spawn(program, [...first, ...words], { stdio: 'pipe', env });
    const { child } = this;
    child.stdin?.on('error', () => {}); // it may have ended before it has read all
    child.stdout?.on('data', (chunk: Buffer) => this.stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.stderr.push(chunk));
    const ended = new Promise<Outcome>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve({ status, signal, stdout: Buffer.concat(this.stdout), stderr: this.errors() });
      });
    });
    this.outcome = withDeadline(ended, RUN_MS_MAX, `${family} ${kind} ${words.join(' ')} to end`).finally(
      () => {
        if (child.exitCode === null) child.kill('SIGKILL');
      },
    );
    this.outcome.catch(() => {});
  }

  /** What it has printed so far. */
  text(): string {
    return Buffer.concat(this.stdout).toString();
  }

  errors(): string {
    return Buffer.concat(this.stderr).toString();
  }

  /** Resolves once `text` was printed; with -d that can be "Subscribed". */
  async hasPrinted(text: string): Promise<void> {
    const has = () => this.text().includes(text);
    await eventually(() => has() || this.child.exitCode !== null, {
      what: `"${text}" in what is printed`,
      withinMs: 10_000,
    });
    if (!has()) throw new Error(`it ended without "${text}": ${this.errors()}`);
  }
}

function findProgram(kind: Kind): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, `mosquitto_${kind}`)).find((program) => existsSync(program));
}

function mosquittoProgram(kind: Kind): string {
  const program = findProgram(kind);
  if (program === undefined) throw new Error(`mosquitto_${kind} is not installed`);
  return program;
}

/** Runs a program with `input` on standard input, to its end. */
export function run(
  family: Family,
  kind: Kind,
  words: readonly string[],
  input: string | Uint8Array = '',
  environment: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const running = new Running(family, kind, words, environment);
  running.child.stdin?.end(input);
  return running.outcome;
}

/** Whether mosquitto_pub and mosquitto_sub are there to compare with. */
export const hasPeers = findProgram('pub') !== undefined && findProgram('sub') !== undefined;
/** Whether there is a broker to talk to; CI must have one, and fails without. */
export const hasBroker = findMosquitto() !== undefined || Boolean(process.env['CI']);
if (!hasBroker) process.stderr.write('[brokers] MISSING mosquitto: pub and sub are not tested\n');

/** Throws when `motemq` is not built, and in CI when something to compare with is missing; says so elsewhere. */
export function checkPrograms(): void {
  if (!existsSync(BUILT)) throw new Error('the command is not built: npm run build');
  if (hasPeers) return;
  if (process.env['CI'])
    throw new Error('CI must have mosquitto_pub and mosquitto_sub, and they are missing');
  process.stderr.write('[brokers] MISSING mosquitto_pub or mosquitto_sub: nothing to compare with\n');
}

/** What both programs do with the same words; mosquitto's is motemq's own where it is not installed. */
export async function both(
  kind: Kind,
  words: readonly string[],
  input: string | Uint8Array = '',
): Promise<[ours: Outcome, theirs: Outcome]> {
  const ours = run('motemq', kind, words, input);
  return Promise.all([ours, hasPeers ? run('mosquitto', kind, words, input) : ours]);
}

/** Fails unless both print the same and end the same; returns what motemq did. */
export async function same(
  kind: Kind,
  words: readonly string[],
  input: string | Uint8Array = '',
): Promise<Outcome> {
  const [ours, theirs] = await both(kind, words, input);
  const shown = ({ status, stdout }: Outcome) => ({ status, stdout: stdout.toString('latin1') });
  expect(shown(ours), `${words.join(' ')}\n${ours.stderr}`).toEqual(shown(theirs));
  return ours;
}

let topics = 0;
/** A topic that nobody had before. */
export function freshTopic(): string {
  return `t${++topics}/${randomBytes(3).toString('hex')}`;
}
