/**
 * The shape of packets as plain objects, for tools, tests and people: what inspect.ts makes of bytes and
 * inspect-encode.ts turns into bytes. Only types, names and the error; nothing a device needs.
 */

/**
 * Properties (2.2.2.2). Numbers are numbers, flags too (0 or 1); binary data is hex; what may be repeated is a list.
 * In what inspect makes, keys ascend by property identifier and what is not in the packet is no key.
 */
export interface PropertiesObject {
  payloadFormatIndicator?: number | undefined;
  /** Seconds. */
  messageExpiryInterval?: number | undefined;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  /** Hex. */
  correlationData?: string | undefined;
  subscriptionIdentifiers?: number[] | undefined;
  /** Seconds; 4,294,967,295 is "never". */
  sessionExpiryInterval?: number | undefined;
  assignedClientIdentifier?: string | undefined;
  /** Seconds. */
  serverKeepAlive?: number | undefined;
  authenticationMethod?: string | undefined;
  /** Hex. */
  authenticationData?: string | undefined;
  requestProblemInformation?: number | undefined;
  /** Seconds. */
  willDelayInterval?: number | undefined;
  requestResponseInformation?: number | undefined;
  responseInformation?: string | undefined;
  serverReference?: string | undefined;
  reasonString?: string | undefined;
  receiveMaximum?: number | undefined;
  topicAliasMaximum?: number | undefined;
  topicAlias?: number | undefined;
  maximumQos?: number | undefined;
  retainAvailable?: number | undefined;
  /** Keys and values, in the packet's order. */
  userProperties?: [string, string][] | undefined;
  /** Bytes. */
  maximumPacketSize?: number | undefined;
  wildcardSubscriptionAvailable?: number | undefined;
  subscriptionIdentifiersAvailable?: number | undefined;
  sharedSubscriptionAvailable?: number | undefined;
}

/** Keys of PropertiesObject by row of the property table (P_* numbers). */
export const PROPERTY_KEYS: readonly (keyof PropertiesObject)[] = [
  'payloadFormatIndicator',
  'messageExpiryInterval',
  'contentType',
  'responseTopic',
  'correlationData',
  'subscriptionIdentifiers',
  'sessionExpiryInterval',
  'assignedClientIdentifier',
  'serverKeepAlive',
  'authenticationMethod',
  'authenticationData',
  'requestProblemInformation',
  'willDelayInterval',
  'requestResponseInformation',
  'responseInformation',
  'serverReference',
  'reasonString',
  'receiveMaximum',
  'topicAliasMaximum',
  'topicAlias',
  'maximumQos',
  'retainAvailable',
  'userProperties',
  'maximumPacketSize',
  'wildcardSubscriptionAvailable',
  'subscriptionIdentifiersAvailable',
  'sharedSubscriptionAvailable',
];

export interface ConnectObject {
  type: 'CONNECT';
  protocolName?: 'MQTT' | undefined;
  /** 5, or 4 for 3.1.1. */
  protocolVersion?: 4 | 5 | undefined;
  cleanStart?: boolean | undefined;
  /** Seconds. */
  keepAlive?: number | undefined;
  properties?: PropertiesObject | undefined;
  clientId?: string | undefined;
  /** This and the other `will…` are there with a will only, which `willTopic` makes. */
  willQos?: number | undefined;
  willRetain?: boolean | undefined;
  willProperties?: PropertiesObject | undefined;
  willTopic?: string | undefined;
  /** Hex. */
  willPayload?: string | undefined;
  userName?: string | undefined;
  /** Hex. */
  password?: string | undefined;
}

export interface ConnackObject {
  type: 'CONNACK';
  sessionPresent?: boolean | undefined;
  /** Under 3.1.1 the return code. */
  reasonCode?: number | undefined;
  properties?: PropertiesObject | undefined;
}

export interface PublishObject {
  type: 'PUBLISH';
  dup?: boolean | undefined;
  qos?: number | undefined;
  retain?: boolean | undefined;
  topicName?: string | undefined;
  /** At QoS 1 and 2 only. */
  packetId?: number | undefined;
  properties?: PropertiesObject | undefined;
  /** Hex. */
  payload?: string | undefined;
}

export interface AckObject {
  type: 'PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP';
  packetId: number;
  /** Absent when the packet leaves it out, which means 0. */
  reasonCode?: number | undefined;
  properties?: PropertiesObject | undefined;
}

/** A Topic Filter with its Subscription Options; 3.1.1 has but the first two. */
export interface SubscriptionObject {
  topicFilter: string;
  qos?: number | undefined;
  noLocal?: boolean | undefined;
  retainAsPublished?: boolean | undefined;
  retainHandling?: number | undefined;
}

export interface SubscribeObject {
  type: 'SUBSCRIBE';
  packetId: number;
  properties?: PropertiesObject | undefined;
  subscriptions: SubscriptionObject[];
}

export interface SubackObject {
  type: 'SUBACK';
  packetId: number;
  properties?: PropertiesObject | undefined;
  reasonCodes: number[];
}

export interface UnsubscribeObject {
  type: 'UNSUBSCRIBE';
  packetId: number;
  properties?: PropertiesObject | undefined;
  topicFilters: string[];
}

export interface UnsubackObject {
  type: 'UNSUBACK';
  packetId: number;
  properties?: PropertiesObject | undefined;
  /** Not in 3.1.1. */
  reasonCodes?: number[] | undefined;
}

export interface PingObject {
  type: 'PINGREQ' | 'PINGRESP';
}

export interface ReasonObject {
  type: 'DISCONNECT' | 'AUTH';
  /** Absent when the packet leaves it out, which means 0. */
  reasonCode?: number | undefined;
  properties?: PropertiesObject | undefined;
}

/**
 * A packet as a plain object, told apart by `type`. Made from bytes, it has every key but those that say when they
 * are absent; to be encoded, it needs only what has no default (flags false, numbers 0, texts and payloads empty,
 * Clean Start true). A key whose value is undefined counts as absent.
 */
export type PacketObject =
  | ConnectObject
  | ConnackObject
  | PublishObject
  | AckObject
  | SubscribeObject
  | SubackObject
  | UnsubscribeObject
  | UnsubackObject
  | PingObject
  | ReasonObject;

/** Which protocol version objects are encoded for, bytes read as. */
export interface ProtocolOptions {
  /** V5 (5) or V3_1_1 (4). A CONNECT goes by its own. */
  readonly protocolVersion: number;
}

/** An object that makes no packet. */
export class InspectError extends Error {
  /** Stable, upper-case: WRONG_TYPE, OUT_OF_RANGE, UNKNOWN_FIELD …, or the name of the violation it would be. */
  readonly code: string;
  /** Path of the field: `properties.userProperties[0][1]`; empty for the object itself. */
  readonly field: string;
  /** What holds for the field, as a clause in English. */
  readonly rule: string;
  /** The standard's reason code for the violation it would be, if it would be one. */
  readonly reasonCode: number | undefined;
  /** Where in the packet's bytes the decoder would refuse it, if it came that far. */
  readonly offset: number | undefined;

  constructor(code: string, field: string, rule: string, reasonCode?: number, offset?: number) {
    super(field === '' ? rule : `${field}: ${rule}`);
    this.name = 'InspectError';
    this.code = code;
    this.field = field;
    this.rule = rule;
    this.reasonCode = reasonCode;
    this.offset = offset;
  }
}
