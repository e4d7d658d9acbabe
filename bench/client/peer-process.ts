/**
 * A client's process, as the bench holds it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Report, Taken } from './orders.ts';
import { Feeder } from './feeder.ts';
import type { PeerKind, PeerTarget, Qos } from './peer.ts';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

export class PeerProcess {
  readonly kind: PeerKind;
  private readonly child: ChildProcess;

  private constructor(kind: PeerKind, child: ChildProcess) {
    this.kind = kind;
    this.child = child;
  }

  /** Resolves when it is connected. */
  static async start(kind: PeerKind, target: PeerTarget, execArgv: string[] = []): Promise<PeerProcess> {
    const { port, clientId, topicName, payloadByteLength } = target;
    const args = [kind, String(port), clientId, topicName, String(payloadByteLength)];
    const peer = new PeerProcess(kind, fork(CHILD, args, { execArgv }));
    await peer.next('ready');
    return peer;
  }

  async publish(qos: Qos, ms: number, batch: number): Promise<Taken> {
    this.order({ kind: 'publish', qos, ms, batch });
    return (await this.next('done')).taken;
  }

  async subscribe(qos: Qos, others = 0): Promise<void> {
    this.order({ kind: 'subscribe', qos, others });
    await this.next('ready');
  }

  /** Has the feeder publish `count` messages, which this client receives. */
  async receive(feeder: Feeder, count: number): Promise<Taken> {
    const total = Feeder.roundUp(count);
    const handleProgress = (report: Report): void => {
      if (report.kind === 'progress') feeder.handleProgress(report.count);
    };
    this.child.on('message', handleProgress);
    this.order({ kind: 'receive', count: total });
    await this.next('ready');
    feeder.start(total);
    const { taken } = await this.next('done');
    this.child.off('message', handleProgress);
    return taken;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  private order(order: Order): void {
    this.child.send(order);
  }

  /** The next report of this kind; rejects when the process fails or ends instead. */
  private next<Kind extends Report['kind']>(kind: Kind): Promise<Extract<Report, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.child.off('message', handleReport);
        this.child.off('exit', handleExit);
        act();
      };
      const handleExit = (): void => settle(() => reject(new Error(`the process of ${this.kind} has ended`)));
      const handleReport = (report: Report): void => {
        if (report.kind === kind) settle(() => resolve(report as Extract<Report, { kind: Kind }>));
        else if (report.kind === 'failed') settle(() => reject(new Error(`${this.kind}: ${report.text}`)));
      };
      this.child.on('message', handleReport);
      this.child.on('exit', handleExit);
    });
  }
}
