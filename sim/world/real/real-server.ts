/**
 * Brokers that worlds in real time run against: processes that are killed and started again on the same port, with what they
 * had saved or without, and such as run somewhere else, whom nothing befalls.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface RealServer {
  /** What it is called, and its version where that is known. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Devices allow at least so many messages under way: a broker that cannot count must not have to. */
  readonly receiveMaximumMin: number;
  /** Null for a broker that cannot be made to die. */
  readonly process: ServerProcess | null;
}

/** What can befall a broker's process. */
export interface ServerProcess {
  /** Resolves when it accepts connections. */
  start(): Promise<void>;
  /** Ends it at once, without a word; resolves when it is dead. */
  kill(): Promise<void>;
  /** It has nothing of what it had when it is started again. It must be dead. */
  forget(): void;
  /** Has it save its state, where it does so only now and then; resolves when it has. */
  save(): Promise<void>;
  /**
   * By Date.now(): what it heard up to then it will know when it is started again. Infinity for one that says nothing before
   * it has saved it.
   */
  savedAtMs(): number;
}

const HOST = '127.0.0.1';
const START_MS_MAX = 10_000;
/** More messages than are ever under way to a device. */
const RECEIVE_MAXIMUM_ENOUGH = 1000;
const POLL_MS = 2;
/** Milliseconds by which the times of files may be behind, and what else may lie between. */
const FILE_TIME_MS = 20;

/** Where Mosquitto is, or undefined. Debian's is in /usr/sbin, which is in few people's PATH. */
export function findMosquitto(): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = [...path, '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin'];
  return folders.map((folder) => join(folder, 'mosquitto')).find((program) => existsSync(program));
}

/** A process that listens on a port of this machine. */
class ListeningProcess {
  readonly port: number;
  private readonly program: string;
  private readonly args: readonly string[];
  private child: ChildProcess | null = null;
  private ended: Promise<void> = Promise.resolve();
  private complaints = '';

  constructor(program: string, args: readonly string[], port: number) {
    this.program = program;
    this.args = args;
    this.port = port;
  }

  get isAlive(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  async start(): Promise<void> {
    this.complaints = '';
    const child = spawn(this.program, this.args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    const handleExit = (): void => void child.kill('SIGKILL');
    process.once('exit', handleExit);
    this.ended = new Promise((resolve) => {
      child.once('close', () => {
        process.off('exit', handleExit);
        resolve();
      });
    });
    child.once('error', (error) => (this.complaints += String(error)));
    child.stderr.on('data', (chunk: Buffer) => {
      this.complaints = (this.complaints + chunk.toString()).slice(-4000);
    });
    for (let waitedMs = 0; !(await accepts(this.port)); waitedMs += POLL_MS) {
      const isOver = !this.isAlive || child.pid === undefined || waitedMs > START_MS_MAX;
      if (isOver) throw new Error(`${this.program} did not start: ${this.complaints}`);
      await pause(POLL_MS);
    }
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.ended;
    this.child = null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.isAlive) this.child?.kill(name);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    const finish = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', finish(true));
    socket.once('error', finish(false));
  });
}

export interface ProcessServerOptions {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Where its state is, to be deleted when it forgets. */
  readonly folder: string;
}

/** A broker that acknowledges nothing before it has saved it: ours. */
export function processServer({ name, program, args, port, folder }: ProcessServerOptions): RealServer {
  const child = new ListeningProcess(program, args, port);
  return {
    name,
    host: HOST,
    port,
    receiveMaximumMin: 1,
    process: {
      start: () => child.start(),
      kill: () => child.kill(),
      forget: () => rmSync(folder, { recursive: true, force: true }),
      save: () => Promise.resolve(),
      savedAtMs: () => Infinity,
    },
  };
}

/** How often Mosquitto is told to save its state, which it otherwise does every half hour. */
const SAVE_EVERY_MS = 250;

/**
 * Mosquitto, saving its state to `folder` four times a second. What it acknowledges between that and its death it does not
 * know any more.
 */
export function mosquittoServer(program: string, port: number, folder: string): RealServer {
  const state = join(folder, 'mosquitto');
  const database = join(state, 'mosquitto.db');
  const configFile = join(folder, 'mosquitto.conf');
  const child = new ListeningProcess(program, ['-c', configFile], port);
  let timer: NodeJS.Timeout | undefined;
  const savedAtMs = (): number => {
    try {
      const { birthtimeMs, mtimeMs } = statSync(database);
      // The file is a new one each time: what it holds is what there was when it was made.
      const atMs = birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs - FILE_TIME_MS;
      return atMs - FILE_TIME_MS;
    } catch {
      return 0;
    }
  };
  return {
    name: 'mosquitto',
    host: HOST,
    port,
    // When the oldest message is acknowledged, 2.0.11 takes as many from its queue as if nothing else were under way, and
    // so sends more than Receive Maximum (db__message_delete_outgoing) [MQTT-3.3.4-9].
    receiveMaximumMin: RECEIVE_MAXIMUM_ENOUGH,
    process: {
      async start() {
        mkdirSync(state, { recursive: true });
        writeFileSync(configFile, mosquittoConfig(port, state));
        await child.start();
        timer = setInterval(() => child.signal('SIGUSR1'), SAVE_EVERY_MS);
      },
      async kill() {
        clearInterval(timer);
        await child.kill();
      },
      forget: () => rmSync(database, { force: true }),
      async save() {
        const sinceMs = savedAtMs();
        child.signal('SIGUSR1');
        for (let waitedMs = 0; savedAtMs() === sinceMs && child.isAlive; waitedMs += POLL_MS) {
          if (waitedMs > START_MS_MAX) throw new Error('mosquitto does not save its state');
          await pause(POLL_MS);
        }
      },
      savedAtMs,
    },
  };
}

function mosquittoConfig(port: number, state: string): string {
  return [
    // Started by root it would become the user "mosquitto", who cannot read this folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    'log_dest stderr',
    'log_type error',
    'set_tcp_nodelay true',
    'persistence true',
    `persistence_location ${state}/`,
    'autosave_interval 0',
    'sys_interval 0',
    // What waits for a device must not be thrown away for want of room.
    'max_queued_messages 0',
    `listener ${port} ${HOST}`,
    'socket_domain ipv4',
    'allow_anonymous true',
    '',
  ].join('\n');
}

/** A broker that runs somewhere, and goes on running. It may be a Mosquitto. */
export function outsideServer(host: string, port: number): RealServer {
  return { name: `${host}:${port}`, host, port, receiveMaximumMin: RECEIVE_MAXIMUM_ENOUGH, process: null };
}
