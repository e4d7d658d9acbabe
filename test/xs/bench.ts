/**
 * A machine for a test: with modules given as text, and what it prints; and a server that keeps what it gets. Whatever is
 * started is to be registered, and stopped after each test.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import { XsMachine, type XsMachineOptions } from '../../sim/xs/machine.ts';
import { eventually } from '../support/wait.ts';
import { writeModule } from './bundle.ts';

/** Path of the worker. */
export const worker = await prepareXsEngine();
const opened: { stop(): unknown }[] = [];

/** Has it stopped by `stopAll`. */
export function register(one: { stop(): unknown }): void {
  opened.push(one);
}

/** To be called after each test. */
export async function stopAll(): Promise<void> {
  for (const one of opened.splice(0).reverse()) await one.stop();
}

/** A machine with the modules of these texts, and what it prints. */
export class Bench {
  readonly lines: string[] = [];
  readonly machine: XsMachine;

  private constructor(machine: XsMachine, lines: string[]) {
    this.machine = machine;
    this.lines = lines;
  }

  static async start(texts: Record<string, string>, options: Partial<XsMachineOptions> = {}): Promise<Bench> {
    const lines: string[] = [];
    const modules = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, writeModule(name, text)]),
    );
    const machine = await XsMachine.start({
      worker,
      modules,
      onPrint: (text) => lines.push(text),
      ...options,
    });
    opened.push(machine);
    return new Bench(machine, lines);
  }

  /** Started, and its module `main` imported. */
  static async run(main: string, options: Partial<XsMachineOptions> = {}): Promise<Bench> {
    const bench = await Bench.start({ main }, options);
    await bench.machine.import('main');
    return bench;
  }

  /** Resolves once the machine has printed this. */
  async printed(line: string): Promise<void> {
    await eventually(() => this.lines.includes(line), { what: `"${line}" in ${this.lines.join('; ')}` });
  }
}

/** A server that keeps what it got. */
export class Peer {
  readonly port: number;
  readonly sockets: Socket[] = [];
  received = Buffer.alloc(0);
  isEnded = false;
  isReset = false;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.on('data', (chunk: Buffer) => {
        this.received = Buffer.concat([this.received, chunk]);
      });
      socket.on('end', () => {
        this.isEnded = true;
      });
      socket.on('error', () => {
        this.isReset = true;
      });
    });
  }

  static async start(): Promise<Peer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const peer = new Peer(server);
    opened.push(peer);
    return peer;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
