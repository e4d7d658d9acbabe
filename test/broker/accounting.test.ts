/**
 * What a broker reckons with is what it has: after whatever clients do, in whatever order, nothing is reckoned any more
 * once everything was acknowledged, or once the sessions have ended. MOTEMQ_SEED repeats or changes a run.
 */
import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { runs } from '../seed.ts';
import { CoreStage, type PlayedClient } from './core-stage.ts';

const CLIENT_COUNT = 4;
const FILTERS = ['#', 'a/#', 'a/+', 'b', '$share/g/a/#', '$share/g/#', '$share/h/b'];
const TOPICS = ['a/1', 'a/2', 'b', 'c'];
/** Small enough that all of them are reached. */
const LIMITS = {
  inflightMax: 4,
  queuedMessagesMax: 6,
  queuedBytesMax: 1500,
  queuedBytesTotalMax: 3000,
  outputBytesMax: 1024,
  sessionExpirySecondsMax: 100,
};

/** One thing that one of the clients does. */
type Step =
  | {
      kind: 'connect';
      cleanStart: boolean;
      expiry: number;
      receiveMaximum: number;
      version: 4 | 5;
      will: boolean;
    }
  | { kind: 'subscribe'; filter: string; qos: number }
  | { kind: 'unsubscribe'; filter: string }
  | { kind: 'publish'; topic: string; qos: number; size: number; expiry: number; retain: boolean }
  | { kind: 'answer'; index: number; isRefusal: boolean; isRepeated: boolean }
  | { kind: 'invent'; type: 'PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP'; packetId: number }
  | { kind: 'stop reading' | 'read' | 'read once' | 'cut' | 'disconnect' }
  | { kind: 'wait'; ms: number };

const client = fc.integer({ min: 0, max: CLIENT_COUNT - 1 });
const qos = fc.integer({ min: 0, max: 2 });
const filter = fc.constantFrom(...FILTERS);
const of = <T extends Step['kind']>(kind: T): Arbitrary<T> => fc.constant(kind);

const step: Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: of('connect'),
      cleanStart: fc.boolean(),
      expiry: fc.constantFrom(0, 10, 50, 1000),
      receiveMaximum: fc.constantFrom(1, 2, 65_535),
      version: fc.constantFrom<4 | 5>(4, 5, 5),
      will: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: of('subscribe'), filter, qos }) },
  { weight: 1, arbitrary: fc.record({ kind: of('unsubscribe'), filter }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: of('publish'),
      topic: fc.constantFrom(...TOPICS),
      qos,
      size: fc.constantFrom(0, 10, 400, 1200),
      expiry: fc.constantFrom(0, 5, 30),
      retain: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: of('answer'),
      index: fc.nat(10),
      isRefusal: fc.constantFrom(false, false, true),
      isRepeated: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: of('invent'),
      type: fc.constantFrom('PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'),
      packetId: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('stop reading', 'read', 'read once', 'cut', 'disconnect') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: of('wait'), ms: fc.constantFrom(1, 6000, 40_000) }) },
);

/** A client that answers when it is told to, in any order. */
class Party {
  readonly clientId: string;
  private readonly stage: CoreStage;
  private connection: PlayedClient | null = null;
  private isV5 = true;
  private owed: PacketObject[] = [];
  private lastPacketId = 0;

  constructor(stage: CoreStage, clientId: string) {
    this.stage = stage;
    this.clientId = clientId;
  }

  /** Its connection, while there is one. */
  private get open(): PlayedClient | null {
    if (this.connection !== null && (this.connection.isEnded || this.connection.isClosed)) {
      this.connection = null;
      this.owed = [];
    }
    return this.connection;
  }

  connect(
    cleanStart: boolean,
    expiry: number,
    receiveMaximum: number,
    version: 4 | 5,
    hasWill = false,
  ): void {
    this.owed = [];
    this.isV5 = version === 5;
    const properties = this.isV5 ? { properties: { sessionExpiryInterval: expiry, receiveMaximum } } : {};
    const will = { willTopic: 'a/1', willQos: 1, willRetain: false, willPayload: '78' };
    this.connection = this.stage.connect({
      clientId: this.clientId,
      protocolVersion: version,
      cleanStart,
      ...properties,
      ...(hasWill ? will : {}),
    });
  }

  do(step: Step): void {
    if (step.kind === 'connect') {
      const { cleanStart, expiry, receiveMaximum, version, will } = step;
      this.connect(cleanStart, expiry, receiveMaximum, version, will);
    } else if (step.kind === 'wait') this.stage.advance(step.ms);
    else if (this.open !== null) this.doConnected(this.open, step);
    this.listen();
  }

  private doConnected(connection: PlayedClient, step: Step): void {
    const packetId = (this.lastPacketId = (this.lastPacketId % 65_535) + 1);
    switch (step.kind) {
      case 'subscribe':
        if (!this.isV5 && step.filter.startsWith('$')) return;
        connection.send({
          type: 'SUBSCRIBE',
          packetId,
          subscriptions: [{ topicFilter: step.filter, qos: step.qos }],
        });
        break;
      case 'unsubscribe':
        connection.send({ type: 'UNSUBSCRIBE', packetId, topicFilters: [step.filter] });
        break;
      case 'publish': {
        const { topic: topicName, qos: level, retain, size, expiry } = step;
        const hasExpiry = this.isV5 && expiry > 0;
        connection.send({
          type: 'PUBLISH',
          topicName,
          qos: level,
          retain,
          payload: '78'.repeat(size),
          ...(level > 0 ? { packetId } : {}),
          ...(hasExpiry ? { properties: { messageExpiryInterval: expiry } } : {}),
        });
        break;
      }
      case 'answer':
        this.answer(connection, step.index, step.isRefusal, step.isRepeated);
        break;
      case 'invent':
        connection.send({ type: step.type, packetId: step.packetId });
        break;
      case 'read':
        connection.read();
        break;
      case 'read once':
        connection.readOnce();
        break;
      case 'stop reading':
        connection.isReading = false;
        break;
      case 'cut':
        connection.cut();
        break;
      case 'disconnect':
        connection.send({ type: 'DISCONNECT' });
        break;
      case 'connect':
      case 'wait':
    }
  }

  /** Sends one of the answers that it owes. */
  private answer(connection: PlayedClient, index: number, isRefusal: boolean, isRepeated: boolean): void {
    if (this.owed.length === 0) return;
    const [packet] = this.owed.splice(index % this.owed.length, 1);
    const mayRefuse = this.isV5 && (packet.type === 'PUBACK' || packet.type === 'PUBREC');
    const answer = isRefusal && mayRefuse ? { ...packet, reasonCode: 0x80 } : packet;
    connection.send(answer, ...(isRepeated ? [answer] : []));
  }

  /** Takes what came, and notes what it owes for that. */
  listen(): void {
    for (const packet of this.connection?.take() ?? []) {
      if (packet.type === 'PUBLISH' && packet.qos! > 0) {
        const type = packet.qos === 1 ? 'PUBACK' : 'PUBREC';
        this.owed.push({ type, packetId: packet.packetId! });
      } else if (packet.type === 'PUBREL') this.owed.push({ type: 'PUBCOMP', packetId: packet.packetId });
      else if (packet.type === 'PUBREC') this.owed.push({ type: 'PUBREL', packetId: packet.packetId });
    }
  }

  /** Comes back, reads, and answers everything. Returns whether there was anything. */
  settle(): boolean {
    if (this.open === null) this.connect(false, 1000, 65_535, 5);
    this.open?.read();
    this.listen();
    const hadAny = this.owed.length > 0;
    while (this.open !== null && this.owed.length > 0) this.answer(this.open, 0, false, false);
    this.listen();
    return hadAny || this.owed.length > 0;
  }

  leave(): void {
    this.open?.cut();
  }
}

/** Plays the steps, and after each sees that what is reckoned is what the sessions have, within the limits. */
function play(steps: [number, Step][]): [CoreStage, Party[]] {
  const stage = new CoreStage({ limits: LIMITS });
  const parties = Array.from({ length: CLIENT_COUNT }, (_, index) => new Party(stage, `c${index}`));
  for (const party of parties) {
    party.connect(true, 1000, 65_535, 5);
    party.do({ kind: 'subscribe', filter: 'a/#', qos: 2 });
  }
  for (const [index, one] of steps) {
    parties[index].do(one);
    for (const party of parties) party.listen();
    const gauges = stage.core.gauges();
    const sum = { queuedMessages: 0, queuedBytes: 0, inflight: 0, subscriptions: 0 };
    for (const session of stage.core.sessions()) {
      sum.queuedMessages += session.queuedMessages;
      sum.queuedBytes += session.queuedBytes;
      sum.inflight += session.inflight;
      sum.subscriptions += session.subscriptions.length;
      expect(session.queuedMessages).toBeLessThanOrEqual(LIMITS.queuedMessagesMax);
      expect(session.queuedBytes).toBeLessThanOrEqual(LIMITS.queuedBytesMax);
    }
    expect(gauges).toMatchObject(sum);
    expect(gauges.queuedBytes).toBeLessThanOrEqual(LIMITS.queuedBytesTotalMax);
  }
  return [stage, parties];
}

const steps = fc.array(fc.tuple(client, step), { minLength: 1, maxLength: 150, size: 'max' });
const NOTHING = { queuedMessages: 0, queuedBytes: 0, inflight: 0 };

describe('what is reckoned', () => {
  it('is nothing when everything is acknowledged, whatever happened before', () => {
    const totals = { queued: 0, hits: new Set<string>() };
    fc.assert(
      fc.property(steps, (taken) => {
        const [stage, parties] = play(taken);
        totals.queued += stage.core.gauges().queuedMessages;
        for (let round = 0; parties.map((party) => party.settle()).includes(true); round++) {
          if (round === 1000) throw new Error('there is no end to what is to be acknowledged');
        }
        expect(stage.core.gauges()).toMatchObject({ ...NOTHING, sessions: CLIENT_COUNT });
        for (const [name, hits] of Object.entries(stage.core.counters.limitHits)) {
          if (hits > 0) totals.hits.add(name);
        }
      }),
      runs(200),
    );
    // Otherwise the steps are too tame.
    expect(totals.queued).toBeGreaterThan(0);
    for (const name of [
      'inflightMax',
      'queuedMessagesMax',
      'queuedBytesMax',
      'queuedBytesTotalMax',
      'outputBytesMax',
    ]) {
      expect(totals.hits).toContain(name);
    }
  });

  it('is nothing when the sessions have ended', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const [stage, parties] = play(taken);
        for (const party of parties) party.leave();
        stage.advance(LIMITS.sessionExpirySecondsMax * 1000);
        expect(stage.core.gauges()).toMatchObject({
          ...NOTHING,
          connections: 0,
          sessions: 0,
          subscriptions: 0,
        });
      }),
      runs(200),
    );
  });
});
