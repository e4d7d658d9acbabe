/**
 * What worlds are like: networks, devices and brokers of all sorts, drawn.
 */
import type { CallbackClientOptions } from '../../src/callbacks/callback-client.ts';
import type { Limits } from '../broker/limits.ts';
import type { BrokerKind } from './broker-process.ts';
import type { Conditions } from './network.ts';
import type { SimRandom } from './random.ts';
import type { DevicePlan, StoreKind } from './sim-device.ts';

const NEVER = 4_294_967_295;
const STORE_KINDS: readonly StoreKind[] = ['list', 'flash', 'log'];

/** A network between a device and the broker: from a cable to a very bad mobile network. */
export function drawConditions(random: SimRandom): Conditions {
  return {
    latencyMs: random.between(1, random.between(2, 400)),
    jitterMs: random.below(random.between(1, 300)),
    bytesPerMs: random.between(1, 200),
    fragmentPerMille: random.isChance(500) ? random.between(0, 1000) : 0,
    windowBytes: random.isChance(300) ? random.between(20, 200) : random.between(200, 8192),
  };
}

export function drawDevicePlan(random: SimRandom, index: number): DevicePlan {
  const clientId = `d${index}`;
  const qos2PerMille = random.between(0, 600);
  const topicNames = Array.from({ length: random.between(1, 3) }, (_, topic) => `up/${clientId}/${topic}`);
  return {
    clientId,
    store: random.pick(STORE_KINDS),
    everyMs: random.between(4000, 60_000),
    burstMax: random.isChance(500) ? random.between(2, 8) : 1,
    qos2PerMille,
    qos1PerMille: random.between(0, 1000 - qos2PerMille),
    topicNames,
    stateTopicName: `state/${clientId}`,
    payloadBytesMax: random.between(32, random.between(64, 700)),
    topicFilters: [`cmd/${clientId}/#`],
    driftPerMille: random.between(-20, 20),
    options: drawOptions(random, clientId),
    reconnect: { firstMs: random.between(100, 2000), maximumMs: random.between(5000, 60_000) },
  };
}

function drawOptions(random: SimRandom, clientId: string): CallbackClientOptions {
  return {
    cleanStart: false,
    sessionExpirySeconds: random.isChance(250) ? random.between(20, 400) : NEVER,
    keepAliveSeconds: random.between(5, 120),
    ...(random.isChance(250) ? { maximumPacketSize: random.between(200, 700) } : {}),
    will: { topicName: `will/${clientId}`, payload: `gone ${clientId}`, qos: random.below(3) },
    receiveBytes: random.between(160, 1024),
    transmitBytes: random.between(160, 1024),
    outboxBytes: random.isChance(300) ? random.between(400, 1024) : random.between(1024, 6000),
    callbacksMax: 64,
    receiveMaximum: random.between(1, 16),
    inflightMax: random.between(1, 16),
    topicAliasMaximum: random.below(6),
    outgoingAliasesMax: random.below(6),
    connectTimeoutMs: random.between(5000, 20_000),
    pingTimeoutMs: random.between(3000, 20_000),
  };
}

/** Retained messages go there, one topic a device. */
export const STATE_FILTER = 'state/#';

/** Who everything goes to: on a good network, with all the room it needs. */
export function drawCollectorPlan(clientId: string): DevicePlan {
  return {
    clientId,
    store: 'list',
    everyMs: 1_000_000_000,
    burstMax: 1,
    qos1PerMille: 0,
    qos2PerMille: 0,
    topicNames: ['up/collector'],
    stateTopicName: null,
    payloadBytesMax: 16,
    topicFilters: ['up/#', 'will/#', STATE_FILTER],
    driftPerMille: 0,
    options: {
      cleanStart: false,
      sessionExpirySeconds: NEVER,
      keepAliveSeconds: 60,
      will: { topicName: `will/${clientId}`, payload: `gone ${clientId}` },
      receiveBytes: 8192,
      transmitBytes: 8192,
      outboxBytes: 1 << 20,
      callbacksMax: 4096,
      receiveMaximum: 1000,
      inflightMax: 1000,
    },
    reconnect: { firstMs: 100, maximumMs: 1000 },
  };
}

/** One world of five has the naive broker. */
export function drawBroker(random: SimRandom): BrokerKind {
  return random.below(5) === 0 ? 'naive' : 'ours';
}

/** The largest packet that a broker takes, in all of its lives. */
export function drawMaximumPacketSize(random: SimRandom): number {
  return random.isChance(300) ? random.between(200, 800) : 1_048_576;
}

/** A broker's bounds, in one of its lives: as wide as can be, or tight enough to be met. */
export function drawLimits(random: SimRandom): Partial<Limits> {
  return {
    receiveMaximum: random.isChance(500) ? random.between(1, 20) : 1000,
    topicAliasMaximum: random.below(6),
    outgoingTopicAliasMax: random.below(6),
    inflightMax: random.isChance(500) ? random.between(1, 20) : 1000,
  };
}
