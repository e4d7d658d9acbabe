/**
 * Load on a broker by clients that cost next to nothing: packets are ready-made, and what comes back is counted by its
 * size, which is known. Never more messages are under way than the window allows, so that no broker has to drop any.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeObject, type PacketObject } from '../../src/packets/inspect.ts';

const TOPIC = 'bench/room/temperature';
const PAYLOAD_BYTES = 64;

export interface Load {
  protocolVersion: 4 | 5;
  qos: 0 | 1;
  subscribers: number;
  /** Messages under way at once, counted where they arrive last. */
  window: number;
  /** Messages that leave in one write at most. */
  burst: number;
}

export interface LoadResult {
  /** Messages published and arrived at every subscriber, a second. */
  perSecond: number;
  /** Microseconds of the broker's processor for each message delivered. */
  cpuMicroseconds: number;
}

function encode(packet: PacketObject, protocolVersion: number): Buffer {
  return Buffer.from(encodeObject(packet, { protocolVersion }));
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {}); // 'close' follows
  await once(socket, 'connect');
  return socket;
}

async function connectClient(port: number, load: Load, clientId: string): Promise<Socket> {
  const { protocolVersion } = load;
  const socket = await open(port);
  const properties = protocolVersion === 5 ? { receiveMaximum: 65_535 } : undefined;
  socket.write(encode({ type: 'CONNECT', protocolVersion, clientId, properties }, protocolVersion));
  await once(socket, 'data');
  return socket;
}

/** PUBLISH with this packet identifier; the payload has a fixed size, so all packets have. */
function publishOf({ qos, protocolVersion }: Load, packetId: number): Buffer {
  const payload = '61'.repeat(PAYLOAD_BYTES);
  const identified = qos === 1 ? { packetId } : {};
  return encode({ type: 'PUBLISH', topicName: TOPIC, qos, payload, ...identified }, protocolVersion);
}

/** Counts what one subscriber receives, and acknowledges it at QoS 1. */
class Subscriber {
  count = 0;
  private readonly byteLength: number;
  private readonly packetIdOffset: number;
  private rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, load: Load, onProgress: () => void) {
    const packet = publishOf(load, 0x0101);
    this.byteLength = packet.length;
    this.packetIdOffset = load.qos === 1 ? packet.indexOf(Buffer.from([1, 1])) : 0;
    socket.on('data', (chunk: Buffer) => {
      this.take(socket, chunk);
      onProgress();
    });
  }

  private take(socket: Socket, chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const count = Math.floor(bytes.length / this.byteLength);
    this.rest = bytes.subarray(count * this.byteLength);
    this.count += count;
    if (this.packetIdOffset === 0 || count === 0) return;
    const acks = Buffer.allocUnsafe(count * 4);
    for (let index = 0; index < count; index++) {
      const at = index * this.byteLength + this.packetIdOffset;
      acks[index * 4] = 0x40;
      acks[index * 4 + 1] = 2;
      acks[index * 4 + 2] = bytes[at];
      acks[index * 4 + 3] = bytes[at + 1];
    }
    socket.write(acks);
  }
}

/** Runs `load` on the broker at `port` for `ms`, after a quarter of that to warm up. */
export async function runLoad(
  port: number,
  cpuMs: () => number,
  load: Load,
  ms: number,
): Promise<LoadResult> {
  const { qos, protocolVersion } = load;
  const sockets: Socket[] = [];
  const subscribers: Subscriber[] = [];
  let fill = (): void => {};
  for (let index = 0; index < load.subscribers; index++) {
    const socket = await connectClient(port, load, `bench-sub-${index}`);
    const subscriptions = [{ topicFilter: TOPIC, qos }];
    socket.write(encode({ type: 'SUBSCRIBE', packetId: 1, subscriptions }, protocolVersion));
    await once(socket, 'data');
    subscribers.push(new Subscriber(socket, load, () => fill()));
    sockets.push(socket);
  }
  const publisher = await connectClient(port, load, 'bench-pub');
  sockets.push(publisher);
  const packet = publishOf(load, 0x0101);
  const packetIdOffset = qos === 1 ? packet.indexOf(Buffer.from([1, 1])) : 0;
  const burst = Buffer.concat(Array.from({ length: load.burst }, () => packet));
  let sent = 0;
  let acknowledged = 0;
  const arrived = (): number => {
    let least = Infinity;
    for (const { count } of subscribers) if (count < least) least = count;
    return least;
  };
  fill = () => {
    const under = Math.max(sent - arrived(), qos === 1 ? sent - acknowledged : 0);
    const count = Math.min(load.burst, load.window - under);
    // Few large writes, as a busy publisher makes them.
    if (count < load.burst / 2 || publisher.writableNeedDrain) return;
    if (qos === 0) {
      publisher.write(burst.subarray(0, count * packet.length));
    } else {
      const bytes = Buffer.from(burst.subarray(0, count * packet.length));
      for (let index = 0; index < count; index++) {
        bytes.writeUInt16BE(((sent + index) % 65_535) + 1, index * packet.length + packetIdOffset);
      }
      publisher.write(bytes);
    }
    sent += count;
    setImmediate(fill);
  };
  publisher.on('drain', () => fill());
  publisher.on('data', (chunk: Buffer) => {
    acknowledged += chunk.length / 4;
    fill();
  });
  const wait = (waitMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, waitMs));
  fill();
  await wait(ms / 4);
  const before = { count: arrived(), cpuMs: cpuMs(), atMs: performance.now() };
  await wait(ms);
  const count = arrived() - before.count;
  const seconds = (performance.now() - before.atMs) / 1000;
  const cpuMicroseconds = ((cpuMs() - before.cpuMs) * 1000) / (count * load.subscribers);
  for (const socket of sockets) socket.destroy();
  return { perSecond: count / seconds, cpuMicroseconds };
}
