/**
 * A crowd of bare sockets.
 */
import { createConnection, type Socket } from 'node:net';
import type { Qos } from '../client/peer.ts';
import { PAYLOAD, clientIdOf, startWheel, topicOf, type Crowd } from './crowd.ts';

/** Sockets that say CONNECT, ready-made, and hear CONNACK: with no more listeners than that takes. */
export class BareCrowd implements Crowd {
  published = 0;
  private readonly port: number;
  private readonly sockets: Socket[] = [];

  constructor(port: number) {
    this.port = port;
  }

  open(): Promise<void> {
    const packet = connectPacket(this.sockets.length);
    const socket = createConnection({ host: '127.0.0.1', port: this.port, noDelay: true });
    this.sockets.push(socket);
    return new Promise((resolve, reject) => {
      socket.on('connect', () => socket.write(packet));
      socket.on('data', () => resolve());
      socket.on('error', reject);
    });
  }

  startPublishing(qos: Qos, intervalMs: number): void {
    const members = this.sockets.map((socket, index) => ({ socket, bytes: publishPacket(index, qos) }));
    startWheel(members, intervalMs, ({ socket, bytes }) => {
      socket.write(bytes);
      this.published++;
    });
  }
}

/** CONNECT of 5.0 up to its Client Identifier of 11 bytes, clean start, no keep-alive. */
const CONNECT_HEAD = Buffer.from('101800044d5154540502000000000b', 'hex');

function connectPacket(index: number): Buffer {
  return Buffer.concat([CONNECT_HEAD, Buffer.from(clientIdOf(index))]);
}

/** PUBLISH of 5.0 without properties; at QoS 1 and 2 always with packet identifier 1. */
function publishPacket(index: number, qos: Qos): Buffer {
  const topic = Buffer.from(topicOf(index));
  const end = qos === 0 ? [0] : [0, 1, 0];
  const rest = Buffer.concat([Buffer.from([0, topic.length]), topic, Buffer.from(end), PAYLOAD]);
  if (rest.length > 127) throw new Error('one byte of Remaining Length is all there is');
  return Buffer.concat([Buffer.from([0x30 | (qos << 1), rest.length]), rest]);
}
