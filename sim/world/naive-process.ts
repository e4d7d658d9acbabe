/**
 * The naive broker as a process of a world. It has no store: what it knows when it dies is what is on its disk, as it is then,
 * and answers wait for as long as a commit would take. Of the limits that a world draws it knows no Topic Alias Maximum of its
 * own for what it sends: it uses what the client offers.
 */
import type { BrokerProcess, ProcessSurroundings, SessionRest } from './broker-process.ts';
import { NaiveBroker, type NaiveState } from './naive-broker.ts';
import type { WorldBroker } from './world-broker.ts';

export class NaiveProcess implements BrokerProcess {
  private readonly surroundings: ProcessSurroundings;
  private broker: NaiveBroker | null = null;
  /** What is on its disk while it is down. */
  private snapshot: NaiveState | undefined;

  constructor(surroundings: ProcessSurroundings) {
    this.surroundings = surroundings;
  }

  start(nowMs: number, wake: () => void, handleUp: (broker: WorldBroker) => void): void {
    const { random, watcher, drawLimits, commitMs } = this.surroundings;
    const { receiveMaximum = 65_535, maximumPacketSize, topicAliasMaximum = 0, inflightMax } = drawLimits();
    this.broker = new NaiveBroker(
      {
        receiveMaximum,
        topicAliasMaximum,
        ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
        ...(inflightMax === undefined ? {} : { inflightMax }),
        ...(this.snapshot === undefined ? {} : { snapshot: this.snapshot }),
        acknowledgementDelayMs: commitMs,
        startedMs: nowMs,
      },
      { random: () => random.next(), wake, watcher },
    );
    handleUp(this.broker);
  }

  crash(isStateLost: boolean): void {
    this.snapshot = isStateLost ? undefined : this.broker?.snapshot();
    this.broker = null;
  }

  cut(clientId: string): void {
    this.broker?.cut(clientId);
  }

  session(clientId: string): SessionRest | undefined {
    return this.broker?.session(clientId);
  }

  hasSubscription(clientId: string): boolean {
    const sessions = this.broker?.sessions() ?? this.snapshot?.sessions ?? [];
    const session = sessions.find((one) => one.clientId === clientId);
    return session !== undefined && session.subscriptions.length > 0;
  }

  connectedIds(): string[] {
    return (this.broker?.sessions() ?? []).filter((one) => one.isConnected).map(({ clientId }) => clientId);
  }
}
