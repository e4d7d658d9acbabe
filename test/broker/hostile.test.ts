/**
 * Clients that send what they should not: tens of thousands of mutated packets beside a pair that behaves. The pair gets
 * everything in order, who broke the standard is told or cut off, and nothing is left over. MOTEMQ_SEED repeats or
 * changes a run.
 */
import { describe, expect, it } from 'vitest';
import { decodeObjects, toHex, type PacketObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../src/packets/types.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { CoreStage, type PlayedClient } from './core-stage.ts';
import { HostileBytes, type Version } from './hostile-bytes.ts';

const MUTATED_COUNT = shareOf(50_000);
const HOSTILE_CLIENTS = 12;
const MAXIMUM_PACKET_SIZE = 1024 * 1024;

/** Small enough to be reached by what the mutated packets do. */
const LIMITS = {
  sessionsMax: 200,
  subscriptionsMax: 20,
  inflightMax: 20,
  queuedMessagesMax: 100,
  queuedBytesMax: 64 * 1024,
  queuedBytesTotalMax: 256 * 1024,
  retainedMessagesMax: 50,
  retainedBytesMax: 16 * 1024,
  outputBytesMax: 4096,
  sessionExpirySecondsMax: 60,
};

/** Two clients that behave, on a topic that nobody else hits by chance. */
class Pair {
  readonly received: string[] = [];
  sentCount = 0;
  private readonly publisher: PlayedClient;
  private readonly subscriber: PlayedClient;

  constructor(stage: CoreStage) {
    const topicFilter = 'well/behaved/+';
    this.publisher = stage.connect({ clientId: 'well behaved publisher' });
    this.subscriber = stage.connect({ clientId: 'well behaved subscriber' });
    this.subscriber.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter, qos: 2 }] });
    expect(this.subscriber.take()).toMatchObject([{ type: 'SUBACK', reasonCodes: [2] }]);
  }

  /** One message at one of the three levels, all of its acknowledgements included. */
  exchange(): void {
    const { publisher, subscriber } = this;
    const qos = this.sentCount % 3;
    const payload = Buffer.from(String(this.sentCount++)).toString('hex');
    const identified = qos > 0 ? { packetId: 1 } : {};
    publisher.send({ type: 'PUBLISH', topicName: 'well/behaved/topic', qos, payload, ...identified });
    if (qos === 1) expect(publisher.take()).toEqual([{ type: 'PUBACK', packetId: 1 }]);
    if (qos === 2) {
      expect(publisher.take()).toEqual([{ type: 'PUBREC', packetId: 1 }]);
      publisher.send({ type: 'PUBREL', packetId: 1 });
      expect(publisher.take()).toEqual([{ type: 'PUBCOMP', packetId: 1 }]);
    }
    for (const packet of subscriber.take()) this.handle(packet);
    for (const packet of subscriber.take()) this.handle(packet);
  }

  private handle(packet: PacketObject): void {
    const { subscriber } = this;
    if (packet.type === 'PUBREL') subscriber.send({ type: 'PUBCOMP', packetId: packet.packetId });
    if (packet.type !== 'PUBLISH') return;
    this.received.push(Buffer.from(packet.payload ?? '', 'hex').toString());
    if (packet.qos === 1) subscriber.send({ type: 'PUBACK', packetId: packet.packetId! });
    if (packet.qos === 2) subscriber.send({ type: 'PUBREC', packetId: packet.packetId! });
  }
}

/** A connection of somebody who means no good, with everything that went over it. */
class Hostile {
  readonly client: PlayedClient;
  private readonly sent: Uint8Array[] = [];
  /** Whether all that the core wrote has come to it. */
  private isListening = true;

  constructor(stage: CoreStage) {
    this.client = stage.open();
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.client.sendBytes(bytes);
  }

  /** Goes without a word, and without what was on its way. */
  cut(): void {
    this.isListening = false;
    this.client.cut();
  }

  /** Does not take what comes, until it reads on: by then it may have been cut off. */
  stopReading(): void {
    this.isListening = false;
    this.client.isReading = false;
  }

  get isOver(): boolean {
    return this.client.isEnded || this.client.isClosed;
  }

  /** Sees that what was sent has had its due, and throws when not. Returns whether it broke the standard. */
  judge(): boolean {
    const bytes = Buffer.concat(this.sent);
    this.client.read();
    // The codec has its own tests; here it says what the broker must have seen.
    const { packets, error } = decodeObjects(bytes, { protocolVersion: 5, sender: FROM_CLIENT });
    const [first] = packets;
    const isBroken = error !== undefined || (first !== undefined && first.type !== 'CONNECT');
    const answered = this.client.takeBytes();
    // Who says a version that there is not is answered in the form that is nearest: 3.1.1's is two bytes long.
    const version = first?.type === 'CONNECT' ? first.protocolVersion! : answered[1] === 2 ? 4 : 5;
    const answers = decodeObjects(answered, { protocolVersion: version, sender: FROM_SERVER });
    const isTold = isBroken && version === 5 && !packets.some(({ type }) => type === 'DISCONNECT');
    const problem =
      (isBroken && !this.isOver ? 'it goes on' : '') ||
      (answers.error !== undefined ? `it was sent what is no packet: ${answers.error.message}` : '') ||
      (this.isOver && answers.rest.length > 0 ? 'it was sent half a packet' : '') ||
      findMisplaced(answers.packets, isTold && this.isListening);
    if (problem !== '') throw new Error(`${problem}: ${toHex(bytes)} was answered by ${toHex(answered)}`);
    return isBroken;
  }
}

/** What is wrong with the order of a server's packets, or ''. `isTold`: the last one has to say that it is the last. */
function findMisplaced(packets: PacketObject[], isTold: boolean): string {
  if (packets.length === 0) return '';
  const [first] = packets;
  if (first.type !== 'CONNACK' && first.type !== 'AUTH') return `it began with ${first.type}`;
  const connacks = packets.filter(({ type }) => type === 'CONNACK');
  if (connacks.length > 1) return 'a second CONNACK';
  const end = packets.findIndex(({ type }) => type === 'DISCONNECT');
  if (end >= 0 && end < packets.length - 1) return 'something behind DISCONNECT';
  const isIn = first.type === 'CONNACK' && (first.reasonCode ?? 0) === 0;
  return isTold && isIn && end < 0 ? 'it was not told why' : '';
}

describe('mutated packets', () => {
  it(`cost nobody else anything: ${MUTATED_COUNT.toLocaleString('en')} of them`, { timeout: 120_000 }, () => {
    const random = new Random(SEED);
    const bytes = new HostileBytes(random, SEED);
    const stage = new CoreStage({ limits: LIMITS });
    const pair = new Pair(stage);
    const crowd: (Hostile | undefined)[] = Array.from({ length: HOSTILE_CLIENTS });
    const counts = { mutated: 0, connections: 0, broken: 0 };
    const leave = (hostile: Hostile): void => {
      if (hostile.judge()) counts.broken++;
      hostile.cut();
    };
    const comeIn = (): Hostile => {
      const hostile = new Hostile(stage);
      counts.connections++;
      const version = random.pick<Version>([4, 5, 5]);
      if (random.below(10) > 0) hostile.send(bytes.connect(version));
      return hostile;
    };
    while (counts.mutated < MUTATED_COUNT) {
      const place = random.below(HOSTILE_CLIENTS);
      const hostile = crowd[place] ?? comeIn();
      crowd[place] = hostile;
      if (hostile.isOver) {
        leave(hostile);
        crowd[place] = undefined;
        continue;
      }
      const version = random.pick<Version>([4, 5, 5]);
      switch (random.below(20)) {
        case 0:
          hostile.stopReading();
          break;
        case 1:
          hostile.client.read();
          break;
        case 2:
          hostile.cut();
          break;
        case 3:
          stage.advance(random.below(5000));
          break;
        case 4:
        case 5:
        case 6:
          hostile.send(bytes.request(version));
          break;
        case 7:
          hostile.send(bytes.withWrongLength(version));
          counts.mutated++;
          break;
        case 8:
          hostile.send(bytes.withOtherFlags(bytes.request(version)));
          counts.mutated++;
          break;
        default:
          hostile.send(bytes.mutated(version));
          counts.mutated++;
      }
      if (random.below(10) === 0) pair.exchange();
      if (random.below(100) === 0) expectWithinLimits(stage);
    }
    for (const hostile of crowd) if (hostile !== undefined) leave(hostile);
    pair.exchange();
    expect(pair.received).toEqual(Array.from({ length: pair.sentCount }, (_, index) => String(index)));
    // Otherwise the mutations are too tame, or so wild that nobody ever gets in.
    expect(counts.broken / counts.connections).toBeGreaterThan(0.3);
    expect(stage.core.counters.connectsAccepted / counts.connections).toBeGreaterThan(0.3);
    expect(stage.core.counters.publishReceived).toBeGreaterThan(counts.mutated / 20);
    // When the sessions are over, only the pair is left.
    stage.advance(LIMITS.sessionExpirySecondsMax * 1000);
    expect(stage.core.gauges()).toMatchObject({
      connections: 2,
      sessions: 2,
      subscriptions: 1,
      queuedMessages: 0,
      queuedBytes: 0,
      inflight: 0,
    });
  });
});

function expectWithinLimits(stage: CoreStage): void {
  const { sessions, retainedMessages, retainedBytes, queuedBytes, subscriptions } = stage.core.gauges();
  expect(sessions).toBeLessThanOrEqual(LIMITS.sessionsMax);
  expect(subscriptions).toBeLessThanOrEqual(LIMITS.subscriptionsMax * LIMITS.sessionsMax);
  expect(retainedMessages).toBeLessThanOrEqual(LIMITS.retainedMessagesMax);
  expect(retainedBytes).toBeLessThanOrEqual(LIMITS.retainedBytesMax);
  expect(queuedBytes).toBeLessThanOrEqual(2 * LIMITS.queuedBytesTotalMax);
  for (const session of stage.core.sessions()) {
    expect(session.queuedMessages).toBeLessThanOrEqual(LIMITS.queuedMessagesMax);
    expect(session.queuedBytes).toBeLessThanOrEqual(LIMITS.queuedBytesMax);
    expect(session.inflight).toBeLessThanOrEqual(LIMITS.inflightMax);
    expect(session.subscriptions.length).toBeLessThanOrEqual(LIMITS.subscriptionsMax);
  }
}

describe('the same bytes in other pieces', () => {
  /** What comes back when `stream` is sent in pieces that end at `ends`, and how it ends. */
  function answerTo(stream: Uint8Array, ends: readonly number[]): string {
    const stage = new CoreStage({ limits: { maximumPacketSize: MAXIMUM_PACKET_SIZE } });
    const client = stage.open();
    let at = 0;
    for (const end of [...ends, stream.length]) {
      if (end > at) client.sendBytes(stream.subarray(at, end));
      at = Math.max(at, end);
    }
    const { connections, subscriptions, retainedMessages, inflight } = stage.core.gauges();
    const left = [connections, subscriptions, retainedMessages, inflight].join(' ');
    return `${toHex(client.takeBytes())}; ${client.isClosed ? 'closed' : 'open'}; ${left}`;
  }

  function firstOf(bytes: HostileBytes, version: Version, random: Random): Uint8Array {
    const connect = bytes.connect(version);
    const kind = random.below(12);
    if (kind === 0) return bytes.mutated(version);
    if (kind === 1) return bytes.withWrongLength(version, connect);
    return kind === 2 ? bytes.withOtherFlags(connect) : connect;
  }

  it('are answered the same', { timeout: 120_000 }, () => {
    const random = new Random(SEED);
    const bytes = new HostileBytes(random, SEED);
    const counts = { open: 0, closed: 0 };
    for (let round = shareOf(1500); round > 0; round--) {
      const version = random.pick<Version>([4, 5]);
      const parts = [firstOf(bytes, version, random)];
      for (let count = random.below(8); count > 0; count--) {
        const kind = random.below(6);
        parts.push(
          kind === 0
            ? bytes.withWrongLength(version)
            : kind === 1
              ? bytes.mutated(version)
              : bytes.request(version),
        );
      }
      const stream = Buffer.concat(parts);
      const whole = answerTo(stream, []);
      const each = Array.from({ length: stream.length }, (_, index) => index);
      const some = each.filter(() => random.below(30) === 0);
      const why = `round ${round} of MOTEMQ_SEED=${SEED}: ${toHex(stream)}`;
      expect(answerTo(stream, each), why).toBe(whole);
      expect(answerTo(stream, some), why).toBe(whole);
      for (const end of round % 50 === 0 ? each : [1, 2, 3, 5]) {
        expect(answerTo(stream, [end]), why).toBe(whole);
      }
      counts[whole.includes('open') ? 'open' : 'closed']++;
    }
    expect(Math.min(counts.open, counts.closed)).toBeGreaterThan(shareOf(100));
  });
});
