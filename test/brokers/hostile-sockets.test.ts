/**
 * Our broker in a process of its own and bad clients on real sockets: they do not read, read slowly, flood, say half a
 * word, promise packets that never come. Meanwhile two that behave exchange messages, and get all of them in order; the
 * broker's memory grows by a fraction of what the bad ones offered; its counters say what happened.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Counters, Gauges } from '../../sim/broker/counters.ts';
import type { Limits } from '../../sim/broker/limits.ts';
import { decodeObjects, encodeObject, type PacketObject } from '../../src/packets/inspect.ts';
import { FROM_SERVER } from '../../src/packets/types.ts';
import type { BrokerUnderTest } from '../conformance/broker-under-test.ts';
import { Peer, destroyEveryPeer, hexOf } from '../conformance/peer.ts';
import { bundleForNode, type NodeBundle } from '../support/node-bundle.ts';
import { afterIo, eventually, withDeadline } from '../support/wait.ts';

const SCRIPT = fileURLToPath(new URL('limited-broker.mjs', import.meta.url));
const PATIENCE_MS = 20_000;
const MIB = 1024 * 1024;

interface State {
  /** Bytes. */
  readonly rss: number;
  /** The most there were since it started. */
  readonly rssMax: number;
  readonly gauges: Gauges;
  readonly counters: Counters;
}

let bundle: NodeBundle;
const children: ChildProcess[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  bundle = await bundleForNode('sim/broker/broker.ts');
});
afterEach(() => {
  destroyEveryPeer();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => bundle.remove());

/** A broker under attack. */
class Target implements BrokerUnderTest {
  readonly host = '127.0.0.1';
  readonly isOurs = true;
  readonly broker = null;
  readonly port: number;
  /** Before anybody came. */
  readonly before: State;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number, before: State) {
    this.child = child;
    this.port = port;
    this.before = before;
  }

  static async start(limits: Partial<Limits>): Promise<Target> {
    const child = fork(SCRIPT, [bundle.url, JSON.stringify(limits)], { execArgv: [] });
    children.push(child);
    const [port] = (await withDeadline(once(child, 'message'), PATIENCE_MS, 'the broker')) as [number];
    return new Target(child, port, await askState(child));
  }

  state(): Promise<State> {
    return askState(this.child);
  }

  /** Resolves when the state is so. */
  async until(isSo: (state: State) => boolean, what: string): Promise<State> {
    return eventually(
      async () => {
        const state = await this.state();
        return isSo(state) ? state : undefined;
      },
      { what, withinMs: PATIENCE_MS },
    );
  }

  /** By how many bytes its memory has grown at most. */
  async growth(): Promise<number> {
    return (await this.state()).rssMax - this.before.rss;
  }

  /** A socket over which these packets went. */
  async open(...packets: PacketObject[]): Promise<Socket> {
    const socket = connect(this.port, this.host);
    sockets.push(socket);
    socket.on('error', () => {}); // 'close' follows
    await withDeadline(once(socket, 'connect'), PATIENCE_MS, 'a connection');
    if (packets.length > 0) socket.write(bytesOf(...packets));
    return socket;
  }
}

async function askState(child: ChildProcess): Promise<State> {
  child.send('state');
  const [state] = (await withDeadline(once(child, 'message'), PATIENCE_MS, 'the state')) as [State];
  return state;
}

function bytesOf(...packets: PacketObject[]): Buffer {
  return Buffer.concat(packets.map((packet) => encodeObject(packet, { protocolVersion: 5 })));
}

const connectAs = (clientId: string): PacketObject => ({ type: 'CONNECT', clientId, cleanStart: true });
const subscribeTo = (topicFilter: string, qos = 0): PacketObject => ({
  type: 'SUBSCRIBE',
  packetId: 1,
  subscriptions: [{ topicFilter, qos }],
});

/** Has two clients that behave exchange one message after the other, until `isOver`. All come, in order. */
async function exchange(target: Target, isOver: (count: number) => boolean): Promise<void> {
  const [publisher, subscriber] = [await Peer.connect(target), await Peer.connect(target)];
  await subscriber.subscribe('well/behaved', { qos: 1 });
  for (let count = 0; !isOver(count); count++) {
    const payload = hexOf(String(count));
    const [puback, message] = await Promise.all([
      publisher.publish({ topicName: 'well/behaved', qos: 1, payload }),
      subscriber.nextOf('PUBLISH'),
    ]);
    expect(puback?.reasonCode ?? 0).toBe(0);
    expect(message.payload).toBe(payload);
    subscriber.send({ type: 'PUBACK', packetId: message.packetId! });
  }
  expect(await subscriber.drain()).toEqual([]);
  await subscriber.disconnect();
  await publisher.disconnect();
}

/** Runs the attack while others exchange messages, then has two who are new do so. */
async function during(target: Target, attack: () => Promise<void>): Promise<void> {
  let isDone = false;
  const attacked = attack().finally(() => {
    isDone = true;
  });
  await Promise.all([attacked, exchange(target, (count) => isDone && count >= 50)]);
  await exchange(target, (count) => count >= 50);
}

/** Publishes so many bytes of messages of QoS 0, of a thousand bytes each, as fast as the broker reads them. */
async function publishBytes(target: Target, topicName: string, byteLength: number): Promise<void> {
  const socket = await target.open(connectAs('feeder'));
  socket.resume();
  const message = bytesOf({ type: 'PUBLISH', topicName, payload: '78'.repeat(1000) });
  const block = Buffer.concat(Array.from({ length: 64 }, () => message));
  for (let sent = 0; sent < byteLength; sent += block.length) {
    await new Promise((resolve) => socket.write(block, resolve));
  }
  socket.end(bytesOf({ type: 'DISCONNECT' }));
  await withDeadline(once(socket, 'close'), PATIENCE_MS, 'the last of them to be read');
}

const SMALL = { queuedBytesMax: 4 * MIB, queuedBytesTotalMax: 64 * MIB, sessionsMax: 1000 };
const OFFERED = 256 * MIB;

describe('a client that does not read', () => {
  it('holds no more than the limits say, and is closed', async () => {
    const target = await Target.start({ ...SMALL, writeTimeoutMs: 2000 });
    for (let count = 0; count < 4; count++) {
      (await target.open(connectAs(`deaf${count}`), subscribeTo('flood'))).pause();
    }
    await target.until(({ gauges }) => gauges.subscriptions === 4, 'the subscriptions');
    await during(target, () => publishBytes(target, 'flood', OFFERED / 4));
    const { counters, gauges } = await target.state();
    expect(gauges.queuedBytes).toBeLessThanOrEqual(4 * SMALL.queuedBytesMax);
    expect(counters.droppedQos0).toBeGreaterThan(0);
    expect(counters.limitHits.outputBytesMax).toBeGreaterThan(0);
    expect(counters.limitHits.queuedBytesMax).toBeGreaterThan(0);
    expect(await target.growth()).toBeLessThan(OFFERED / 2);
    const { gauges: after } = await target.until(
      (state) => state.counters.limitHits.writeTimeoutMs === 4,
      'all of them to be closed',
    );
    expect(after).toMatchObject({ queuedMessages: 0, queuedBytes: 0 });
  });
});

describe('a client that reads slowly', () => {
  it('gets what there is room for, in order, and stays', async () => {
    const target = await Target.start({ ...SMALL, queuedMessagesMax: 1000 });
    const socket = await target.open(connectAs('slow'), subscribeTo('flood'));
    await target.until(({ gauges }) => gauges.subscriptions === 1, 'the subscription');
    let rest: Uint8Array = new Uint8Array(0);
    let isOver = false;
    const numbers: number[] = [];
    socket.pause();
    /** A few thousand bytes a turn, until the last message came. */
    const readSlowly = async (): Promise<void> => {
      while (!isOver) {
        const piece = socket.read(4096) ?? socket.read();
        if (piece !== null) {
          const decoded = decodeObjects(Buffer.concat([rest, piece as Buffer]), {
            protocolVersion: 5,
            sender: FROM_SERVER,
          });
          expect(decoded.error).toBeUndefined();
          rest = decoded.rest;
          for (const packet of decoded.packets) {
            if (packet.type !== 'PUBLISH') continue;
            numbers.push(Buffer.from(packet.payload!, 'hex').readUInt32BE());
            isOver = numbers.at(-1) === 0xffffffff;
          }
        }
        await afterIo();
      }
    };
    const feed = async (): Promise<void> => {
      const feeder = await target.open(connectAs('feeder'));
      feeder.resume();
      const payload = Buffer.alloc(1000);
      for (let number = 0; number < 40_000; number++) {
        payload.writeUInt32BE(number);
        const bytes = bytesOf({ type: 'PUBLISH', topicName: 'flood', payload: payload.toString('hex') });
        if (!feeder.write(bytes)) await once(feeder, 'drain');
      }
      feeder.end(bytesOf({ type: 'DISCONNECT' }));
      await withDeadline(once(feeder, 'close'), PATIENCE_MS, 'the last of them to be read');
      await target.until(({ gauges }) => gauges.queuedMessages === 0, 'the slow one to catch up');
      const last = await Peer.connect(target);
      await last.publish({ topicName: 'flood', payload: 'ffffffff' });
      await last.drain();
    };
    await during(target, async () => {
      await Promise.all([readSlowly(), feed()]);
    });
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(numbers[0]).toBe(0);
    expect(numbers.length).toBeGreaterThan(1000);
    expect(numbers.length).toBeLessThan(40_000);
    const { counters } = await target.state();
    expect(counters.droppedQos0).toBe(40_001 - numbers.length);
    expect(counters.limitHits).toMatchObject({ writeTimeoutMs: 0, queuedMessagesMax: counters.droppedQos0 });
  });
});

describe('a client that never acknowledges', () => {
  it('holds no more than the limits say', async () => {
    const target = await Target.start(SMALL);
    const socket = await target.open(connectAs('silent'), subscribeTo('flood', 1));
    socket.resume();
    await target.until(({ gauges }) => gauges.subscriptions === 1, 'the subscription');
    await during(target, async () => {
      const feeder = await Peer.connect(target);
      const payload = '78'.repeat(100_000);
      const codes = new Set<number>();
      for (let count = 0; count < 500; count++) {
        const puback = await feeder.publish({ topicName: 'flood', qos: 1, payload });
        codes.add(puback?.reasonCode ?? 0);
      }
      expect([...codes]).toEqual([0, 0x97]);
    });
    const { counters, gauges } = await target.state();
    expect(gauges.queuedBytes).toBeLessThanOrEqual(SMALL.queuedBytesMax);
    expect(counters.limitHits.queuedBytesMax).toBe(counters.droppedQueueFull);
  });
});

describe('a client that floods', () => {
  it('keeps nobody else from exchanging messages', async () => {
    const target = await Target.start({});
    await during(target, () => publishBytes(target, 'nobody/listens', OFFERED));
    const { counters } = await target.state();
    expect(counters.publishUnmatched).toBeGreaterThan(OFFERED / 1100);
    expect(await target.growth()).toBeLessThan(OFFERED / 4);
  });

  it('is read from no faster than its rate, where there is one', async () => {
    const target = await Target.start({ messagesPerSecondMax: 1000 });
    let isOver = false;
    const flood = await target.open(connectAs('flood'));
    const block = Buffer.concat(
      Array.from({ length: 1000 }, () =>
        bytesOf({ type: 'PUBLISH', topicName: 'f', payload: '78'.repeat(100) }),
      ),
    );
    await during(target, async () => {
      let sent = 0;
      const go = (): void => {
        sent += 1000;
        if (!isOver) flood.write(block, go);
      };
      go();
      await target.until(({ counters }) => counters.publishReceived > 3000, 'a few seconds of it');
      isOver = true;
      const { counters } = await target.state();
      // What it could send beyond is what systems hold between two sockets.
      expect(sent).toBeGreaterThan(counters.publishUnmatched);
      expect(counters.limitHits.messagesPerSecondMax).toBeGreaterThan(0);
    });
    expect(flood.destroyed).toBe(false);
  });
});

describe('connections that say nothing, or half of something', () => {
  it('are closed in time, and let others in meanwhile', async () => {
    const target = await Target.start({ connectTimeoutMs: 3000 });
    const half = bytesOf(connectAs('half')).subarray(0, 9);
    const closed: Promise<unknown>[] = [];
    for (let count = 0; count < 1000; count++) {
      const socket = await target.open();
      socket.resume();
      if (count % 2 === 1) socket.write(half);
      closed.push(once(socket, 'close'));
    }
    await during(target, async () => {
      await withDeadline(Promise.all(closed), PATIENCE_MS, 'all of them to be closed');
    });
    const { counters } = await target.until(({ gauges }) => gauges.connections <= 4, 'the broker to see it');
    expect(counters.limitHits.connectTimeoutMs).toBe(1000);
    expect(await target.growth()).toBeLessThan(1000 * 64 * 1024);
  });
});

describe('packets that are announced and do not come', () => {
  const announced = 200 * MIB;
  /** The fixed header of a packet of about 200 MB. */
  const headerOf = (first: number): Buffer => Buffer.from([first, 0x80, 0x80, 0x80, 0x64]);

  it('of two hundred megabytes end the connection with 0x95', async () => {
    const target = await Target.start({});
    await during(target, async () => {
      for (let count = 0; count < 100; count++) {
        const peer = await Peer.connect(target);
        peer.sendBytes(Buffer.concat([headerOf(0x30), Buffer.alloc(100_000)]));
        await peer.expectDisconnect(0x95);
        const first = await Peer.open(target);
        first.sendBytes(Buffer.concat([headerOf(0x10), Buffer.alloc(100_000)]));
        await first.expectClosedSilently();
      }
    });
    const { counters } = await target.state();
    expect(counters.limitHits.maximumPacketSize).toBe(200);
    expect(await target.growth()).toBeLessThan(announced);
  });

  it('within the limit cost what has come of them', async () => {
    const target = await Target.start({});
    const begun = Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x3f]), Buffer.alloc(1000)]);
    await during(target, async () => {
      for (let count = 0; count < 500; count++) {
        const socket = await target.open(connectAs(`slow${count}`));
        socket.write(begun);
      }
      await target.until(({ counters }) => counters.bytesReceived > 500 * begun.length, 'all that was sent');
    });
    // A megabyte each was announced.
    expect(await target.growth()).toBeLessThan((500 * MIB) / 4);
    expect((await target.state()).gauges.connections).toBeGreaterThanOrEqual(500);
  });
});
