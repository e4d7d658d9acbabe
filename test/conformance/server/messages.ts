/**
 * What the tests of message delivery share: both versions of the protocol, a session that outlives its connection, and
 * taking messages as a well-behaved client does. Knows no rule but which acknowledgement follows which packet.
 */
import type { PacketObject, PropertiesObject, PublishObject } from '../../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../../src/packets/types.ts';
import { eventually } from '../../support/wait.ts';
import type { BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueClientId, uniqueTopic, type ConnectFields } from '../peer.ts';

/** For `it.each`: rules that both versions have. */
export const VERSIONS = [
  { version: '5.0', protocolVersion: V5 },
  { version: '3.1.1', protocolVersion: V3_1_1 },
] as const;

/** The same at QoS 1 and 2. */
export const VERSIONS_AND_QOS = VERSIONS.flatMap((one) => [
  { ...one, qos: 1 },
  { ...one, qos: 2 },
]);

/** CONNECT for a session that stays when the connection ends. `properties` go with 5.0 only. */
export function keptSession(
  protocolVersion: 4 | 5 = V5,
  clientId = uniqueClientId(),
  properties: PropertiesObject = {},
): ConnectFields {
  const fields: ConnectFields = { clientId, protocolVersion, cleanStart: false };
  if (protocolVersion === V5) fields.properties = { sessionExpiryInterval: 600, ...properties };
  return fields;
}

/** Connects a publisher, publishes these messages in this order, each to its end, and disconnects. */
export async function publishOnce(
  broker: BrokerUnderTest,
  ...messages: Omit<PublishObject, 'type'>[]
): Promise<void> {
  const publisher = await Peer.connect(broker);
  for (const message of messages) await publisher.publish(message);
  await publisher.drain(); // what QoS 0 published has been taken in as well
  await publisher.disconnect();
}

/** The next `count` messages, each acknowledged to its end. Nothing else may come meanwhile. */
export async function takeMessages(peer: Peer, count: number): Promise<PublishObject[]> {
  const messages: PublishObject[] = [];
  let openCount = 0; // QoS 2 messages that wait for their PUBREL
  while (messages.length < count || openCount > 0) {
    const packet = await peer.next();
    if (packet.type === 'PUBLISH') {
      messages.push(packet);
      if (packet.qos === 1) peer.send({ type: 'PUBACK', packetId: packet.packetId! });
      if (packet.qos === 2) peer.send({ type: 'PUBREC', packetId: packet.packetId! });
      if (packet.qos === 2) openCount++;
    } else if (packet.type === 'PUBREL') {
      peer.send({ type: 'PUBCOMP', packetId: packet.packetId });
      openCount--;
    } else {
      throw new Error(`expected a message, and ${JSON.stringify(packet)} came`);
    }
  }
  return messages;
}

/** Those of the packets that are messages. */
export function publishesOf(packets: readonly PacketObject[]): PublishObject[] {
  return packets.filter((packet) => packet.type === 'PUBLISH');
}

/** The payload as text. */
export function textOf(message: PublishObject): string {
  return Buffer.from(message.payload ?? '', 'hex').toString();
}

/** The payloads of those of the packets that are messages. */
export function textsOf(packets: readonly PacketObject[]): string[] {
  return publishesOf(packets).map(textOf);
}

/** The retained messages that a new subscriber gets. */
export async function retainedOf(
  broker: BrokerUnderTest,
  topicFilter: string,
  protocolVersion: 4 | 5 = V5,
): Promise<PublishObject[]> {
  const peer = await Peer.connect(broker, { protocolVersion });
  await peer.subscribe(topicFilter, { qos: 2 });
  const messages = publishesOf(await peer.drain());
  await peer.disconnect();
  return messages;
}

/** Waits until there is no retained message on the topic: until it has expired. */
export async function untilNotRetained(broker: BrokerUnderTest, topicName: string): Promise<void> {
  const isGone = async () => (await retainedOf(broker, topicName)).length === 0;
  await eventually(isGone, { what: 'the retained message to expire' });
}

/**
 * Waits until what was published with a Message Expiry Interval of 1 before the call has expired by any reckoning: until a
 * message published now with 2 has. A server may reckon in whole seconds.
 */
export async function untilExpired(broker: BrokerUnderTest): Promise<void> {
  const [topicName, properties] = [uniqueTopic(), { messageExpiryInterval: 2 }];
  await publishOnce(broker, { topicName, qos: 1, retain: true, payload: hexOf('clock'), properties });
  await untilNotRetained(broker, topicName);
}
