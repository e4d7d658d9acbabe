/**
 * Run by allocations.test.ts in a process of its own, with the directory of the compiled core as first argument: counts
 * the garbage collections while a connected device reads and sends. The second argument names what it does; with
 * "control" one object a round is made on purpose, to show that the counting would see it.
 */
import { PerformanceObserver, performance } from 'node:perf_hooks';

const [directory, traffic] = process.argv.slice(2);
const load = (path) => import(new URL(path, directory));
const { DeviceRuntime, defineDevice } = await load('device/index.js');

const WARM_UP_ROUNDS = 100_000;
const MEASURED_ROUNDS = 300_000;

// Sensors and clock make no garbage: in an array that is not of numbers only, each number is an object that is there.
const readings = ['', 21.34, -0.5, 1013.25, 55, NaN, 123456.789, 1e15, 0.001, 7.5, 1e19];
const epoch = ['', 1_750_498_200_123.5];
let turn = 0;
const kept = [];

function read() {
  turn = turn === readings.length - 1 ? 1 : turn + 1;
  if (traffic === 'control') kept[0] = { turn };
  return readings[turn];
}

/** What each round is about. */
const CASES = {
  control: {},
  json: {},
  cbor: { format: 'cbor' },
  qos1: { qos: 1 },
  batch: { qos: 1, batchSamples: 12 },
  deadband: { deadband: 1e21 },
  offline: { offline: true },
};
const { format = 'json', qos = 0, batchSamples, deadband = 0, offline = false } = CASES[traffic];

const metric = { everyMs: 1000, digits: 2, deadband, maxSilenceMs: 60_000, read };
const definition = defineDevice({
  id: 'greenhouse-1',
  format,
  qos,
  batchSamples,
  messageExpirySeconds: 600,
  metrics: { temperature: metric, humidity: metric, pressure: { ...metric, everyMs: 2000, digits: 0 } },
});

let nowMs = 0;
let receiver;
let line;
let due;
let dueMs = 0;
let isSilent = false;
let written = 0;
const incoming = new Uint8Array(64);
let incomingLength = 0;

/** Takes what is written, and answers QoS 1. A message that fits nowhere else: the head is two or three bytes long. */
function takeFrom(ring) {
  const { bytes } = ring;
  for (let at = ring.start; at < ring.end;) {
    const type = bytes[at] >> 4;
    let length = bytes[at + 1] & 127;
    let head = 2;
    if (bytes[at + 1] > 127) {
      length |= bytes[at + 2] << 7;
      head = 3;
    }
    if (type === 1) answer(0x20, 6, 0, 0, 3, 0x22, 0, 3);
    else if (type === 8) answer(0x90, 4, bytes[at + head], bytes[at + head + 1], 0, 1);
    else if (type === 3 && (bytes[at] & 6) !== 0) {
      const name = (bytes[at + head] << 8) | bytes[at + head + 1];
      const id = at + head + 2 + name;
      answer(0x40, 2, bytes[id], bytes[id + 1]);
    }
    at += head + length;
  }
  written++;
  ring.consume(ring.end - ring.start);
}

function answer(a, b, c, d, e, f, g, h) {
  const length = b + 2;
  const all = incoming;
  let at = incomingLength;
  all[at++] = a;
  all[at++] = b;
  all[at++] = c;
  all[at++] = d;
  if (length > 4) {
    all[at++] = e;
    all[at++] = f;
  }
  if (length > 6) {
    all[at++] = g;
    all[at++] = h;
  }
  incomingLength = at;
}

const transport = {
  open() {},
  write: takeFrom,
  read(ring) {
    if (incomingLength === 0) return;
    ring.reserve(incomingLength);
    for (let i = 0; i < incomingLength; i++) ring.bytes[ring.end + i] = incoming[i];
    ring.end += incomingLength;
    incomingLength = 0;
  },
  close() {},
};

const board = {
  nowMs: () => nowMs,
  // The line's timers are of no interest: nothing waits for so long. The device's goes off each second.
  setTimer(callback, ms) {
    if (line !== undefined && callback !== line.onTimer) {
      due = callback;
      dueMs = nowMs + ms;
    }
    return 1;
  },
  clearTimer() {},
  random: () => 7,
  createTransport(to) {
    receiver = to;
    return transport;
  },
};

let sent = 0;
let published = 0;
const options = { epochMs: () => epoch[1] };
const device = new DeviceRuntime(definition, board, {}, options, {
  handleSent() {
    sent++;
  },
  handlePublished() {
    published++;
  },
});
line = device.line;
device.start();
receiver.handleOpened();
for (let i = 0; i < 5; i++) receiver.handleReadable();
if (!device.isReady) throw new Error('not ready');
if (offline) {
  receiver.handleClosed();
  isSilent = true;
}

function run(rounds) {
  for (let i = 0; i < rounds; i++) {
    nowMs = dueMs;
    due();
    if (!isSilent) receiver.handleReadable();
  }
}

const collections = [];
const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

run(WARM_UP_ROUNDS);
// Code that is optimised late must not count: a second warm-up after the compiler's threads.
await new Promise((resolve) => setTimeout(resolve, 50));
run(WARM_UP_ROUNDS);

const before = process.memoryUsage().heapUsed;
const startedAt = performance.now();
run(MEASURED_ROUNDS);
const endedAt = performance.now();
const bytes = process.memoryUsage().heapUsed - before;

// Entries are handed over by a later turn of the loop.
await new Promise((resolve) => setTimeout(resolve, 20));
collections.push(...observer.takeRecords());
const count = collections.filter((one) => one.startTime >= startedAt && one.startTime < endedAt).length;
const isUp = device.session.isConnected();
const { dropped } = device.samples;
console.log(
  JSON.stringify({ rounds: MEASURED_ROUNDS, count, bytes, isUp, sent, published, dropped, written, nowMs }),
);
