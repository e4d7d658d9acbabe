/**
 * What tests of subscriptions share: requests that no packet object can say, messages as text, a subscriber that
 * acknowledges, and what it looks like when a Topic Filter is refused.
 */
import { encodeObject } from '../../src/packets/inspect.ts';
import type { PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import { V5 } from '../../src/packets/types.ts';
import { hexOf } from './peer.ts';
import type { ConnectFields, Peer, PublishFields } from './peer.ts';

export type ProtocolVersion = 4 | 5;
export const VERSIONS = [5, 4] as const;

/** First bytes of the two requests, their fixed flags set. */
export const SUBSCRIBE_BYTE = 0x82;
export const UNSUBSCRIBE_BYTE = 0xa2;

/** Bytes with their length before them: a UTF-8 Encoded String, if they are UTF-8. */
export function stringField(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([bytes.length >> 8, bytes.length & 0xff, ...bytes]);
}

/**
 * SUBSCRIBE or UNSUBSCRIBE, by its first byte, with packet identifier 1, no properties, and the given payload, right or
 * wrong, of 100 bytes at most.
 */
export function rawRequest(
  firstByte: number,
  version: ProtocolVersion,
  ...payload: Uint8Array[]
): Uint8Array {
  const body = Buffer.concat([Uint8Array.from(version === V5 ? [0, 1, 0] : [0, 1]), ...payload]);
  return Uint8Array.from([firstByte, body.length, ...body]);
}

/** A message with text for a payload. */
export function messageOf(topicName: string, text: string, qos = 0): PublishFields {
  return { topicName, qos, payload: hexOf(text) };
}

/** The payload as text. */
export function textOf(message: PublishObject): string {
  return Buffer.from(message.payload ?? '', 'hex').toString('utf8');
}

/** The payloads of the messages among these packets. */
export function textsOf(packets: readonly PacketObject[]): string[] {
  return packets.filter((packet) => packet.type === 'PUBLISH').map(textOf);
}

/** CONNECT fields of a client whose session outlives its connections. */
export function lasting(protocolVersion: ProtocolVersion, clientId: string): ConnectFields {
  const properties = protocolVersion === V5 ? { properties: { sessionExpiryInterval: 600 } } : {};
  return { protocolVersion, clientId, cleanStart: false, ...properties };
}

/** The next `count` messages, each acknowledged to its end. Fails when something else comes. */
export async function receive(peer: Peer, count: number): Promise<PublishObject[]> {
  const messages: PublishObject[] = [];
  let unreleased = 0;
  while (messages.length < count || unreleased > 0) {
    const packet = await peer.next();
    if (packet.type === 'PUBREL') {
      peer.send({ type: 'PUBCOMP', packetId: packet.packetId });
      unreleased--;
    } else if (packet.type === 'PUBLISH') {
      messages.push(packet);
      acknowledge(peer, packet);
      if (packet.qos === 2) unreleased++;
    } else {
      throw new Error(`expected a message, and ${JSON.stringify(packet)} came`);
    }
  }
  return messages;
}

/** Sends the first acknowledgement of a message, if it has any. */
export function acknowledge(peer: Peer, message: PublishObject, reasonCode?: number): void {
  const { packetId, qos = 0 } = message;
  const code = reasonCode === undefined ? {} : { reasonCode };
  if (packetId === undefined) return;
  peer.send({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId, ...code });
}

/**
 * The broker refuses a Topic Filter that breaks the rules. The standard numbers no answer to that: a SUBACK or UNSUBACK
 * with a failure for the filter will do, and so does the end of the connection, which 5.0 explains with Malformed
 * Packet, Protocol Error or Topic Filter invalid.
 */
export async function expectFilterRefused(peer: Peer): Promise<void> {
  const answer = await peer.next().catch((error: unknown) => error);
  if (answer instanceof Error) {
    await peer.expectClosedSilently();
    return;
  }
  const packet = answer as PacketObject;
  if (packet.type === 'SUBACK' || packet.type === 'UNSUBACK') {
    if ((packet.reasonCodes ?? [0]).every((code) => code >= 0x80)) return;
  } else if (packet.type === 'DISCONNECT' && [0x81, 0x82, 0x8f].includes(packet.reasonCode ?? 0)) {
    await peer.expectClosedSilently();
    return;
  }
  throw new Error(`expected a refusal of the filter: ${JSON.stringify(packet)}`);
}

/** Bytes that the packet has on the wire. */
export function byteLengthOf(packet: PacketObject, protocolVersion: ProtocolVersion): number {
  return encodeObject(packet, { protocolVersion }).length;
}
