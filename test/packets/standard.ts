/**
 * The standard's tables, typed from its text and not from the codec's: properties (table 2-4) and reason codes
 * (table 2-6, and who sends them in tables 3-1, 3-4 to 3-8, 3-10 and 3-11).
 */

export type ValueType = 'byte' | 'two bytes' | 'four bytes' | 'varint' | 'string' | 'binary' | 'pair';

/** Names of the packets, in the order of their types; the will is a place of its own. */
export const PACKETS =
  'CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH'.split(
    ' ',
  );

const ACKS = 'PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK';

/** Table 2-4: identifier, key in packets as objects, type, where it may be. */
// prettier-ignore
export const PROPERTIES: readonly (readonly [id: number, key: string, type: ValueType, places: string])[] = [
  [0x01, 'payloadFormatIndicator', 'byte', 'PUBLISH WILL'],
  [0x02, 'messageExpiryInterval', 'four bytes', 'PUBLISH WILL'],
  [0x03, 'contentType', 'string', 'PUBLISH WILL'],
  [0x08, 'responseTopic', 'string', 'PUBLISH WILL'],
  [0x09, 'correlationData', 'binary', 'PUBLISH WILL'],
  [0x0b, 'subscriptionIdentifiers', 'varint', 'PUBLISH SUBSCRIBE'],
  [0x11, 'sessionExpiryInterval', 'four bytes', 'CONNECT CONNACK DISCONNECT'],
  [0x12, 'assignedClientIdentifier', 'string', 'CONNACK'],
  [0x13, 'serverKeepAlive', 'two bytes', 'CONNACK'],
  [0x15, 'authenticationMethod', 'string', 'CONNECT CONNACK AUTH'],
  [0x16, 'authenticationData', 'binary', 'CONNECT CONNACK AUTH'],
  [0x17, 'requestProblemInformation', 'byte', 'CONNECT'],
  [0x18, 'willDelayInterval', 'four bytes', 'WILL'],
  [0x19, 'requestResponseInformation', 'byte', 'CONNECT'],
  [0x1a, 'responseInformation', 'string', 'CONNACK'],
  [0x1c, 'serverReference', 'string', 'CONNACK DISCONNECT'],
  [0x1f, 'reasonString', 'string', `CONNACK ${ACKS} DISCONNECT AUTH`],
  [0x21, 'receiveMaximum', 'two bytes', 'CONNECT CONNACK'],
  [0x22, 'topicAliasMaximum', 'two bytes', 'CONNECT CONNACK'],
  [0x23, 'topicAlias', 'two bytes', 'PUBLISH'],
  [0x24, 'maximumQos', 'byte', 'CONNACK'],
  [0x25, 'retainAvailable', 'byte', 'CONNACK'],
  [0x26, 'userProperties', 'pair', `CONNECT CONNACK PUBLISH WILL SUBSCRIBE UNSUBSCRIBE ${ACKS} DISCONNECT AUTH`],
  [0x27, 'maximumPacketSize', 'four bytes', 'CONNECT CONNACK'],
  [0x28, 'wildcardSubscriptionAvailable', 'byte', 'CONNACK'],
  [0x29, 'subscriptionIdentifiersAvailable', 'byte', 'CONNACK'],
  [0x2a, 'sharedSubscriptionAvailable', 'byte', 'CONNACK'],
];

/** Properties whose value 0 the standard rules out. */
export const NEVER_ZERO = ['subscriptionIdentifiers', 'receiveMaximum', 'topicAlias', 'maximumPacketSize'];

/** Table 2-6: code, name, packets. */
// prettier-ignore
export const REASON_CODES: readonly (readonly [code: number, name: string, packets: string])[] = [
  [0x00, 'Success', 'CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH'],
  [0x01, 'Granted QoS 1', 'SUBACK'],
  [0x02, 'Granted QoS 2', 'SUBACK'],
  [0x04, 'Disconnect with Will Message', 'DISCONNECT'],
  [0x10, 'No matching subscribers', 'PUBACK PUBREC'],
  [0x11, 'No subscription existed', 'UNSUBACK'],
  [0x18, 'Continue authentication', 'AUTH'],
  [0x19, 'Re-authenticate', 'AUTH'],
  [0x80, 'Unspecified error', 'CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT'],
  [0x81, 'Malformed Packet', 'CONNACK DISCONNECT'],
  [0x82, 'Protocol Error', 'CONNACK DISCONNECT'],
  [0x83, 'Implementation specific error', 'CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT'],
  [0x84, 'Unsupported Protocol Version', 'CONNACK'],
  [0x85, 'Client Identifier not valid', 'CONNACK'],
  [0x86, 'Bad User Name or Password', 'CONNACK'],
  [0x87, 'Not authorized', 'CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT'],
  [0x88, 'Server unavailable', 'CONNACK'],
  [0x89, 'Server busy', 'CONNACK DISCONNECT'],
  [0x8a, 'Banned', 'CONNACK'],
  [0x8b, 'Server shutting down', 'DISCONNECT'],
  [0x8c, 'Bad authentication method', 'CONNACK'],
  [0x8d, 'Keep Alive timeout', 'DISCONNECT'],
  [0x8e, 'Session taken over', 'DISCONNECT'],
  [0x8f, 'Topic Filter invalid', 'SUBACK UNSUBACK DISCONNECT'],
  [0x90, 'Topic Name invalid', 'CONNACK PUBACK PUBREC DISCONNECT'],
  [0x91, 'Packet Identifier in use', 'PUBACK PUBREC SUBACK UNSUBACK'],
  [0x92, 'Packet Identifier not found', 'PUBREL PUBCOMP'],
  [0x93, 'Receive Maximum exceeded', 'DISCONNECT'],
  [0x94, 'Topic Alias invalid', 'DISCONNECT'],
  [0x95, 'Packet too large', 'CONNACK DISCONNECT'],
  [0x96, 'Message rate too high', 'DISCONNECT'],
  [0x97, 'Quota exceeded', 'CONNACK PUBACK PUBREC SUBACK DISCONNECT'],
  [0x98, 'Administrative action', 'DISCONNECT'],
  [0x99, 'Payload format invalid', 'CONNACK PUBACK PUBREC DISCONNECT'],
  [0x9a, 'Retain not supported', 'CONNACK DISCONNECT'],
  [0x9b, 'QoS not supported', 'CONNACK DISCONNECT'],
  [0x9c, 'Use another server', 'CONNACK DISCONNECT'],
  [0x9d, 'Server moved', 'CONNACK DISCONNECT'],
  [0x9e, 'Shared Subscriptions not supported', 'SUBACK DISCONNECT'],
  [0x9f, 'Connection rate exceeded', 'CONNACK DISCONNECT'],
  [0xa0, 'Maximum connect time', 'DISCONNECT'],
  [0xa1, 'Subscription Identifiers not supported', 'SUBACK DISCONNECT'],
  [0xa2, 'Wildcard Subscriptions not supported', 'SUBACK DISCONNECT'],
];

/** Codes that only one side may send, by packet. In packets that only servers send there is nothing to say. */
export const SERVER_ONLY: Record<string, readonly number[]> = {
  PUBACK: [0x10],
  PUBREC: [0x10],
  DISCONNECT: [0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  AUTH: [0x00],
};
export const CLIENT_ONLY: Record<string, readonly number[]> = { DISCONNECT: [0x04], AUTH: [0x19] };

/** The codes that may be in a packet, whoever sends it. */
export function codesOf(packet: string): number[] {
  return REASON_CODES.filter(([, , packets]) => packets.split(' ').includes(packet)).map(([code]) => code);
}
