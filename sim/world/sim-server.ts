/**
 * A broker in the world: its process, which may die and come back with its state or without, its disk, and the connections
 * it has. Runs any broker that is like ours.
 */
import { BrokerCore, type SessionView } from '../broker/core.ts';
import type { Hooks } from '../broker/hooks.ts';
import type { Limits } from '../broker/limits.ts';
import { MemoryStore } from '../broker/memory-store.ts';
import type { EventQueue, SimTimer } from './events.ts';
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
  private readonly random: SimRandom;
  private readonly hooks: Hooks;
  private readonly drawLimits: () => Partial<Limits>;
  private readonly connections = new Set<SimConnection>();
  private store: MemoryStore;
  private broker: BrokerCore | null = null;
  /** Grows with every process: what belonged to an earlier one is nobody's any more. */
  private life = 0;
  private timer: SimTimer | null = null;

  constructor(events: EventQueue, random: SimRandom, hooks: Hooks, drawLimits: () => Partial<Limits>) {
    this.events = events;
    this.drawLimits = drawLimits;
    this.random = random;
    this.hooks = hooks;
    this.store = this.makeStore();
  }

  private makeStore(): MemoryStore {
    return new MemoryStore((finish) => {
      this.events.in(this.commitMs, () => {
        this.needsSettling = true;
        finish();
      });
    });
  }

  private nowMs(): number {
    return EPOCH_MS + this.events.nowMs;
  }

  /** Starts the process; it is up once its store is read. */
  start(): void {
    const life = ++this.life;
    const broker = new BrokerCore(
      { sysIntervalSeconds: 0, hooks: this.hooks, limits: this.drawLimits() },
      {
        random: () => this.random.next(),
        store: this.store,
        wake: () => {
          this.events.in(0, () => this.call(life, (core, nowMs) => core.flush(nowMs)));
        },
      },
    );
    this.needsSettling = true;
    void broker.restore(this.nowMs()).then(() => {
      if (this.life !== life) return;
      this.broker = broker;
      this.isUp = true;
      this.call(life, (core, nowMs) => core.advance(nowMs));
    });
  }

  /** Calls the broker of this life, and looks when it wants to be called again. */
  private call(life: number, run: (broker: BrokerCore, nowMs: number) => void): void {
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
    if (isStateLost) this.store = this.makeStore();
    else this.store.crash();
    for (const connection of this.connections) connection.cutServer(isTold);
    this.connections.clear();
  }

  /** Cuts a client's connection without a word. */
  cut(clientId: string): void {
    this.call(this.life, (core) => core.faults.cut(clientId));
  }

  /** What the broker has of a client, if it is up and has anything. */
  session(clientId: string): SessionView | undefined {
    return this.broker?.session(clientId);
  }

  /** Whether the broker has a session of this client that subscribes to something, and will have it whatever happens. */
  hasSubscription(clientId: string): boolean {
    return this.store.hasSubscription(clientId);
  }

  connectedIds(): string[] {
    return [...(this.broker?.clients() ?? [])].map(({ clientId }) => clientId);
  }

  /** What the broker holds, if it is up. */
  get core(): BrokerCore | null {
    return this.broker;
  }
}
