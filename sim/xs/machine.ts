/**
 * One XS machine of the size of a board, in a worker process: its modules, its clock, its sockets, its meter. The
 * frames it exchanges with the worker are described in docs/xs-engine.md. Knows nothing of MQTT.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FrameReader, frame, text, u32 } from './frames.ts';
import { TcpNetwork, type XsNetwork } from './network.ts';

/** The machine that Moddable gives an application on an ESP32 by default. */
export const ESP32_HEAP: XsHeap = { chunkBytes: 32768, slots: 2048, stack: 384, keys: 64 };

/** Sizes of a machine. A slot has 32 bytes here and 16 on a board; the same program takes as many. */
export interface XsHeap {
  chunkBytes: number;
  slots: number;
  /** In slots. */
  stack: number;
  /** Names that are not in preloaded modules. */
  keys: number;
}

/** What a machine has used, when it last stood still. */
export interface XsState {
  /** Instructions and the like since the machine began: the same every time for the same work. */
  computrons: number;
  slots: number;
  /** Highest since the machine began, or since `markPeak`; garbage that is not collected yet counts, as everywhere. */
  slotsPeak: number;
  slotsMax: number;
  chunkBytes: number;
  /** Likewise; the engine counts a little too much where arrays grew. */
  chunkBytesPeak: number;
  chunkBytesMax: number;
  /** When the next timer is due, on the machine's clock; -1 when there is none. */
  nextTimerMs: number;
  /** Bytes of a slot here. */
  slotBytes: number;
}

export interface XsMachineOptions {
  /** Path of the worker: see prepareXsEngine. */
  worker: string;
  /** Files by specifier, absolute paths; those of a board's own modules are added. */
  modules?: Record<string, string> | undefined;
  /** Specifiers or paths of modules that a board would have in flash: they take no room in the heap. */
  preload?: readonly string[] | undefined;
  /** Default: a machine large enough for anything, not a board's. */
  heap?: XsHeap | undefined;
  /** A clock that stands still but for `advanceTo`, begun at this time; default: the real one. */
  virtualMs?: number | undefined;
  /** Where the machine's sockets lead; default: real TCP. */
  network?: XsNetwork | undefined;
  /** `host.print`, `trace`; default: dropped. */
  onPrint?: ((text: string) => void) | undefined;
  /** `host.post`. */
  onMessage?: ((bytes: Uint8Array) => void) | undefined;
  /** `host.ask`: returns the answer at once, an empty one for undefined. */
  onAsk?: ((bytes: Uint8Array) => Uint8Array) | undefined;
}

/** The machine ended by itself: memory full, an exception nobody caught … as a board that resets. */
export class XsMachineError extends Error {
  override name = 'XsMachineError';
}

/** Specifier of what the engine lacks; no program imports it. */
const NEWER = 'newer';

/** The folder of the modules that stand in for a board's own. */
function boardModules(): Record<string, string> {
  const beside = fileURLToPath(new URL('./modules/', import.meta.url));
  const directory = existsSync(join(beside, 'timer.js'))
    ? beside
    : fileURLToPath(new URL('../../../sim/xs/modules/', import.meta.url));
  const modules: Record<string, string> = {};
  for (const [specifier, file] of [
    ['timer', 'timer.js'],
    ['time', 'time.js'],
    [NEWER, 'newer.js'],
    ['net', 'net.js'],
    ['system', 'system.js'],
    ['embedded:io/socket/tcp', 'tcp.js'],
    ['embedded:network/dns/resolver/udp', 'resolver.js'],
  ]) {
    modules[specifier] = join(directory, file);
  }
  return modules;
}

interface Request {
  promise: Promise<XsState>;
  resolve: (state: XsState) => void;
  reject: (error: Error) => void;
}

/** What an import or an evaluation came to. */
interface Answer {
  resolve: (text: string) => void;
  reject: (error: Error) => void;
}

export class XsMachine {
  /** As of the last time the machine stood still. */
  state!: XsState;
  /** Bytes of code of every module the machine has loaded, by path. */
  readonly codeBytes = new Map<string, number>();
  /** Resolves, with the reason if it was not `stop`, when the worker is gone. */
  readonly ended: Promise<XsMachineError | undefined>;
  private readonly options: XsMachineOptions;
  private readonly child: ChildProcess;
  private readonly input: Duplex;
  private readonly network: XsNetwork;
  private readonly requests: Request[] = [];
  private readonly answers: Answer[] = [];
  private failure: XsMachineError | undefined;
  private hasEnded = false;

  private constructor(options: XsMachineOptions) {
    this.options = options;
    this.child = spawn(options.worker, [], { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'] });
    this.input = this.child.stdio[3] as Duplex;
    this.input.on('error', () => {
      // The worker is gone: `close` says the rest.
    });
    this.network = options.network ?? new TcpNetwork();
    this.network.attach((kind, id, bytes) => {
      // A machine that ends says so by `ended`.
      this.send(kind, Buffer.concat([u32(id), bytes])).catch(() => undefined);
    });
    const reader = new FrameReader((kind, payload) => {
      this.handleFrame(kind, payload);
    });
    (this.child.stdio[4] as Duplex).on('data', (chunk: Buffer) => {
      reader.push(chunk);
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (status, signal) => {
        this.handleEnd(status, signal);
        resolve(this.failure);
      });
      this.child.on('error', (error) => {
        this.failure ??= new XsMachineError(error.message);
      });
    });
  }

  /** Starts a machine: loads what is to be preloaded, then makes the board's heap. */
  static async start(options: XsMachineOptions): Promise<XsMachine> {
    const machine = new XsMachine(options);
    try {
      const modules = { ...boardModules(), ...options.modules };
      for (const [specifier, path] of Object.entries(modules)) {
        machine.write('m', Buffer.concat([text(specifier), text(path)]));
      }
      if (options.virtualMs !== undefined) await machine.advanceTo(options.virtualMs);
      await machine.import(NEWER);
      for (const specifier of options.preload ?? []) await machine.import(specifier);
      const { heap } = options;
      await machine.send(
        'c',
        Buffer.concat([
          u32(heap?.chunkBytes ?? 0),
          u32(heap?.slots ?? 0),
          u32(heap?.stack ?? 0),
          u32(heap?.keys ?? 0),
        ]),
      );
      return machine;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /** Imports a module, by specifier or path; settles as its evaluation does. */
  async import(specifier: string): Promise<void> {
    await Promise.all([this.send('i', text(specifier)), this.answer()]);
  }

  /** Evaluates a script, and returns its value by way of JSON. */
  async evaluate(source: string): Promise<unknown> {
    const [, json] = await Promise.all([this.send('e', text(source)), this.answer()]);
    return json === 'undefined' ? undefined : (JSON.parse(json) as unknown);
  }

  /** Calls `onHostMessage(arrayBuffer)` in the machine; resolves when it stands still again. */
  post(bytes: Uint8Array): Promise<XsState> {
    return this.send('M', bytes);
  }

  /**
   * Sets the virtual clock, which does not go back, and runs what is due by then. What that sets for the same time again
   * runs the next time; see `runTo`.
   */
  advanceTo(nowMs: number): Promise<XsState> {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(nowMs);
    return this.send('t', bytes);
  }

  /**
   * Moves the virtual clock to `nowMs` from one timer to the next. What the network tells the machine on the way, if it
   * tells it from within its methods, is handled at the time it is about.
   */
  async runTo(nowMs: number): Promise<XsState> {
    await this.settled();
    while (this.state.nextTimerMs >= 0 && this.state.nextTimerMs <= nowMs) {
      await this.advanceTo(this.state.nextTimerMs);
      await this.settled();
    }
    await this.advanceTo(nowMs);
    return this.settled();
  }

  /** Resolves when the machine stands still and has nothing left to handle. */
  async settled(): Promise<XsState> {
    while (this.requests.length > 0) await this.requests[this.requests.length - 1].promise;
    return this.state;
  }

  /** Collects garbage and tells what is left. */
  collect(): Promise<XsState> {
    return this.send('g', new Uint8Array(0));
  }

  /** Peaks count from here. */
  markPeak(): Promise<XsState> {
    return this.send('k', new Uint8Array(0));
  }

  /** Ends the worker. */
  async stop(): Promise<void> {
    if (!this.hasEnded) this.write('q', new Uint8Array(0));
    this.network.close();
    await this.ended;
  }

  /** Ends the worker without a word, as losing power does. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    this.network.close();
    await this.ended;
  }

  private answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.answers.push({ resolve, reject });
    });
  }

  /** Sends a frame that the worker answers with its state once it stands still. */
  private send(kind: string, payload: Uint8Array): Promise<XsState> {
    if (this.hasEnded) return Promise.reject(this.failure ?? new XsMachineError('the machine was stopped'));
    const request = {} as Request;
    request.promise = new Promise((resolve, reject) => {
      request.resolve = resolve;
      request.reject = reject;
    });
    this.requests.push(request);
    this.write(kind, payload);
    return request.promise;
  }

  private write(kind: string, payload: Uint8Array): void {
    this.input.write(frame(kind, payload));
  }

  private handleFrame(kind: string, payload: Buffer): void {
    switch (kind) {
      case 'A':
      case 'G':
        this.state = readState(payload);
        this.requests.shift()?.resolve(this.state);
        return;
      case 'D':
        this.answers.shift()?.resolve('');
        return;
      case 'V':
        this.answers.shift()?.resolve(payload.toString());
        return;
      case 'F':
        this.answers.shift()?.reject(new XsMachineError(payload.toString()));
        return;
      case 'P':
        this.options.onPrint?.(payload.toString());
        return;
      case 'M':
        this.options.onMessage?.(payload);
        return;
      case 'S':
        this.write('s', this.options.onAsk?.(payload) ?? new Uint8Array(0));
        return;
      case 'Z':
        this.codeBytes.set(payload.toString('utf8', 4), payload.readUInt32LE(0));
        return;
      case 'X':
        this.failure = new XsMachineError(payload.toString());
        return;
      case 'O':
        this.network.open(payload.readUInt32LE(0), payload.readUInt32LE(4), payload.toString('utf8', 8));
        return;
      case 'W':
        this.network.write(payload.readUInt32LE(0), payload.subarray(4));
        return;
      case 'B':
        this.network.consumed(payload.readUInt32LE(0), payload.readUInt32LE(4));
        return;
      case 'C':
        this.network.end(payload.readUInt32LE(0));
        return;
    }
  }

  private handleEnd(status: number | null, signal: string | null): void {
    this.hasEnded = true;
    this.network.close();
    if (status !== 0 && signal !== 'SIGKILL') {
      this.failure ??= new XsMachineError(`the worker ended with ${String(status ?? signal)}`);
    }
    const error = this.failure ?? new XsMachineError('the machine was stopped');
    for (const request of this.requests.splice(0)) request.reject(error);
    for (const answer of this.answers.splice(0)) answer.reject(error);
  }
}

function readState(bytes: Buffer): XsState {
  const number = (index: number): number => bytes.readDoubleLE(index * 8);
  return {
    computrons: number(0),
    slots: number(1),
    slotsPeak: number(2),
    slotsMax: number(3),
    chunkBytes: number(4),
    chunkBytesPeak: number(5),
    chunkBytesMax: number(6),
    nextTimerMs: number(7),
    slotBytes: number(8),
  };
}
