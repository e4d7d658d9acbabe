/**
 * Run by allocations.test.ts in a process of its own, with the directory of the compiled sources as first argument:
 * counts the garbage collections while a client publishes to a prepared topic. The second argument names the traffic;
 * with "control" one object a message is made on purpose, to show that the counting would see it.
 */
import { PerformanceObserver, performance } from 'node:perf_hooks';

const [directory, traffic] = process.argv.slice(2);
const load = (path) => import(new URL(path, directory));
const { Client } = await load('client/client.js');
const { TopicNames } = await load('client/topic-names.js');
const { Packet } = await load('packets/packet.js');
const { SessionEvent } = await load('session/event.js');

const WARM_UP_ROUNDS = 100_000;
const MEASURED_ROUNDS = 500_000;

let nowMs = 0;
let deferred;
let receiver;
const transport = {
  bytesOut: 0,
  bytesIn: 0,
  isCongested: false,
  open() {},
  write(ring) {
    const byteLength = ring.byteLength();
    transport.bytesOut += byteLength;
    ring.consume(byteLength);
  },
  close() {},
  pauseReading() {},
  resumeReading() {},
};
const packet = new Packet();
const platform = {
  packet,
  event: new SessionEvent(packet),
  topicNames: new TopicNames(),
  isPolling: false,
  nowMs: () => nowMs,
  setTimer: () => 0,
  clearTimer() {},
  defer(one) {
    deferred = one;
  },
  random: () => 0,
  createTransport(one) {
    receiver = one;
    return transport;
  },
};

const client = new Client(platform, { clientId: 'c' });
receiver.handleOpened();
const connack = Uint8Array.of(0x20, 6, 0, 0, 3, 0x22, 0, 1); // Topic Alias Maximum 1
receiver.handleBytes(connack, 0, connack.length);
await client.firstConnect;

const userProperties = [['unit', 'K']];
const options = traffic === 'properties' ? { userProperties, messageExpirySeconds: 60 } : {};
const topic = client.topic('fleet/7/temperature', { ...options, qos: traffic === 'qos1' ? 1 : 0 });
const payload = new Uint8Array(64).fill(7);
const puback = Uint8Array.of(0x40, 2, 0, 0);
const { state } = client.driver.session;
const kept = [];

/** Publishes, ends the turn of the event loop, and has the server answer. */
function exchange(rounds) {
  for (let i = 0; i < rounds; i++) {
    nowMs++;
    topic.publish(payload, 64);
    deferred.flush();
    if (traffic === 'qos1') {
      puback[2] = state.lastPacketId >>> 8;
      puback[3] = state.lastPacketId & 255;
      receiver.handleBytes(puback, 0, 4);
    } else if (traffic === 'control') kept[0] = { i };
  }
}

const collections = [];
const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

exchange(WARM_UP_ROUNDS);
// Code that is optimised late must not count: a second warm-up after the compiler's threads.
await new Promise((resolve) => setTimeout(resolve, 50));
exchange(WARM_UP_ROUNDS);

const startedAt = performance.now();
exchange(MEASURED_ROUNDS);
const endedAt = performance.now();

// Entries are handed over by a later turn of the loop.
await new Promise((resolve) => setTimeout(resolve, 20));
collections.push(...observer.takeRecords());
const count = collections.filter((one) => one.startTime >= startedAt && one.startTime < endedAt).length;
const { isConnected } = client;
console.log(
  JSON.stringify({ count, bytesOut: transport.bytesOut, isConnected, unsent: client.driver.hasUnsent() }),
);
