/**
 * What is between a device and a broker: a TCP proxy with one port that does what bad networks do. It looks at nothing that
 * passes; who watches the broker's end is shown its bytes.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { SimRandom } from '../random.ts';
import type { EndWatcher } from '../sim-link.ts';

/** Ports are below those that systems take for outgoing connections: while nobody listens there, nobody else does. */
const PORT_MIN = 20_000;
const PORT_COUNT = 12_000;
const HOST = '127.0.0.1';

type Piece = Uint8Array | 'end' | 'reset';

/** Closes a socket so that the other end sees an error. */
function reset(socket: Socket): void {
  // While a socket connects, or its end is being written, Node cannot reset it.
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** How a link is when nothing is wrong with it. Times in milliseconds, each way. */
export interface LinkConditions {
  readonly latencyMs: number;
  /** Added to it, drawn anew for each piece. */
  readonly jitterMs: number;
  /** Of a thousand pieces, how many arrive in two. */
  readonly fragmentPerMille: number;
}

/** One direction: pieces go to `sink` in order, in their time, and while it is stalled they wait. */
class Lane {
  private readonly sink: Socket;
  private readonly conditions: LinkConditions;
  private readonly random: SimRandom;
  private readonly handleWritten: (bytes: Uint8Array) => void;
  private readonly waiting: { readonly dueMs: number; readonly piece: Piece }[] = [];
  private lastDueMs = 0;
  private stallCount = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    sink: Socket,
    conditions: LinkConditions,
    random: SimRandom,
    handleWritten: (bytes: Uint8Array) => void,
  ) {
    this.sink = sink;
    this.conditions = conditions;
    this.random = random;
    this.handleWritten = handleWritten;
  }

  push(piece: Piece): void {
    const { random } = this;
    const { latencyMs, jitterMs, fragmentPerMille } = this.conditions;
    this.lastDueMs = Math.max(this.lastDueMs, performance.now() + latencyMs + random.below(jitterMs + 1));
    if (typeof piece !== 'string' && piece.length > 1 && random.isChance(fragmentPerMille)) {
      const at = random.between(1, piece.length - 1);
      this.waiting.push({ dueMs: this.lastDueMs, piece: piece.slice(0, at) });
      this.lastDueMs += 1;
      this.waiting.push({ dueMs: this.lastDueMs, piece: piece.slice(at) });
    } else {
      // The socket takes its buffer back.
      this.waiting.push({ dueMs: this.lastDueMs, piece: typeof piece === 'string' ? piece : piece.slice() });
    }
    this.advance();
  }

  stall(): void {
    this.stallCount++;
  }

  resume(): void {
    this.stallCount--;
    this.advance();
  }

  /** Nothing more is delivered, whatever comes. */
  drop(): void {
    this.stallCount = Infinity;
    this.waiting.length = 0;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private advance(): void {
    while (this.stallCount <= 0 && this.waiting.length > 0) {
      const [{ dueMs, piece }] = this.waiting;
      const ms = dueMs - performance.now();
      if (ms > 0) {
        this.timer ??= setTimeout(() => {
          this.timer = null;
          this.advance();
        }, Math.ceil(ms));
        return;
      }
      this.waiting.shift();
      this.deliver(piece);
    }
  }

  private deliver(piece: Piece): void {
    const { sink } = this;
    if (sink.destroyed) return;
    if (piece === 'end') sink.end();
    else if (piece === 'reset') reset(sink);
    else if (!sink.writableEnded) {
      sink.write(piece);
      this.handleWritten(piece);
    }
  }
}

/** One connection through the link. */
class Passage {
  private readonly client: Socket;
  private readonly server: Socket;
  private readonly toServer: Lane;
  private readonly toClient: Lane;
  private isDead = false;
  private isClosingLost = false;

  constructor(
    client: Socket,
    server: Socket,
    { conditions, random, watch }: LinkOptions,
    handleGone: () => void,
  ) {
    this.client = client;
    this.server = server;
    const watcher = watch();
    this.toServer = new Lane(server, conditions, random, (bytes) => watcher.handleSent(bytes));
    this.toClient = new Lane(client, conditions, random, () => {});
    client.on('data', (bytes: Uint8Array) => this.pass(this.toServer, bytes));
    server.on('data', (bytes: Uint8Array) => {
      watcher.handleReceived(bytes);
      this.pass(this.toClient, bytes);
    });
    const watchEnd = (socket: Socket, lane: Lane): void => {
      socket.on('error', () => {});
      socket.on('end', () => {
        if (this.isSilent()) socket.destroy();
        else lane.push('end');
      });
      socket.on('close', (hasFailed: boolean) => {
        if (!this.isSilent()) lane.push(hasFailed ? 'reset' : 'end');
        if (socket === server) watcher.handleOver();
        if (client.destroyed && server.destroyed) handleGone();
      });
    };
    watchEnd(client, this.toServer);
    watchEnd(server, this.toClient);
  }

  private pass(lane: Lane, bytes: Uint8Array): void {
    if (!this.isDead) lane.push(bytes);
  }

  /** Whether the end of one side stays unknown to the other. From then on it is dead. */
  private isSilent(): boolean {
    if (this.isClosingLost) this.kill();
    return this.isDead;
  }

  get isOpen(): boolean {
    return !this.isDead && !this.client.destroyed && !this.server.destroyed;
  }

  kill(): void {
    this.isDead = true;
    this.toServer.drop();
    this.toClient.drop();
  }

  loseClosing(): void {
    this.isClosingLost = true;
  }

  lanes(where: 'both' | 'device' | 'server'): Lane[] {
    return [...(where === 'server' ? [] : [this.toClient]), ...(where === 'device' ? [] : [this.toServer])];
  }

  resetClient(): void {
    reset(this.client);
  }

  resetServer(): void {
    reset(this.server);
  }

  /** The end of the stream, and nothing more, for the client. */
  endClient(): void {
    this.client.end();
  }

  destroy(): void {
    this.kill();
    this.client.destroy();
    this.server.destroy();
  }
}

/** Where a link goes to, and who watches it there. */
export interface LinkOptions {
  readonly targetHost: string;
  readonly targetPort: number;
  readonly conditions: LinkConditions;
  readonly random: SimRandom;
  /** Watches a new connection at the broker's end. */
  watch: () => EndWatcher;
}

export class FaultLink {
  port = 0;
  /** Connections that came through. */
  connectionCount = 0;
  private readonly options: LinkOptions;
  private readonly passages = new Set<Passage>();
  /** Connections that nobody will ever answer. */
  private readonly unanswered = new Set<Socket>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private listener: Server | null = null;
  private last: Passage | null = null;
  private isServerUp = true;
  private isClosed = false;
  /** How many of each fault there are now, which may overlap. */
  private refusing = 0;
  private nameless = 0;
  private deaf = 0;

  constructor(options: LinkOptions) {
    this.options = options;
  }

  /** Begins to listen, on a port that it keeps. */
  async open(): Promise<void> {
    for (let attempts = 0; ; attempts++) {
      this.port = PORT_MIN + Math.floor(Math.random() * PORT_COUNT);
      try {
        await this.listen();
        return;
      } catch (error) {
        if (attempts === 100) throw error;
      }
    }
  }

  private listen(): Promise<void> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.accept(client));
    this.listener = listener;
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(this.port, HOST, resolve);
    });
  }

  /** Where devices have to go: a name that does not exist while that is the fault. */
  get host(): string {
    // Longer than a label can be: no name server is asked.
    return this.nameless > 0 ? `${'x'.repeat(64)}.invalid` : HOST;
  }

  /** Whether who connects now is passed on. */
  get isAnswering(): boolean {
    return this.deaf === 0;
  }

  private accept(client: Socket): void {
    if (!this.isAnswering) {
      client.on('error', () => {});
      client.on('end', () => client.destroy());
      client.on('close', () => this.unanswered.delete(client));
      client.resume();
      this.unanswered.add(client);
      return;
    }
    const { targetHost: host, targetPort: port } = this.options;
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const passage: Passage = new Passage(client, server, this.options, () => this.passages.delete(passage));
    this.connectionCount++;
    this.passages.add(passage);
    this.last = passage;
  }

  /** The connection there is, or null. */
  private current(): Passage | null {
    return this.last?.isOpen === true ? this.last : null;
  }

  private update(): void {
    const isWanted = this.isServerUp && this.refusing === 0 && !this.isClosed;
    if (isWanted === (this.listener !== null)) return;
    if (isWanted) {
      // Nobody else takes a port of that range so soon; if somebody does, the device goes on being refused.
      this.listen().catch(() => (this.listener = null));
    } else {
      this.listener?.close();
      this.listener = null;
    }
  }

  private later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
  }

  // --- Faults: each returns whether there was anything that it could befall -----------------------------------------

  /** The connection breaks; each end learns of it in its own time. */
  reset(deviceMs: number, serverMs: number): boolean {
    const passage = this.current();
    passage?.kill();
    this.later(deviceMs, () => passage?.resetClient());
    this.later(serverMs, () => passage?.resetServer());
    return passage !== null;
  }

  /** Nothing gets through any more, and nobody is told. */
  kill(): boolean {
    const passage = this.current();
    passage?.kill();
    return passage !== null;
  }

  loseClosing(): boolean {
    const passage = this.current();
    passage?.loseClosing();
    return passage !== null;
  }

  stall(ms: number, where: 'both' | 'device' | 'server'): boolean {
    const lanes = this.current()?.lanes(where) ?? [];
    for (const lane of lanes) lane.stall();
    this.later(ms, () => {
      for (const lane of lanes) lane.resume();
    });
    return lanes.length > 0;
  }

  refuse(ms: number): boolean {
    this.refusing++;
    this.update();
    this.later(ms, () => {
      this.refusing--;
      this.update();
    });
    return true;
  }

  hideName(ms: number): boolean {
    this.nameless++;
    this.later(ms, () => this.nameless--);
    return true;
  }

  silence(ms: number): boolean {
    this.deaf++;
    this.later(ms, () => this.deaf--);
    return true;
  }

  /** The broker cuts the device off, `isOrderly`: with the end of the stream. */
  cutOff(isOrderly: boolean): boolean {
    const passage = this.current();
    if (passage === null) return false;
    passage.kill();
    if (isOrderly) passage.endClient();
    else passage.resetClient();
    passage.resetServer();
    return true;
  }

  /** The device has no power any more; `isTold`: the network tells the broker. */
  cutDevice(isTold: boolean): void {
    const passage = this.last;
    if (passage === null) return;
    passage.kill();
    passage.resetClient();
    if (isTold) passage.resetServer();
  }

  /** Whether there is a broker at the other end: nobody listens without one. */
  setServerUp(isUp: boolean): void {
    this.isServerUp = isUp;
    this.update();
  }

  close(): void {
    this.isClosed = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.update();
    for (const passage of this.passages) passage.destroy();
    for (const socket of this.unanswered) socket.destroy();
  }
}
