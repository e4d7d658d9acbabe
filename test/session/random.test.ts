/**
 * Anything in any order: verbs, answers, cuts, stalls, clock jumps, garbage; then the faults stop, and everything has
 * to come to its end. What must hold all the time is checked after every step. A failure names the seed of its round.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { SLOT_FREE } from '../../src/session/delivery.ts';
import { OVERFLOW_DROP_OLDEST_QOS_0, OVERFLOW_REFUSE } from '../../src/session/options.ts';
import { RECORD_FREE, RECORD_HEAD_BYTES, RECORD_QUEUED, RECORD_SENT } from '../../src/session/outbox.ts';
import { SENT } from '../../src/session/subscriptions.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { NOT_CONNECTED, NO_SPACE, OK, PACKET_TOO_LARGE } from '../../src/status.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import type { EventObject } from '../support/session-driver.ts';
import { SessionDriver, bytesOf, propertiesOf } from '../support/session-driver.ts';
import { ModelServer } from './model-server.ts';

const FILTERS = ['a', 'b/+', 'c/#', '$share/g/d', 'e'];

/** Like `expect`, but cheap: it is asked millions of times. */
function same(what: string, found: readonly unknown[], expected: readonly unknown[]): void {
  for (let i = 0; i < expected.length; i++) {
    if (found[i] !== expected[i]) throw new Error(`${what}: [${found.join()}] is not [${expected.join()}]`);
  }
}

/** What must hold of the session's insides after every step. */
function checkInsides({ session }: SessionDriver): void {
  const { outbox, inflight, incoming, subscriptions, receive, transmit, sendRemaining } = session.state;
  for (const ring of [receive, transmit]) {
    if (!(ring.start >= 0 && ring.start <= ring.end && ring.end <= ring.bytes.length))
      throw new Error('ring');
  }
  let live = 0;
  let holes = 0;
  let queuedQos0 = sendRemaining > 0 ? 1 : 0;
  let isNextSeen = outbox.next === outbox.end;
  const records = new Set<number>();
  for (let at = outbox.start; at < outbox.end; at += outbox.recordByteLength(at)) {
    const state = outbox.state(at);
    if (at === outbox.next) isNextSeen = true;
    if (state === RECORD_FREE) holes += outbox.recordByteLength(at);
    else {
      live++;
      records.add(at);
      // What was sent stands before `next`, what waits behind it.
      if ((state === RECORD_SENT) !== at < outbox.next) throw new Error('outbox: state and next disagree');
      if (state === RECORD_QUEUED && outbox.qos(at) === 0) queuedQos0++;
    }
  }
  expect([outbox.count, outbox.holeBytes, outbox.queuedQos0, isNextSeen]).toEqual([
    live,
    holes,
    queuedQos0,
    true,
  ]);
  for (const at of [outbox.filling, outbox.sending]) {
    if (at >= 0 && !records.has(at)) throw new Error('a message in pieces has no record');
  }
  if (sendRemaining > 0 && transmit.freeByteLength() < 16) throw new Error('no room behind half a packet');
  const packetIds: number[] = [];
  let used = 0;
  let onWire = 0;
  for (let n = 0; n < inflight.count; n++) {
    const at = inflight.position(n);
    if (inflight.state(at) === SLOT_FREE) continue;
    used++;
    if (inflight.isOnWire(at)) onWire++;
    packetIds.push(inflight.packetId(at));
    const record = inflight.record(at);
    if (record < 0) continue;
    if (!records.has(record)) throw new Error('a slot points at no record');
    same('slot', [outbox.ticket(record)], [inflight.ticket(at)]);
  }
  same('inflight', [inflight.used, inflight.onWireCount], [used, onWire]);
  if (used > inflight.slotsMax) throw new Error('inflight: too many');
  const groups = new Map<number, number>();
  for (let at = 0; at < subscriptions.end; at = subscriptions.next(at)) {
    if (subscriptions.state(at) === SENT) groups.set(subscriptions.ticket(at), subscriptions.packetId(at));
  }
  packetIds.push(...groups.values());
  same('identifiers', [new Set(packetIds).size], [packetIds.length]);
  let open = 0;
  let fresh = 0;
  for (let i = 0; i < incoming.count; i++) {
    if (incoming.state(i) !== 3) open++;
    fresh += incoming.entries[i * 5 + 4];
  }
  same('incoming', [incoming.openCount, incoming.newCount], [open, fresh]);
}

class Round {
  readonly driver: SessionDriver;
  private readonly random: Random;
  private readonly server: ModelServer;
  private readonly isManual: boolean;
  private readonly handles: TopicHandle[];
  private toServer: PacketObject[] = [];
  private toClient: Uint8Array[] = [];
  private hasFaults = true;
  private isDerailed = false;
  /** Tickets of messages and of subscriptions that no event has named yet. */
  private readonly open = new Set<number>();
  private readonly payloads = new Map<number, string>();
  private readonly published = new Map<string, number>();
  private readonly acknowledged = new Set<string>();
  private readonly receipts: number[] = [];
  private readonly delivered: string[] = [];
  /** The message that is published in pieces, and how much of it was given. */
  private streamed: { payload: string; given: number; ticket: number } | undefined;
  /** Payloads that were not given whole. */
  private readonly unfinished: string[] = [];
  private assembled = '';
  private messages = 0;
  private isOver = false;
  private sessionsLost = 0;

  constructor(seed: number) {
    const random = new Random(seed);
    this.random = random;
    const protocolVersion = random.pick([V5, V5, V3_1_1]);
    const isLasting = random.below(4) > 0;
    const lasting = protocolVersion === V5 ? { sessionExpirySeconds: 100 } : { cleanStart: false };
    this.isManual = random.below(3) === 0;
    this.server = new ModelServer(protocolVersion, {
      receiveMaximum: () => 1 + random.below(6),
      isForgetful: () => {
        const isForgetful = random.below(5) === 0;
        if (isForgetful) this.sessionsLost++;
        return isForgetful;
      },
    });
    this.driver = new SessionDriver({
      protocolVersion,
      ...(isLasting ? lasting : {}),
      manualAcknowledgement: this.isManual,
      overflow: random.pick([OVERFLOW_REFUSE, OVERFLOW_DROP_OLDEST_QOS_0]),
      inflightMax: 1 + random.below(8),
      receiveMaximum: 1 + random.below(8),
      keepAliveSeconds: random.pick([0, 5, 60]),
      receiveBytes: 64 + random.below(100),
      transmitBytes: 120 + random.below(100),
      outboxBytes: 300 + random.below(500),
      subscriptionBytes: 150,
      reconnect: { firstMs: 10, maximumMs: 1000 },
      startMs: random.pick([0, 1_700_000_000_000]),
    });
    if (!isLasting) this.sessionsLost++;
    this.handles = ['h/1', 'h/2', 'h/3'].map((topic) => this.driver.session.createTopic(topic));
    this.driver.onOpened = () => {
      this.isDerailed = false;
      this.driver.sent();
      this.server.cut();
      this.toServer = [];
      this.toClient = [];
    };
  }

  run(steps: number): void {
    this.driver.open();
    for (let i = 0; i < steps; i++) {
      this.step();
      this.after();
    }
    this.hasFaults = false;
    this.driver.isPaused = false;
    this.driver.drain();
    // Garbage may be the beginning of a packet that nobody will ever finish.
    if (this.isDerailed) this.driver.cut();
    for (let i = 0; this.isBusy(); i++) {
      if (i > 20_000) throw new Error('it does not come to an end');
      if (this.driver.session.state.connection === 0) this.driver.open();
      this.driver.drain();
      this.acknowledge();
      if (this.streamed !== undefined) this.stream();
      this.carry();
      if (i % 50 === 49) this.driver.advance(100);
      this.after();
    }
    this.finish();
  }

  private isBusy(): boolean {
    const isQuiet = this.toServer.length + this.toClient.length === 0 && this.receipts.length === 0;
    if (this.streamed !== undefined) return true;
    return !isQuiet || this.open.size > 0 || this.driver.session.isBusy() || !this.server.isIdle();
  }

  private step(): void {
    const { driver, random } = this;
    const what = random.below(1000);
    if (what < 180) this.publish();
    else if (what < 250) this.stream();
    else if (what < 280) this.subscribe();
    else if (what < 400) this.deliver();
    else if (what < 800) this.carry();
    else if (what < 850) driver.drain(random.pick([0, 1, 10, 50, Infinity, Infinity]));
    else if (what < 900) driver.advance(random.below(100));
    else if (what < 905) driver.advance(random.below(30_000));
    else if (what < 950) this.acknowledge();
    else if (what < 970) {
      driver.isPaused = !driver.isPaused;
      driver.run();
    } else if (what < 980) driver.cut();
    else if (what < 985 && driver.isUp) driver.session.receive.bytes.fill(0, driver.session.receive.end);
    else if (what < 990) this.garbage();
    else if (what < 994) driver.disconnect();
    else driver.open();
  }

  private garbage(): void {
    const bytes = Uint8Array.from({ length: 1 + this.random.below(10) }, () => this.random.below(256));
    if (this.driver.isUp && !this.driver.isPaused && this.toClient.length === 0) {
      this.isDerailed = true;
      this.driver.offer(bytes, 0);
    }
  }

  private publish(): void {
    const { driver, random } = this;
    const qos = random.below(3);
    const name = `p${this.messages++}`;
    const payload = name.padEnd(random.below(60), '.');
    const topic = random.below(3) === 0 ? 'some/topic' : random.pick(this.handles);
    const isV5 = driver.protocolVersion === V5;
    const properties =
      isV5 && random.below(4) === 0 ? propertiesOf((writer) => writer.addPair('k', name)) : null;
    const ticket = driver.publish(topic, payload, qos, random.below(2), properties);
    if (ticket > 0) {
      this.open.add(ticket);
      this.payloads.set(ticket, payload);
    }
    if (ticket >= 0) this.published.set(payload, qos);
    else expect(ticket).toBe(NO_SPACE);
  }

  /** Begins a message in pieces, goes on with the one that is open, or gives it up. */
  private stream(): void {
    const { driver, random, streamed } = this;
    const { session, nowMs } = driver;
    if (streamed === undefined) {
      const qos = random.below(3);
      const name = `s${this.messages++}`;
      const payload = name.padEnd(random.below(random.pick([10, 100, 400, 1000])), '.');
      const handle = random.below(3) === 0 ? null : random.pick(this.handles);
      const topic = bytesOf('some/topic');
      const ticket = session.beginPublish(handle, topic, payload.length, qos, 0, null, nowMs);
      if (ticket >= 0) {
        this.streamed = { payload, given: 0, ticket };
        this.published.set(payload, qos);
      } else {
        const topicByteLength = handle === null ? topic.length : handle.bytes.length;
        const isFitting =
          RECORD_HEAD_BYTES + topicByteLength + payload.length <= session.state.outbox.bytes.length;
        const otherwise = qos > 0 ? PACKET_TOO_LARGE : session.isConnected() ? NO_SPACE : NOT_CONNECTED;
        same('refused', [ticket], [isFitting ? NO_SPACE : otherwise]);
      }
    } else if (this.hasFaults && random.below(20) === 0) {
      expect(session.abandonPublish(nowMs)).toBe(OK);
      this.unfinished.push(streamed.payload);
      this.streamed = undefined;
    } else {
      const count = Math.min(streamed.payload.length - streamed.given, random.below(150));
      const taken = session.continuePublish(bytesOf(streamed.payload), streamed.given, count, nowMs);
      streamed.given += taken;
      const left = streamed.payload.length - streamed.given;
      if (taken < 0) {
        same('lost', [taken, streamed.ticket], [NOT_CONNECTED, 0]);
        this.unfinished.push(streamed.payload);
        this.streamed = undefined;
      } else same('unsent', [session.unsentPayloadByteLength()], [left]);
      if (left === 0) {
        this.streamed = undefined;
        if (streamed.ticket > 0) {
          this.open.add(streamed.ticket);
          this.payloads.set(streamed.ticket, streamed.payload);
        }
      }
    }
    driver.run();
  }

  private subscribe(): void {
    const { driver, random } = this;
    const filters = FILTERS.filter(() => random.below(3) === 0);
    if (filters.length === 0) return;
    const isMore = random.below(3) > 0;
    const ticket = isMore
      ? driver.subscribe(...filters.map((filter): [string, number] => [filter, random.below(3)]))
      : driver.unsubscribe(...filters);
    if (ticket > 0) this.open.add(ticket);
    else expect(ticket).toBe(NO_SPACE);
  }

  private deliver(): void {
    const name = `d${this.messages++}:`;
    this.server.deliver(name.padEnd(this.random.pick([5, 20, 60, 300]), '-'), this.random.below(3));
  }

  /** Brings a packet one step further. */
  private carry(): void {
    const { driver, random } = this;
    if (random.below(2) === 0 && this.toServer.length > 0) {
      this.answer(this.server.handle(this.toServer.shift()!));
    } else if (this.toClient.length > 0) {
      const bytes = this.toClient.shift()!;
      const max = random.below(4) === 0 ? random.below(bytes.length) : Infinity;
      const taken = driver.isUp ? driver.offer(bytes, 0, max) : bytes.length;
      if (taken < bytes.length) this.toClient.unshift(bytes.subarray(taken));
    } else this.answer(this.server.next());
  }

  private answer(packets: PacketObject[]): void {
    this.toClient.push(...packets.map((packet) => this.driver.encode(packet)));
  }

  private acknowledge(): void {
    while (this.receipts.length > 0) {
      const at = this.random.below(this.receipts.length);
      this.driver.acknowledge(this.receipts.splice(at, 1)[0]);
      if (this.hasFaults && this.random.below(3) > 0) break;
    }
  }

  private after(): void {
    checkInsides(this.driver);
    this.toServer.push(...this.driver.sent());
    for (const event of this.driver.events()) this.look(event);
  }

  private look(event: EventObject): void {
    if (this.isOver) throw new Error(`${event.event} after the end`);
    if (event.event === 'MESSAGE') this.assemble(event);
    if (event.event === 'DISCONNECTED') this.assembled = '';
    if (event.ticket === undefined) return;
    const isAgain = event.event === 'SUBSCRIBED' && !this.open.has(event.ticket);
    if (!this.open.delete(event.ticket) && !isAgain) throw new Error(`${event.event} twice: ${event.ticket}`);
    const payload = this.payloads.get(event.ticket);
    if (event.event === 'PUBLISHED' && event.status === 'OK') this.acknowledged.add(payload!);
  }

  private assemble(event: EventObject): void {
    if (event.isLast && event.receipt! > 0) this.receipts.push(event.receipt!);
    // Garbage can be the head of a message that takes what follows for its payload.
    if (this.isDerailed) return;
    if (event.fragmentOffset === 0) this.assembled = '';
    expect(event.fragmentOffset).toBe(this.assembled.length);
    this.assembled += event.payload!;
    if (!event.isLast) return;
    expect(this.assembled).toHaveLength(event.payloadTotalByteLength!);
    expect(this.assembled).toMatch(/^d\d+:-*$/);
    if (event.qos === 2) this.delivered.push(this.assembled);
  }

  private finish(): void {
    const { driver, server } = this;
    const counts = new Map<string, number>();
    for (const payload of server.taken) counts.set(payload, (counts.get(payload) ?? 0) + 1);
    for (const [payload, count] of counts) {
      const qos = this.published.get(payload);
      if (qos === undefined) throw new Error(`nobody published ${payload}`);
      // A server that loses its session cannot know what it had before.
      if (qos === 0 || (qos === 2 && this.sessionsLost === 0)) expect([payload, count]).toEqual([payload, 1]);
    }
    for (const payload of this.unfinished) expect(counts.has(payload), payload).toBe(false);
    for (const payload of this.acknowledged) {
      if (this.published.get(payload)! > 0) expect(counts.has(payload), payload).toBe(true);
    }
    expect(new Set(this.delivered).size).toBe(this.delivered.length);
    expect(driver.session.state.incoming.openCount).toBe(0);
    driver.session.close(driver.nowMs);
    driver.run();
    driver.events();
    this.isOver = true;
    driver.session.handleClosed(driver.nowMs);
    driver.advance(1_000_000);
    this.after();
  }
}

describe('any interleaving', () => {
  const ROUNDS = Number(process.env['MOTEMQ_ROUNDS'] ?? shareOf(300));
  it.each(Array.from({ length: 10 }, (_, part) => part))(
    'keeps every promise: part %i (seed from MOTEMQ_SEED)',
    (part) => {
      for (let i = 0; i < ROUNDS / 10; i++) {
        const seed = SEED + part * 1000 + i;
        try {
          new Round(seed).run(600);
        } catch (error) {
          (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
          throw error;
        }
      }
    },
  );
});
