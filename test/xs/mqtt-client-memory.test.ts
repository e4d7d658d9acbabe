/**
 * What the ECMA-419 MQTT client class holds of a board's heap, and that it makes no object while it publishes, nor more
 * than its interface asks for while it reads. Over a socket that does nothing, so that nobody else makes any.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { Bench, stopAll } from './bench.ts';
import { writeModule } from './bundle.ts';
import { shippedModules } from './shipped.ts';

afterEach(stopAll);

/** Connects a client to a socket that takes everything, and answers CONNECT. */
const APPLICATION = `
  import MQTTClient from 'motemq/mqtt-client';

  class Socket {
    constructor(options) {
      Socket.last = this;
      this.options = options;
      this.received = new Uint8Array(0);
      options.onWritable(5744);
    }
    write() { return 5744; }
    read(bytes) { bytes.set(this.received); return this.received.length; }
    deliver(bytes) { this.received = bytes; this.options.onReadable(bytes.length); }
    close() {}
  }

  const data = new Uint8Array(64);
  const options = { topic: 'plant/greenhouse/1' };
  const target = new Uint8Array(64);
  const topic = Array.from('plant/greenhouse/1', (one) => one.charCodeAt(0));
  const message4 = Uint8Array.of(0x30, 22, 0, 18, ...topic, 1, 2);
  const message5 = Uint8Array.of(0x30, 23, 0, 18, ...topic, 0, 1, 2);

  globalThis.connect = (more) => {
    globalThis.client = new MQTTClient({
      host: '127.0.0.1', socket: { io: Socket }, ...more,
      onControl() {},
      onReadable() { this.read(target); },
    });
  };
  globalThis.accept = (connack) => Socket.last.deliver(Uint8Array.from(connack));
  globalThis.publish = (count) => { for (let i = 0; i < count; i++) client.write(data, options); };
  globalThis.receive4 = (count) => { for (let i = 0; i < count; i++) Socket.last.deliver(message4); };
  globalThis.receive5 = (count) => { for (let i = 0; i < count; i++) Socket.last.deliver(message5); };
`;

async function load(): Promise<Bench> {
  const modules = { ...(await shippedModules()), main: writeModule('class-memory', APPLICATION) };
  const bench = await Bench.start({}, { modules, preload: ['motemq/mqtt-client'], virtualMs: 0 });
  await bench.machine.import('main');
  return bench;
}

/** Slots that one more round of `act` makes, garbage or not. */
async function slotsOf({ machine }: Bench, act: string): Promise<number> {
  await machine.evaluate(`${act}(20)`);
  const made: number[] = [];
  for (const rounds of [1, 101]) {
    const { slots } = machine.state;
    await machine.evaluate(`${act}(${rounds})`);
    made.push(machine.state.slots - slots);
  }
  return (made[1] - made[0]) / 100;
}

/** Answers of a server: of 3.1.1; of 5.0, which takes aliases. */
const CONNACKS: Record<number, string> = { 4: '[0x20, 2, 0, 0]', 5: '[0x20, 6, 0, 0, 3, 0x22, 0, 10]' };

describe.each([4, 5])('the ECMA-419 class on XS, protocol %s', (protocol) => {
  async function connect(): Promise<Bench> {
    const bench = await load();
    await bench.machine.evaluate(`connect({ protocol: ${protocol} }); 1`);
    await bench.machine.advanceTo(10);
    await bench.machine.evaluate(`accept(${CONNACKS[protocol]}); 1`);
    return bench;
  }

  it('makes no object when it publishes with QoS 0', async () => {
    expect(await slotsOf(await connect(), 'publish')).toBe(0);
  });

  it('makes the object it describes a message with, and its texts, when it receives', async () => {
    expect(await slotsOf(await connect(), `receive${protocol}`)).toBeLessThanOrEqual(8);
  });

  it('holds its buffers and little more', async () => {
    const bench = await load();
    const before = await bench.machine.collect();
    await bench.machine.evaluate(`connect({ protocol: ${protocol} }); 1`);
    await bench.machine.advanceTo(10);
    await bench.machine.evaluate(`accept(${CONNACKS[protocol]}); 1`);
    await bench.machine.evaluate('publish(1); 1');
    const after = await bench.machine.collect();
    expect(after.slots - before.slots).toBeLessThan(600);
    // 1,024 to receive, 1,024 to send.
    expect(after.chunkBytes - before.chunkBytes).toBeLessThan(3300);
  });
});
