/**
 * Run by allocations.test.ts in a process of its own, with the directory of the compiled core as first argument:
 * counts the garbage collections while a connected session publishes, receives, acknowledges and pings. The second
 * argument names the traffic; with "control" one object a round is made on purpose, to show that the counting would
 * see it.
 */
import { PerformanceObserver, performance } from 'node:perf_hooks';

const [directory, traffic] = process.argv.slice(2);
const load = (path) => import(new URL(path, directory));
const { Session } = await load('session/session.js');

const WARM_UP_ROUNDS = 200_000;
const MEASURED_ROUNDS = 1_000_000;

const session = new Session({
  clientId: 'c',
  random: () => 0,
  topicAliasMaximum: 4,
  keepAliveSeconds: 1,
  buffers: {
    receive: new Uint8Array(1024),
    transmit: new Uint8Array(1024),
    outbox: new Uint8Array(4096),
    subscriptions: new Uint8Array(64),
  },
});
const { state, receive, transmit, event } = session;
const payload = new Uint8Array(64).fill(7);
const kept = [];
let nowMs = 0;
let seen = 0;
let received = 0;

/** Polls and drains until nothing moves. */
function run() {
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    while (session.poll(nowMs) !== 0) seen += event.kind;
    if (transmit.end > transmit.start) {
      transmit.consume(transmit.end - transmit.start);
      isMoving = true;
    }
  }
}

/** The server sends an acknowledgement: its first byte and the packet identifier. */
function acknowledge(first, packetId) {
  receive.reserve(4);
  const { bytes, end } = receive;
  bytes[end] = first;
  bytes[end + 1] = 2;
  bytes[end + 2] = packetId >>> 8;
  bytes[end + 3] = packetId & 255;
  receive.end = end + 4;
  run();
}

/** The server sends a message. */
function deliver(qos, packetId) {
  const isIdentified = qos > 0 ? 2 : 0;
  const length = 2 + 3 + isIdentified + 1 + 3 + 20;
  receive.reserve(length + 2);
  const { bytes } = receive;
  let at = receive.end;
  bytes[at++] = 0x30 | (qos << 1);
  bytes[at++] = length;
  bytes[at++] = 0;
  bytes[at++] = 3;
  bytes[at++] = 97;
  bytes[at++] = 47;
  bytes[at++] = 98;
  if (qos > 0) {
    bytes[at++] = packetId >>> 8;
    bytes[at++] = packetId & 255;
  }
  bytes[at++] = 3;
  bytes[at++] = 0x23;
  bytes[at++] = 0;
  bytes[at++] = 1;
  for (let i = 0; i < 20; i++) bytes[at++] = i;
  receive.end = at;
  received++;
  run();
}

const handles = [];
function exchange(rounds) {
  for (let i = 0; i < rounds; i++) {
    nowMs += 1;
    const handle = handles[i % 6];
    const id = (i % 65535) + 1;
    switch (traffic) {
      case 'qos0':
        session.publish(handle, payload, 64, 0, 0, null, nowMs);
        run();
        break;
      case 'qos1':
        session.publish(handle, payload, 64, 1, 0, null, nowMs);
        run();
        acknowledge(0x40, state.lastPacketId);
        break;
      case 'qos2':
        session.publish(handle, payload, 64, 2, 0, null, nowMs);
        run();
        acknowledge(0x50, state.lastPacketId);
        acknowledge(0x70, state.lastPacketId);
        break;
      case 'pieces':
        // Straight through the ring, and, twice the size of the ring, from the outbox.
        session.beginPublish(handle, handle.bytes, 128, 0, 0, null, nowMs);
        session.continuePublish(payload, 0, 64, nowMs);
        session.continuePublish(payload, 0, 64, nowMs);
        run();
        if (i % 8 === 0) {
          session.beginPublish(handle, handle.bytes, 2048, 1, 0, null, nowMs);
          while (session.unsentPayloadByteLength() > 0) session.continuePublish(payload, 0, 64, nowMs);
          run();
          acknowledge(0x40, state.lastPacketId);
        }
        break;
      case 'receive':
        deliver(i % 3, id);
        if (i % 3 === 2) acknowledge(0x62, id);
        break;
      case 'ping':
        nowMs += 1000;
        session.handleTimeout(nowMs);
        run();
        receive.reserve(2);
        receive.bytes[receive.end] = 0xd0;
        receive.bytes[receive.end + 1] = 0;
        receive.end += 2;
        run();
        break;
      default:
        session.publish(handle, payload, 64, 0, 0, null, nowMs);
        run();
        kept[0] = { i };
    }
  }
}

session.connect(nowMs);
session.takeTransportAction();
session.handleOpened(nowMs);
run();
// CONNACK with Topic Alias Maximum 3: six topics compete for three aliases.
receive.bytes.set([0x20, 6, 0, 0, 3, 0x22, 0, 3]);
receive.end = 8;
run();
if (!session.isConnected()) throw new Error('not connected');
for (let i = 0; i < 6; i++) handles.push(session.createTopic(`fleet/${i}/temperature`));

const collections = [];
const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

exchange(WARM_UP_ROUNDS);
// Code that is optimised late must not count: a second warm-up after the compiler's threads.
await new Promise((resolve) => setTimeout(resolve, 50));
exchange(WARM_UP_ROUNDS);

const before = process.memoryUsage().heapUsed;
const startedAt = performance.now();
exchange(MEASURED_ROUNDS);
const endedAt = performance.now();
const bytes = process.memoryUsage().heapUsed - before;

// Entries are handed over by a later turn of the loop.
await new Promise((resolve) => setTimeout(resolve, 20));
collections.push(...observer.takeRecords());
const count = collections.filter((one) => one.startTime >= startedAt && one.startTime < endedAt).length;
const isUp = session.isConnected();
console.log(JSON.stringify({ rounds: MEASURED_ROUNDS, count, bytes, isUp, seen, received }));
