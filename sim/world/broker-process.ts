/**
 * A broker of a world as a process with a disk: started, killed, and started again, with what the disk has or on another
 * one. What is asked of any broker, and how ours does it.
 */
import { BrokerCore } from '../broker/core.ts';
import type { Hooks } from '../broker/hooks.ts';
import type { Limits } from '../broker/limits.ts';
import { MemoryStore } from '../broker/memory-store.ts';
import type { EventQueue } from './events.ts';
import type { SimRandom } from './random.ts';
import type { WorldBroker } from './world-broker.ts';

/** The one that ships, or the naive one. */
export type BrokerKind = 'ours' | 'naive';

export const BROKER_KINDS: readonly BrokerKind[] = ['ours', 'naive'];

/** Who is told what a broker does to its clients. */
export interface BrokerWatcher {
  handleConnected: (clientId: string) => void;
  /** `isGoodbye`: the client said DISCONNECT, and wants no will published. */
  handleDisconnected: (clientId: string, isGoodbye: boolean) => void;
  /** A will is published. */
  handleWill: (topicName: string) => void;
  /** A client did something against the standard: only a strict broker tells. */
  handleBreach: (clientId: string, text: string) => void;
}

/** What a broker has of a client. */
export interface SessionRest {
  readonly isConnected: boolean;
  readonly subscriptions: readonly { readonly topicFilter: string }[];
  /** Messages sent and not acknowledged. */
  readonly inflight: number;
  readonly queuedMessages: number;
  /** What it reckons for those. */
  readonly queuedBytes: number;
}

/** What a process needs of its world. */
export interface ProcessSurroundings {
  readonly events: EventQueue;
  readonly random: SimRandom;
  readonly watcher: BrokerWatcher;
  /** For each life anew. */
  drawLimits: () => Partial<Limits>;
  /** Milliseconds a commit takes now. */
  commitMs: () => number;
  /** Something settles in microtasks. */
  handleSettling: () => void;
}

export interface BrokerProcess {
  /** Starts; calls `handleUp`, at once or when something has settled, with the broker. `wake`: it wants to be flushed. */
  start(nowMs: number, wake: () => void, handleUp: (broker: WorldBroker) => void): void;
  /** It dies; with `isStateLost` its disk, too. */
  crash(isStateLost: boolean): void;
  /** Cuts a client's connection without a word. */
  cut(clientId: string): void;
  /** What the broker has of a client, if it is up and has anything. */
  session(clientId: string): SessionRest | undefined;
  /** Whether the broker has a session of this client that subscribes to something, and will have it whatever happens. */
  hasSubscription(clientId: string): boolean;
  connectedIds(): string[];
}

/** The broker that ships, with its store in memory, which loses what was not committed. */
export class OurProcess implements BrokerProcess {
  private readonly surroundings: ProcessSurroundings;
  private readonly hooks: Hooks;
  private store: MemoryStore;
  private broker: BrokerCore | null = null;

  constructor(surroundings: ProcessSurroundings) {
    this.surroundings = surroundings;
    this.hooks = hooksOf(surroundings.watcher);
    this.store = this.makeStore();
  }

  private makeStore(): MemoryStore {
    const { events, commitMs, handleSettling } = this.surroundings;
    return new MemoryStore((finish) => {
      events.in(commitMs(), () => {
        handleSettling();
        finish();
      });
    });
  }

  start(nowMs: number, wake: () => void, handleUp: (broker: WorldBroker) => void): void {
    const { random, drawLimits, handleSettling } = this.surroundings;
    const { hooks, store } = this;
    const broker = new BrokerCore(
      { sysIntervalSeconds: 0, hooks, limits: drawLimits() },
      { random: () => random.next(), store, wake },
    );
    this.broker = broker;
    handleSettling();
    void broker.restore(nowMs).then(() => {
      if (this.broker === broker) handleUp(broker);
    });
  }

  crash(isStateLost: boolean): void {
    this.broker = null;
    if (isStateLost) this.store = this.makeStore();
    else this.store.crash();
  }

  cut(clientId: string): void {
    this.broker?.faults.cut(clientId);
  }

  session(clientId: string): SessionRest | undefined {
    return this.broker?.session(clientId);
  }

  hasSubscription(clientId: string): boolean {
    return this.store.hasSubscription(clientId);
  }

  connectedIds(): string[] {
    return [...(this.broker?.clients() ?? [])].map(({ clientId }) => clientId);
  }
}

function hooksOf({ handleConnected, handleDisconnected, handleWill }: BrokerWatcher): Hooks {
  return {
    published: (message, client) => {
      if (client === null) handleWill(message.topicName);
      return undefined;
    },
    connected: ({ clientId }) => handleConnected(clientId),
    disconnected: ({ clientId }, reasonCode, reason) => {
      handleDisconnected(clientId, reason === 'the client disconnected' && reasonCode === 0);
    },
  };
}
