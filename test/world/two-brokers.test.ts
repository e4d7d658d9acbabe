/**
 * The broker that ships and the naive one are given the same clients, which keep to the standard, and the same time: what
 * each client receives must be the same. Where the standard lets a server choose, the test looks away, and says so.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerCore } from '../../sim/broker/core.ts';
import { NaiveBroker } from '../../sim/world/naive-broker.ts';
import type { ConnectObject, PropertiesObject, SubscriptionObject } from '../../src/packets/inspect.ts';
import { Random, SEED, runs } from '../seed.ts';
import { ModelClient, type Received } from './model-client.ts';
import { WorldStage } from './world-stage.ts';

const CLIENTS = 4;
const TOPICS = ['a', 'a/b', 'a/b/c', 'b', 'b/c', '/a', 'a/', 's', 's/1', 't'];
const FILTERS = ['a', 'a/b', 'a/+', 'a/#', 'b/#', 'a/b/c', '/+', 'a/+/c'];
/** These match what Shared Subscriptions match, too: which of two copies a client gets first is not said. */
const WIDE_FILTERS = [...FILTERS, '#', '+', '+/b', '+/+'];
/** Each with the QoS that all its members ask for, so that it does not matter which of them gets a message. */
const SHARED_FILTERS = new Map([
  ['$share/g/s/#', 1],
  ['$share/h/t', 2],
]);

/** What the clients of a run do. */
interface Habits {
  filters: readonly string[];
  /** They share subscriptions: then they pay at once, and no session outlives its connection, so that who got a message
   * does not change what happens later. */
  isSharing: boolean;
}

/** One thing that happens. The numbers are read as they are needed. */
interface Step {
  kind: string;
  client: number;
  numbers: number[];
}

const KINDS = [
  ...['ping', 'connect', 'connect and subscribe', 'drop', 'drop', 'disconnect', 'pass', 'pass'],
  ...['deaf', 'deaf', 'hear'],
  ...Array.from({ length: 10 }, () => 'publish'),
  ...['subscribe', 'subscribe', 'subscribe', 'subscribe', 'unsubscribe'],
  ...['pay', 'pay', 'pay', 'pay', 'pay', 'pay'],
];

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    client: fc.nat(CLIENTS - 1),
    numbers: fc.array(fc.noBias(fc.nat(1000)), { minLength: 12, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 100, size: 'max' },
);

/** One broker with its clients. */
interface Side {
  stage: WorldStage;
  clients: ModelClient[];
}

function sideOf(broker: NaiveBroker | BrokerCore): Side {
  const stage = new WorldStage(broker);
  return {
    stage,
    clients: Array.from({ length: CLIENTS }, (_, index) => new ModelClient(stage, `c${index}`)),
  };
}

/** Reads a step's numbers, one after the other. */
class Choices {
  private readonly numbers: number[];
  private at = 0;

  constructor(numbers: number[]) {
    this.numbers = numbers;
  }

  below(count: number): number {
    return this.numbers[this.at++ % this.numbers.length] % count;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

/** Leaves out what is undefined. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function messageProperties(choices: Choices): PropertiesObject {
  const kind = choices.below(5);
  return defined({
    messageExpiryInterval: choices.pick([undefined, undefined, 4, 50]),
    payloadFormatIndicator: kind === 1 ? 1 : undefined,
    contentType: kind === 2 ? 'text/plain' : undefined,
    responseTopic: kind === 3 ? 'answers/here' : undefined,
    correlationData: kind === 3 ? '00ff' : undefined,
    userProperties:
      kind === 4
        ? ([
            ['k', '2'],
            ['k', '1'],
          ] as [string, string][])
        : undefined,
  });
}

/** A payload that no other message has; most are empty or short, some are larger than some clients take. */
function payloadOf(choices: Choices, number: number): string {
  // Digits.
  const text = String(number)
    .padStart(3, '0')
    .replace(/\d/g, (digit) => `3${digit}`);
  return choices.pick([text, text, text, text, '', text + '61'.repeat(400)]);
}

function connectFields(choices: Choices, number: number, { isSharing }: Habits): Partial<ConnectObject> {
  const isV5 = choices.below(4) > 0;
  const fields: Partial<ConnectObject> = {
    protocolVersion: isV5 ? 5 : 4,
    cleanStart: choices.below(5) === 0 || (isSharing && !isV5),
    keepAlive: 0,
  };
  const limits = {
    sessionExpiryInterval: isSharing ? undefined : choices.pick([undefined, 7, 61, 61, 3000, 3000]),
    receiveMaximum: choices.pick([undefined, undefined, 1, 2]),
    topicAliasMaximum: choices.pick([undefined, 1, 5]),
    // With a Shared Subscription the server has a choice (3.1.2.11.4).
    maximumPacketSize: isSharing ? undefined : choices.pick([undefined, undefined, 200]),
  };
  if (isV5) fields.properties = defined(limits);
  if (choices.below(2) === 0) {
    fields.willTopic = choices.pick(TOPICS);
    fields.willQos = choices.below(3);
    fields.willRetain = choices.below(3) === 0;
    fields.willPayload = payloadOf(choices, number);
    if (isV5) {
      const willDelayInterval = choices.pick([undefined, 2, 20, 100]);
      fields.willProperties = defined({ ...messageProperties(choices), willDelayInterval });
    }
  }
  return fields;
}

function subscriptionOf(choices: Choices, isV5: boolean, habits: Habits): SubscriptionObject {
  const qos = choices.below(3);
  const topicFilter = choices.pick(habits.filters);
  if (!isV5) return { topicFilter, qos };
  if (habits.isSharing && choices.below(2) === 0) {
    const [shared, sharedQos] = choices.pick([...SHARED_FILTERS]);
    return { topicFilter: shared, qos: sharedQos, retainAsPublished: true };
  }
  const noLocal = choices.below(4) === 0;
  const retainAsPublished = choices.below(2) === 0;
  return { topicFilter, qos, noLocal, retainAsPublished, retainHandling: choices.below(3) };
}

/** Has a client do what the step says, if it can. */
function take(step: Step, client: ModelClient, side: Side, number: number, habits: Habits): void {
  const choices = new Choices(step.numbers);
  const isV5 = client.protocolVersion === 5;
  // What needs a connection makes one.
  const isConnecting = step.kind.startsWith('connect') || (!client.isConnected && step.kind !== 'pass');
  if (isConnecting) {
    const isDropped = choices.below(2) === 0;
    if (isDropped) client.drop();
    const fields = connectFields(choices, number, habits);
    const packetId = client.nextPacketId();
    const subscriptions = [subscriptionOf(choices, false, habits)];
    const isHasty = step.kind === 'connect and subscribe';
    client.connect(fields, isHasty ? [{ type: 'SUBSCRIBE', packetId, subscriptions }] : []);
    return;
  }
  if (step.kind === 'pass') {
    side.stage.pass(choices.pick([400, 1700, 3900, 8300, 11_100, 26_100, 70_300]));
    return;
  }
  switch (step.kind) {
    case 'deaf':
      // With a Shared Subscription it would matter who is deaf.
      client.setHearing(habits.isSharing);
      return;
    case 'hear':
      client.setHearing(true);
      return;
    case 'drop':
      client.drop();
      return;
    case 'disconnect': {
      const reasonCode = choices.pick([0, 0, 4, 0x80]);
      const sessionExpiryInterval = choices.pick([0, 20]);
      const canExpire = client.expirySeconds > 0 && choices.below(2) === 0;
      const properties = canExpire ? { properties: { sessionExpiryInterval } } : {};
      client.disconnect(isV5 ? { type: 'DISCONNECT', reasonCode, ...properties } : { type: 'DISCONNECT' });
      return;
    }
    case 'publish': {
      if (client.outgoingCount > 10) return;
      const topicName = choices.pick(TOPICS);
      const qos = choices.below(3);
      const retain = choices.below(3) === 0;
      const alias = isV5 ? choices.pick([0, 0, 1, 2]) : 0;
      const payload = payloadOf(choices, number);
      const properties = isV5 ? { properties: messageProperties(choices) } : {};
      client.publish({ type: 'PUBLISH', topicName, qos, retain, payload, ...properties }, alias);
      return;
    }
    case 'subscribe': {
      const identifier = habits.isSharing ? undefined : choices.pick([undefined, 1, 2, 300]);
      // What comes of it is to come now.
      client.setHearing(true);
      const subscriptions = Array.from({ length: 1 + choices.below(3) }, () =>
        subscriptionOf(choices, isV5, habits),
      );
      const properties =
        isV5 && identifier !== undefined ? { properties: { subscriptionIdentifiers: [identifier] } } : {};
      client.request((packetId) => ({ type: 'SUBSCRIBE', packetId, subscriptions, ...properties }));
      return;
    }
    case 'unsubscribe': {
      const topicFilters = [choices.pick(habits.filters), choices.pick([...SHARED_FILTERS.keys()])];
      client.request((packetId) => ({ type: 'UNSUBSCRIBE', packetId, topicFilters }));
      return;
    }
    case 'pay': {
      const type = choices.pick(['PUBACK', 'PUBREC', 'PUBCOMP', 'PUBREL'] as const);
      const canRefuse = type === 'PUBACK' || type === 'PUBREC';
      client.pay(type, 1 + choices.below(3), canRefuse ? choices.pick([0, 0, 0, 0x83]) : 0);
      return;
    }
    default:
      client.request(() => ({ type: 'PINGREQ' }));
  }
}

function sorted(list: unknown[]): unknown[] {
  return list.map((one) => JSON.stringify(one)).sort();
}

/** Pays all debts, and puts what comes of it to what was received, in an order of its own. */
function settle(client: ModelClient, received: Received): Received {
  client.payAll();
  const more = client.take();
  const messages = received.messages.map((list, qos) => sorted([...list, ...more.messages[qos]]));
  return {
    connack: [...received.connack, ...more.connack],
    answers: [...received.answers, ...more.answers],
    messages: messages as Received['messages'],
    released: sorted([...received.released, ...more.released]),
    end: [...received.end, ...more.end],
  };
}

/** What all clients of a side received in a step, after it. */
function outcome(side: Side, step: Step, { isSharing }: Habits): unknown {
  const received = side.clients.map((client, index) => {
    const one = client.take();
    // What a subscription brings has no order among different topics.
    const isAnyOrder = isSharing || (index === step.client && step.kind.includes('subscribe'));
    return isAnyOrder ? settle(client, one) : one;
  });
  if (!isSharing) return received;
  // Who of those that share a subscription gets a message, the server may choose (4.8.2).
  const isShared = (message: unknown): boolean => /"topicName\\?":\\?"[st]/.test(JSON.stringify(message));
  const shared = received.flatMap(({ messages }) => messages.flat().filter(isShared));
  const released = received.flatMap((one) => one.released);
  const own = received.map((one) => ({
    ...one,
    messages: one.messages.map((list) => list.filter((message) => !isShared(message))),
    released: [],
  }));
  return [own, sorted(shared), sorted(released)];
}

const random = new Random(SEED);
const environment = { random: () => random.below(4_294_967_296), wake: () => undefined };

function run(list: Step[], habits: Habits): NaiveBroker {
  const naive = new NaiveBroker({}, environment);
  // A client may be deaf for long.
  const limits = { writeTimeoutMs: 86_400_000 };
  const core = new BrokerCore({ sysIntervalSeconds: 0, limits }, environment);
  const sides = [naive, core].map(sideOf);
  list.forEach((step, index) => {
    const outcomes = sides.map((side) => {
      // Nothing happens in the same millisecond, nor in the same second: a keep alive that has passed may be noticed up to
      // a second late.
      side.stage.pass(1037);
      const early = outcome(side, { ...step, kind: 'pass' }, habits);
      take(step, side.clients[step.client], side, index + 1, habits);
      return [early, outcome(side, step, habits)];
    });
    expect(outcomes[0], `step ${index}: ${JSON.stringify(step)}`).toEqual(outcomes[1]);
  });
  return naive;
}

describe('two brokers', () => {
  it.each([
    ['each with subscriptions of its own', { filters: WIDE_FILTERS, isSharing: false }],
    ['which share subscriptions', { filters: FILTERS, isSharing: true }],
  ])('serve clients that keep to the standard alike, %s', (_, habits) => {
    fc.assert(
      fc.property(steps, (list) => {
        expect(run(list, habits).violations).toEqual([]);
      }),
      runs(150),
    );
  });

  const brokers = [
    ['the naive one', () => new NaiveBroker({}, environment)],
    ['ours', () => new BrokerCore({ sysIntervalSeconds: 0 }, environment)],
  ] as const;

  it.each(brokers)('[MQTT-3.1.2-22] wait one and a half times the keep alive: %s', (_, make) => {
    const stage = new WorldStage(make());
    const client = stage.connect('c', { keepAlive: 10 });
    stage.pass(14_999);
    expect(client.isClosed).toBe(false);
    stage.pass(1);
    expect(client.takeOne('DISCONNECT').reasonCode).toBe(0x8d);
    expect(client.isClosed).toBe(true);
  });

  it.each(brokers)('[MQTT-4.7.2-1] keep $ topics from wildcards: %s', (_, make) => {
    const stage = new WorldStage(make());
    const client = stage.connect('c');
    const subscriptions = ['#', '+/a', '$x/#'].map((topicFilter, qos) => ({ topicFilter, qos }));
    client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions }).takeOne('SUBACK');
    client.send({ type: 'PUBLISH', topicName: '$x/a', qos: 0 });
    expect(client.takeOne('PUBLISH').topicName).toBe('$x/a');
  });

  it.each(brokers)(
    '[MQTT-3.1.3-6] [MQTT-3.1.3-7] give a Client Identifier to who has none: %s',
    (_, make) => {
      const stage = new WorldStage(make());
      const ids = [1, 2].map(() => stage.connect('').connack.properties?.assignedClientIdentifier);
      expect(new Set(ids).size).toBe(2);
      expect(ids).not.toContain(undefined);
      const old = stage.connect('', { protocolVersion: 4, cleanStart: false });
      expect([old.connack.reasonCode, old.isClosed]).toEqual([2, true]);
    },
  );
});
