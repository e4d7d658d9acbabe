/**
 * What the tests of stores put into them: sessions, deliveries and messages with everything that a broker could say of
 * them, and a form of what comes back that can be compared.
 */
import { Message } from '../../sim/broker/message.ts';
import type {
  BrokerStore,
  DeliveryRecord,
  SessionRecord,
  StoredState,
  SubscriptionRecord,
} from '../../sim/broker/store.ts';

export function sessionOf(clientId: string, rest: Partial<SessionRecord> = {}): SessionRecord {
  return {
    clientId,
    userName: null,
    expirySeconds: 3600,
    endedAtMs: Infinity,
    willMessageId: 0,
    willDelaySeconds: 0,
    willExpirySeconds: -1,
    ...rest,
  };
}

export function subscriptionOf(
  topicFilter: string,
  rest: Partial<SubscriptionRecord> = {},
): SubscriptionRecord {
  return { topicFilter, isShared: false, options: 0, identifier: 0, ...rest };
}

export function deliveryOf(
  sequence: number,
  messageId: number,
  rest: Partial<DeliveryRecord> = {},
): DeliveryRecord {
  return {
    sequence,
    messageId,
    packetId: 0,
    isReleased: false,
    qos: 1,
    isRetain: false,
    identifiers: [],
    ...rest,
  };
}

export interface MessageParts {
  topicName: string;
  payload: Uint8Array;
  properties?: Uint8Array;
  qos?: number;
  isRetain?: boolean;
  expiresAtMs?: number;
  publisherId?: string;
}

/** A message as it lies in a packet: between other bytes, the topic apart from the rest. */
export function messageOf(parts: MessageParts | string): Message {
  const {
    topicName,
    payload,
    properties = new Uint8Array(0),
    ...rest
  }: MessageParts = typeof parts === 'string'
    ? { topicName: parts, payload: Buffer.from(`to ${parts}`) }
    : parts;
  const topic = Buffer.from(topicName);
  const bytes = Buffer.concat([Buffer.from('head'), topic, Buffer.from('id'), properties, payload]);
  const propertiesOffset = 4 + topic.length + 2;
  return new Message(
    bytes,
    4,
    topic.length,
    propertiesOffset,
    properties.length,
    propertiesOffset + properties.length,
    payload.length,
    rest.qos ?? 1,
    rest.isRetain ?? false,
    rest.expiresAtMs ?? Infinity,
    rest.publisherId ?? 'publisher',
    topicName,
    false,
  );
}

/** A message as what it means, however it lies in its bytes. */
export function meaningOf(message: Message): object {
  const { bytes, topicOffset, topicByteLength, propertiesOffset, propertiesByteLength } = message;
  const hex = (offset: number, byteLength: number): string =>
    Buffer.from(bytes.subarray(offset, offset + byteLength)).toString('hex');
  return {
    topicName: message.topicName,
    topic: hex(topicOffset, topicByteLength),
    properties: hex(propertiesOffset, propertiesByteLength),
    payload: hex(message.payloadOffset, message.payloadByteLength),
    qos: message.qos,
    isRetain: message.isRetain,
    expiresAtMs: message.expiresAtMs,
    publisherId: message.publisherId,
  };
}

/** A state as plain values, in an order of its own where the store's does not matter. */
export function stateValues({ sessions, messages, retained }: StoredState): object {
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return {
    sessions: sessions
      .map((session) => ({
        ...session,
        subscriptions: [...session.subscriptions].sort((a, b) => byText(a.topicFilter, b.topicFilter)),
        receivedIds: [...session.receivedIds].sort((a, b) => a - b),
      }))
      .sort((a, b) => byText(a.clientId, b.clientId)),
    messages: [...messages.entries()].sort((a, b) => a[0] - b[0]).map(([id, one]) => [id, meaningOf(one)]),
    retained: [...retained.entries()].sort((a, b) => byText(a[0], b[0])),
  };
}

/** The only session that a store has. */
export async function onlySession(store: BrokerStore): Promise<StoredState['sessions'][number]> {
  const { sessions } = await store.load();
  if (sessions.length !== 1) throw new Error(`there are ${sessions.length} sessions`);
  return sessions[0];
}
