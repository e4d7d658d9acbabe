/**
 * The naive broker on a stage, and what its tests have in common.
 */
import type { PublishObject, SubscriptionObject } from '../../src/packets/inspect.ts';
import { NaiveBroker, type NaiveOptions } from '../../sim/world/naive-broker.ts';
import { WorldStage, type PlayedClient } from './world-stage.ts';

/** The naive broker on a stage. */
export interface NaiveStage {
  stage: WorldStage;
  broker: NaiveBroker;
}

export function stageOf(options: NaiveOptions = {}): NaiveStage {
  const broker = new NaiveBroker(options, { random: () => 0xbeef, wake: () => undefined });
  const stage = new WorldStage(broker);
  stage.nowMs = options.startedMs ?? 0;
  return { stage, broker };
}

export function message(topicName: string, fields: Partial<PublishObject> = {}): PublishObject {
  return { type: 'PUBLISH', topicName, payload: '01', ...fields };
}

export function subscribe(client: PlayedClient, ...subscriptions: SubscriptionObject[]): void {
  client.send({ type: 'SUBSCRIBE', packetId: 60_000, subscriptions });
  client.takeOne('SUBACK');
}

/** All that came, which must be messages. */
export function messages(client: PlayedClient): PublishObject[] {
  return client.take().map((packet) => {
    if (packet.type !== 'PUBLISH') throw new Error(`not a message: ${packet.type}`);
    return packet;
  });
}

export function payloads(client: PlayedClient): string[] {
  return messages(client).map(({ payload = '' }) => payload);
}

/** What CONNECT says for a session that lasts. */
export const LASTING = { properties: { sessionExpiryInterval: 1000 } };
