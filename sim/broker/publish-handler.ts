/**
 * PUBLISH and its acknowledgements as a server receives them (3.3 to 3.7, 4.3): aliases resolved, bounds kept, the message
 * handed on, the answer written.
 */
import type { Packet } from '../../src/packets/packet.ts';
import { P_TOPIC_ALIAS } from '../../src/packets/property-table.ts';
import { PUBACK, PUBCOMP, PUBREC } from '../../src/packets/types.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import type { ServerConnection } from './connection.ts';
import { isTextPayload, readMessage } from './message-reader.ts';
import { checkPayloadFormat } from './publisher.ts';
import {
  NOT_AUTHORIZED,
  PACKET_IDENTIFIER_NOT_FOUND,
  PAYLOAD_FORMAT_INVALID,
  PROTOCOL_ERROR,
  QOS_NOT_SUPPORTED,
  QUOTA_EXCEEDED,
  RECEIVE_MAXIMUM_EXCEEDED,
  RETAIN_NOT_SUPPORTED,
  SUCCESS,
  TOPIC_ALIAS_INVALID,
  TOPIC_NAME_INVALID,
  UNSPECIFIED_ERROR,
} from './reasons.ts';
import type { Session } from './session.ts';

/** A topic: by its name, and its bytes where the packet has none. */
class Topic {
  name = '';
  bytes: Uint8Array | null = null;
}

const topic = new Topic();

/** Handles PUBLISH of a connected client. */
export function handlePublish(
  connection: ServerConnection,
  session: Session,
  packet: Packet,
  bytes: Uint8Array,
  nowMs: number,
): void {
  const { rooms, view } = connection;
  const { context, publisher } = rooms;
  const { offer, limits, counters } = context;
  const { qos, packetId } = packet;
  counters.publishReceived++;
  if (qos > offer.maximumQos) {
    connection.end(QOS_NOT_SUPPORTED, `a PUBLISH of QoS ${qos}, above the Maximum QoS`, nowMs); // [MQTT-3.2.2-11]
    return;
  }
  if (packet.retain === 1 && !offer.isRetainAvailable) {
    connection.end(RETAIN_NOT_SUPPORTED, 'retained messages are not supported', nowMs); // [MQTT-3.2.2-14]
    return;
  }
  if (!resolveTopic(connection, packet, bytes, nowMs)) return;
  if (qos === 2 && session.receivedIds.has(packetId)) {
    // Routed already: only the answer is said again [MQTT-4.3.3-10].
    connection.writeAck(PUBREC, packetId, SUCCESS, '');
    return;
  }
  if (qos > 0 && connection.isV5) {
    const pending = connection.unreleasedIds.size + connection.output.unsentAcknowledgements;
    if (pending >= limits.receiveMaximum) {
      context.hit('receiveMaximum');
      connection.end(RECEIVE_MAXIMUM_EXCEEDED, 'more than the Receive Maximum', nowMs); // [MQTT-3.3.4-7]
      return;
    }
  }
  const { name, bytes: topicBytes } = topic;
  topic.bytes = null;
  let reasonCode = publisher.check(view, name);
  if (reasonCode === SUCCESS) {
    const { payloadOffset, payloadByteLength } = packet;
    const isText = isTextPayload(packet);
    reasonCode = checkPayloadFormat(isText, bytes, payloadOffset, payloadOffset + payloadByteLength);
  }
  if (reasonCode === SUCCESS) {
    const message = readMessage(packet, bytes, name, topicBytes, view.clientId, nowMs);
    reasonCode = publisher.publish(message, session, view, nowMs);
  } else {
    counters.publishRefused++;
  }
  if (qos === 1) {
    connection.writeAck(PUBACK, packetId, reasonCode, textOf(reasonCode));
  } else if (qos === 2) {
    // One that is refused is done with; the others wait for their PUBREL [MQTT-4.3.3-8].
    if (reasonCode < UNSPECIFIED_ERROR || !connection.isV5) {
      session.receivedIds.add(packetId);
      connection.unreleasedIds.add(packetId);
      context.keeper.putReceived(session, packetId);
    }
    connection.writeAck(PUBREC, packetId, reasonCode, textOf(reasonCode));
  }
}

/** Finds the Topic Name and keeps what an alias stands for (3.3.2.3.4). False: it ended the connection. */
function resolveTopic(
  connection: ServerConnection,
  packet: Packet,
  bytes: Uint8Array,
  nowMs: number,
): boolean {
  const { topicOffset, topicByteLength } = packet;
  topic.bytes = null;
  if (!packet.has(P_TOPIC_ALIAS)) {
    topic.name = decodeUtf8(bytes, topicOffset, topicOffset + topicByteLength);
    return true;
  }
  const alias = packet.values[P_TOPIC_ALIAS];
  const { context } = connection.rooms;
  if (alias > context.limits.topicAliasMaximum) {
    context.hit('topicAliasMaximum');
    connection.end(TOPIC_ALIAS_INVALID, `topic alias ${alias} is above the maximum`, nowMs); // [MQTT-3.3.2-9]
    return false;
  }
  const aliases = (connection.incomingAliases ??= []);
  const known = aliases[alias];
  if (topicByteLength === 0) {
    if (known === undefined) {
      connection.end(PROTOCOL_ERROR, `topic alias ${alias} stands for nothing`, nowMs);
      return false;
    }
    topic.name = known.topicName;
    topic.bytes = known.bytes;
    return true;
  }
  topic.name = decodeUtf8(bytes, topicOffset, topicOffset + topicByteLength);
  // Bytes of its own: the packet's are gone when the alias is used.
  const own = bytes.slice(topicOffset, topicOffset + topicByteLength);
  aliases[alias] = { topicName: topic.name, bytes: own };
  return true;
}

/** What a reason code of a refused message says in words. */
function textOf(reasonCode: number): string {
  switch (reasonCode) {
    case NOT_AUTHORIZED:
      return 'this client may not publish to this topic';
    case TOPIC_NAME_INVALID:
      return 'the topic has too many levels';
    case QUOTA_EXCEEDED:
      return 'there is no room for this message';
    case PAYLOAD_FORMAT_INVALID:
      return 'the payload is not UTF-8';
    default:
      return '';
  }
}

/** Handles PUBREL of a connected client. */
export function handlePubrel(connection: ServerConnection, session: Session, packet: Packet): void {
  const { packetId } = packet;
  connection.unreleasedIds.delete(packetId);
  if (session.receivedIds.delete(packetId)) {
    connection.rooms.context.keeper.removeReceived(session, packetId);
    connection.writeAck(PUBCOMP, packetId, SUCCESS, ''); // [MQTT-4.3.3-11]
  } else {
    const text = connection.isV5 ? 'this packet identifier is not in use' : '';
    connection.writeAck(PUBCOMP, packetId, PACKET_IDENTIFIER_NOT_FOUND, text);
  }
}
