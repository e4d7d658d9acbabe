/**
 * Publishes to a subscriber from a bare socket, as fast as that takes it: never more than a window of messages are on
 * their way, so that no server has to drop any.
 */
import type { Socket } from 'node:net';
import { AckCounter } from './bare-counting.ts';
import { encodePublishes, openBareSocket } from './bare.ts';
import { makePayloads, type Qos } from './peer.ts';

/** Messages between the server and here, and between here and the subscriber. */
const UNACKNOWLEDGED_MAX = 1000;
const WINDOW = 6000;
const BURST = 250;
const LANES = UNACKNOWLEDGED_MAX / BURST;

export class Feeder {
  private readonly socket: Socket;
  private readonly qos: Qos;
  private readonly lanes: Buffer[];
  private readonly acks: AckCounter;
  private sent = 0;
  private acknowledged = 0;
  private arrived = 0;
  private total = 0;
  private isCongested = false;

  private constructor(socket: Socket, qos: Qos, lanes: Buffer[]) {
    this.socket = socket;
    this.qos = qos;
    this.lanes = lanes;
    this.acks = new AckCounter(socket, Buffer.alloc(0));
    socket.on('drain', () => {
      this.isCongested = false;
      this.feed();
    });
  }

  static async open(port: number, topicName: string, qos: Qos, payloadByteLength: number): Promise<Feeder> {
    const socket = await openBareSocket(port, `feeder-${topicName}`);
    const payloads = makePayloads(payloadByteLength);
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      encodePublishes(topicName, undefined, payloads, qos, lane * BURST + 1, BURST),
    );
    return new Feeder(socket, qos, lanes);
  }

  /** Publishes come in bursts: the next number of messages that is made of those. */
  static roundUp(count: number): number {
    return Math.ceil(count / BURST) * BURST;
  }

  /** Begins to publish `count` messages, a number that `roundUp` gave. */
  start(count: number): void {
    this.sent = 0;
    this.acknowledged = 0;
    this.arrived = 0;
    this.total = count;
    this.feed();
  }

  /** So many have arrived since `start`. */
  handleProgress(count: number): void {
    this.arrived = count;
    this.feed();
  }

  private feed(): void {
    while (
      !this.isCongested &&
      this.sent < this.total &&
      this.sent + BURST - this.arrived <= WINDOW &&
      (this.qos === 0 || this.sent + BURST - this.acknowledged <= UNACKNOWLEDGED_MAX)
    ) {
      this.isCongested = !this.socket.write(this.lanes[(this.sent / BURST) % LANES]);
      this.sent += BURST;
      if (this.qos > 0) void this.acks.whenDone(BURST).then(this.handleAcknowledged);
    }
  }

  private readonly handleAcknowledged = (): void => {
    this.acknowledged += BURST;
    this.feed();
  };

  close(): void {
    this.socket.destroy();
  }
}
