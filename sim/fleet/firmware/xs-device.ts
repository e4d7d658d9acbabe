/**
 * A device that runs firmware as an ESP32 would: in an XS machine of that size, in a process of its own, with sockets
 * that end here. Hears what its guest tells; what the firmware does there is its own.
 */
import { connect as connectTls } from 'node:tls';
import { CAUSE_SERVER } from '../../../src/session/event.ts';
import { ESP32_HEAP, XsMachine, type XsState } from '../../xs/machine.ts';
import { TcpNetwork } from '../../xs/network.ts';
import { deviceOptions, type FirmwareDevice, type FirmwareWorld } from './firmware-device.ts';
import {
  ASK_SETTINGS,
  DO_CONNECT,
  DO_FINISH,
  DO_LEAVE,
  DO_NOTHING,
  TOLD_BUSY,
  TOLD_CONNECTED,
  TOLD_DISCONNECTED,
  TOLD_PUBLISHED,
  TOLD_READY,
  TOLD_SENT,
  type GuestSettings,
  type ToldText,
} from './guest-protocol.ts';
import { SimulatedBoard, simulatedFunctions } from './simulated-io.ts';
import { GUEST_MAIN, PRELOADED, type ModulePaths } from './xs-modules.ts';

/** How long a goodbye may take to leave the machine: it waits for the server to have all of it. */
const LEAVE_MS_MAX = 2000;
/** Texts begin with it, numbers do not: the first byte of theirs is 0. */
const BRACE = 0x7b;
const FLOAT_BYTES = 8;

/** Figures of one machine. */
export interface MachineFigures {
  /** With garbage that was not collected yet. */
  slotsPeak: number;
  chunkBytesPeak: number;
  /** The most that was left by collections, once it was connected and at the end; undefined where it came to none. */
  slots: number | undefined;
  chunkBytes: number | undefined;
  computronsPerSecond: number | undefined;
}

export class XsDevice implements FirmwareDevice {
  readonly index: number;
  readonly clientId: string;
  attempts = 0;
  admissions = 0;
  isAway = false;
  isBusy = false;
  private readonly world: FirmwareWorld;
  private readonly worker: string;
  private readonly modules: ModulePaths;
  private readonly network: TcpNetwork;
  private machine: XsMachine | undefined;
  /** What the firmware reads, made when it does. */
  private board: SimulatedBoard | undefined;
  private starting: Promise<void> | undefined;
  private isConnected = false;
  /** It is being ended, or has ended: what it still tells is of no interest. */
  private isOver = false;
  private socketError: Error | undefined;
  /** When sending began, and what the machine had computed by then. */
  private begun: { ms: number; computrons: number } | undefined;
  private computronsPerSecond: number | undefined;
  private slots: number | undefined;
  private chunkBytes: number | undefined;
  private whenClosed: (() => void) | undefined;

  constructor(world: FirmwareWorld, index: number, worker: string, modules: ModulePaths) {
    this.world = world;
    this.index = index;
    this.clientId = world.names.idOf(index);
    this.worker = worker;
    this.modules = modules;
    const { target } = world.server;
    this.network = new TcpNetwork({
      connect: target?.tls === undefined ? undefined : () => connectTls({ ...target.tls, ...target }),
      onError: (error) => (this.socketError = error),
      onEnd: () => this.whenClosed?.(),
    });
  }

  get bytesOut(): number {
    return this.network.bytesOut;
  }

  get bytesIn(): number {
    return this.network.bytesIn;
  }

  connect(): void {
    this.socketError = undefined;
    if (this.starting === undefined) this.starting = this.start();
    else this.send(DO_CONNECT);
  }

  private async start(): Promise<void> {
    const { modules, worker, network } = this;
    try {
      const machine = await XsMachine.start({
        worker,
        modules,
        network,
        heap: ESP32_HEAP,
        preload: PRELOADED,
        onAsk: (bytes) => this.answer(Buffer.from(bytes).toString()),
        onMessage: (bytes) => this.hear(Buffer.from(bytes)),
        onPrint: (text) => this.world.handleTrace(this, text),
      });
      this.machine = machine;
      if (this.isOver) return;
      void machine.ended.then((error) => this.die(error?.message ?? 'the machine ended'));
      await machine.import(GUEST_MAIN);
      this.send(DO_CONNECT);
    } catch (error) {
      this.die((error as Error).message);
    }
  }

  private settings(): GuestSettings {
    const { server, settings } = this.world;
    const { host, port } = server.target ?? { host: '', port: 0 };
    return {
      seed: settings.seed,
      index: this.index,
      host,
      port,
      options: deviceOptions(this.world, this.index),
      functions: simulatedFunctions(),
    };
  }

  /** What the machine asks for: its settings, and what its board reads. */
  private answer(question: string): Uint8Array {
    if (question === ASK_SETTINGS) return Buffer.from(JSON.stringify(this.settings()));
    const at = question.indexOf('[');
    const name = at < 0 ? question : question.slice(0, at);
    const args = at < 0 ? [] : (JSON.parse(question.slice(at)) as unknown[]);
    this.board ??= new SimulatedBoard(this.world.settings.seed, this.index, Date.now);
    const functions = this.board as unknown as Record<string, (...args: unknown[]) => unknown>;
    return Buffer.from(JSON.stringify(functions[name](...args)) ?? '');
  }

  /** Sending begins: from here on computrons are counted. */
  async begin(): Promise<void> {
    await this.collect();
    const state = await this.ask();
    if (state !== undefined) this.begun = { ms: performance.now(), computrons: state.computrons };
  }

  finish(): void {
    if (this.isOver) return;
    if (this.admissions > 0) this.isBusy = true; // until it says otherwise
    this.send(DO_FINISH);
  }

  /** The run is over but for the goodbyes: what the machine has used, and what it holds. */
  async measure(): Promise<void> {
    const state = await this.ask();
    const { begun } = this;
    if (state !== undefined && begun !== undefined) {
      const seconds = (performance.now() - begun.ms) / 1000;
      this.computronsPerSecond = (state.computrons - begun.computrons) / seconds;
    }
    await this.collect();
  }

  /** As of now; undefined before the machine has run. */
  figures(): MachineFigures | undefined {
    const state = this.machine?.state;
    if (state === undefined) return undefined;
    const { slots, chunkBytes, computronsPerSecond } = this;
    return {
      slotsPeak: state.slotsPeak,
      // The engine counts a little too much where arrays grew.
      chunkBytesPeak: Math.min(state.chunkBytesPeak, state.chunkBytesMax),
      slots,
      chunkBytes,
      computronsPerSecond,
    };
  }

  private async collect(): Promise<void> {
    if (this.machine === undefined || this.isOver) return;
    const state = await this.machine.collect().catch(() => undefined);
    if (state === undefined) return;
    this.slots = Math.max(this.slots ?? 0, state.slots);
    this.chunkBytes = Math.max(this.chunkBytes ?? 0, state.chunkBytes);
  }

  async leave(): Promise<void> {
    this.isOver = true;
    const { machine } = this;
    if (machine === undefined) return;
    const isClosed = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LEAVE_MS_MAX);
      this.whenClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const isHeard = await machine.post(Uint8Array.of(DO_LEAVE)).catch(() => undefined);
    if (isHeard !== undefined && this.network.openCount > 0) await isClosed;
    this.whenClosed?.();
    await machine.stop();
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.starting;
    await this.machine?.kill();
  }

  /** Sends a byte and resolves with the machine's state once it stands still; undefined when it is no more. */
  private ask(what = DO_NOTHING): Promise<XsState | undefined> {
    if (this.machine === undefined || this.isOver) return Promise.resolve(undefined);
    return this.machine.post(Uint8Array.of(what)).catch(() => undefined);
  }

  /** Sends a byte. A machine that ends says so by itself. */
  private send(what: number): void {
    void this.ask(what);
  }

  private die(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isBusy = false;
    this.world.handleDied(this, why, this.isConnected);
  }

  private hear(bytes: Buffer): void {
    if (this.isOver) return;
    if (bytes[0] === BRACE) {
      this.hearText(JSON.parse(bytes.toString()) as ToldText);
      return;
    }
    const number = (index: number): number => bytes.readDoubleLE(index * FLOAT_BYTES);
    const { world } = this;
    switch (number(0)) {
      case TOLD_CONNECTED:
        this.isConnected = true;
        world.handleConnected(this);
        break;
      case TOLD_READY:
        world.handleReady(this);
        break;
      case TOLD_DISCONNECTED:
        this.handleDisconnected(number(1), number(2), number(3));
        break;
      case TOLD_SENT:
        world.handleSent(this, number(1), number(2), number(3), number(4));
        break;
      case TOLD_PUBLISHED:
        world.handlePublished(this, number(1), number(2));
        break;
      case TOLD_BUSY:
        this.isBusy = number(1) === 1;
        break;
    }
  }

  private hearText(text: ToldText): void {
    if ('missing' in text) this.world.handleMissing(this, text.missing);
    else if ('command' in text) this.world.handleCommand(this, text.command, text.isOk);
    else this.world.handleError(this, text.error, text.message);
  }

  private handleDisconnected(cause: number, reasonCode: number, violation: number): void {
    const wasConnected = this.isConnected;
    this.isConnected = false;
    this.world.handleLost(this, {
      cause,
      reasonCode,
      violation,
      // The machine knows only that its socket is gone.
      error: cause === CAUSE_SERVER ? undefined : this.socketError,
      protocolVersion: this.world.protocolVersion,
      wasConnected,
    });
  }
}
