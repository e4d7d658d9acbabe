/**
 * A server in the world: a broker's process, which may die and come back with its state or without, how fast its disk is,
 * and the connections it has. Runs any broker that is like ours.
 */
import type { Limits } from '../broker/limits.ts';
import {
  OurProcess,
  type BrokerKind,
  type BrokerProcess,
  type BrokerWatcher,
  type SessionRest,
} from './broker-process.ts';
import type { EventQueue, SimTimer } from './events.ts';
import { NaiveProcess } from './naive-process.ts';
import type { SimRandom } from './random.ts';
import type { SimConnection } from './sim-link.ts';
import type { WorldBroker } from './world-broker.ts';

/** When a world begins: brokers count from 1970, so that what they store means something to the next. */
const EPOCH_MS = 1_800_000_000_000;

export class SimServer {
  isUp = false;
  /** Something settles in microtasks: the world's loop lets them run. */
  needsSettling = false;
  /** Milliseconds a commit takes. */
  commitMs = 1;
  private readonly events: EventQueue;
  private readonly process: BrokerProcess;
  private readonly connections = new Set<SimConnection>();
  private broker: WorldBroker | null = null;
  /** Grows with every process: what belonged to an earlier one is nobody's any more. */
  private life = 0;
  private timer: SimTimer | null = null;

  constructor(
    kind: BrokerKind,
    events: EventQueue,
    random: SimRandom,
    watcher: BrokerWatcher,
    drawLimits: () => Partial<Limits>,
  ) {
    this.events = events;
    const surroundings = {
      events,
      random,
      watcher,
      drawLimits,
      commitMs: () => this.commitMs,
      handleSettling: () => {
        this.needsSettling = true;
      },
    };
    this.process = kind === 'ours' ? new OurProcess(surroundings) : new NaiveProcess(surroundings);
  }

  private nowMs(): number {
    return EPOCH_MS + this.events.nowMs;
  }

  /** Starts the process; it is up once its disk is read. */
  start(): void {
    const life = ++this.life;
    const wake = (): void => {
      this.events.in(0, () => this.call(life, (broker, nowMs) => broker.flush(nowMs)));
    };
    this.process.start(this.nowMs(), wake, (broker) => {
      if (this.life !== life) return;
      this.broker = broker;
      this.isUp = true;
      this.call(life, (_broker, nowMs) => broker.advance(nowMs));
    });
  }

  /** Calls the broker of this life, and looks when it wants to be called again. */
  private call(life: number, run: (broker: WorldBroker, nowMs: number) => void): void {
    const { broker } = this;
    if (life !== this.life || broker === null) return;
    run(broker, this.nowMs());
    this.setTimer(life, broker);
  }

  private setTimer(life: number, broker: WorldBroker): void {
    const atMs = broker.nextDeadlineMs() - EPOCH_MS;
    if (this.timer !== null) this.events.cancel(this.timer);
    this.timer =
      atMs === Infinity
        ? null
        : this.events.at(Math.ceil(atMs), () => this.call(life, (core, nowMs) => core.advance(nowMs)));
  }

  /** A connection reaches the server, which must be up. */
  accept(connection: SimConnection): void {
    const { life, broker } = this;
    if (broker === null) return;
    const end = broker.open(connection, this.nowMs());
    this.connections.add(connection);
    connection.accept({
      receive: (bytes) => this.call(life, (_core, nowMs) => end.receive(bytes, nowMs)),
      handleWritten: () => this.call(life, (_core, nowMs) => end.handleWritten(nowMs)),
      handleClose: () => {
        this.connections.delete(connection);
        this.call(life, (_core, nowMs) => end.handleClose(nowMs));
      },
    });
    this.setTimer(life, broker);
  }

  /** The process dies. `isStateLost`: its disk, too. `isTold`: its machine tells the clients, or they find out. */
  crash(isStateLost: boolean, isTold: boolean): void {
    this.life++;
    this.isUp = false;
    this.broker = null;
    if (this.timer !== null) this.events.cancel(this.timer);
    this.timer = null;
    this.process.crash(isStateLost);
    for (const connection of this.connections) connection.cutServer(isTold);
    this.connections.clear();
  }

  /** Cuts a client's connection without a word. */
  cut(clientId: string): void {
    this.call(this.life, () => this.process.cut(clientId));
  }

  /** What the broker has of a client, if it is up and has anything. */
  session(clientId: string): SessionRest | undefined {
    return this.isUp ? this.process.session(clientId) : undefined;
  }

  /** Whether the broker has a session of this client that subscribes to something, and will have it whatever happens. */
  hasSubscription(clientId: string): boolean {
    return this.process.hasSubscription(clientId);
  }

  connectedIds(): string[] {
    return this.process.connectedIds();
  }
}
