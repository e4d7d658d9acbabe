/**
 * What the codec is measured with: four kinds of packets, each as our encoders take them and as mqtt-packet does. Every
 * case comes in sixteen variations, so that no engine can work out the answer beforehand.
 */
import type { Packet as TheirPacket } from 'mqtt-packet';
import { ConnectFields, encodeConnect } from '../src/packets/connect.ts';
import { byteLengthAt } from '../src/packets/packet.ts';
import type { Packet } from '../src/packets/packet.ts';
import { PropertyWriter } from '../src/packets/properties.ts';
import {
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_REASON_STRING,
  P_RECEIVE_MAXIMUM,
  P_SESSION_EXPIRY_INTERVAL,
  P_TOPIC_ALIAS,
  P_TOPIC_ALIAS_MAXIMUM,
  P_WILL_DELAY_INTERVAL,
} from '../src/packets/property-table.ts';
import { encodePublish, publishFlags } from '../src/packets/publish.ts';
import { encodeList } from '../src/packets/subscribe.ts';
import { SUBACK, V5 } from '../src/packets/types.ts';
import type { Ring } from '../src/wire/ring.ts';

export const VARIATIONS = 16;

/** One kind of packet. */
export interface Case {
  readonly name: string;
  readonly title: string;
  /** Writes variation `index` at the ring's end, as a session does; returns the offset behind it. */
  readonly encode: (ring: Ring, index: number) => number;
  /** The same with the properties made anew, where that is something else. */
  readonly encodeAnew?: (ring: Ring, index: number) => number;
  /** Reads what a session or an application reads of it. */
  readonly read: (packet: Packet, bytes: Uint8Array) => number;
  /** The same packet for mqtt-packet. */
  readonly theirs: (index: number) => TheirPacket;
  /** Reads the same of what mqtt-packet made. */
  readonly readTheirs: (packet: TheirPacket) => number;
}

const NONE = new Uint8Array(0);
const PAYLOAD_BYTES = 64;
const payloads = Array.from({ length: VARIATIONS }, (_, index) =>
  Uint8Array.from({ length: PAYLOAD_BYTES }, (_byte, at) => (index * 7 + at) & 255),
);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const publish: Case = {
  name: 'publish',
  title: 'PUBLISH, QoS 0, empty topic with alias, 64 bytes',
  encode(ring, index) {
    const payload = payloads[index];
    const flags = publishFlags(0, 0, 0);
    const { bytes, end } = ring;
    // prettier-ignore
    return encodePublish(bytes, end, bytes.length, flags, V5, NONE, 0, 0, 5 + index, NONE, 0, payload, PAYLOAD_BYTES);
  },
  read: (packet) =>
    packet.topicByteLength + packet.payloadOffset + packet.payloadByteLength + packet.values[P_TOPIC_ALIAS],
  theirs: (index) => ({
    cmd: 'publish',
    topic: '',
    qos: 0,
    dup: false,
    retain: false,
    payload: Buffer.from(payloads[index]),
    properties: { topicAlias: 5 + index },
  }),
  readTheirs(packet) {
    if (packet.cmd !== 'publish') throw new Error(packet.cmd);
    return packet.topic.length + packet.payload.length + packet.properties!.topicAlias!;
  },
};

const TOPIC = utf8('fleet/0001/temperature');
const correlation = payloads.map((payload) => payload.subarray(0, 8));

/** Five properties. */
function addPublishProperties(writer: PropertyWriter, index: number): void {
  writer.addNumber(P_PAYLOAD_FORMAT_INDICATOR, 1);
  writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, 3600 + index);
  writer.addText(P_CONTENT_TYPE, 'application/json');
  writer.addBytes(P_CORRELATION_DATA, correlation[index]);
  writer.addPair('unit', 'celsius');
}

const publishWriters = payloads.map((_, index) => {
  const writer = new PropertyWriter(new Uint8Array(128));
  addPublishProperties(writer, index);
  return writer;
});
const publishWriter = new PropertyWriter(new Uint8Array(128));

function encodePublishWith(ring: Ring, index: number, writer: PropertyWriter): number {
  const { bytes, end } = ring;
  const flags = publishFlags(1, 0, 0);
  const id = 1000 + index;
  const count = writer.byteLength;
  const payload = payloads[index];
  // prettier-ignore
  return encodePublish(bytes, end, bytes.length, flags, V5, TOPIC, TOPIC.length, id, 0, writer.bytes, count, payload, PAYLOAD_BYTES);
}

const publishProperties: Case = {
  name: 'publishProperties',
  title: 'PUBLISH, QoS 1, topic, five properties, 64 bytes',
  encode: (ring, index) => encodePublishWith(ring, index, publishWriters[index]),
  encodeAnew(ring, index) {
    publishWriter.clear();
    addPublishProperties(publishWriter, index);
    return encodePublishWith(ring, index, publishWriter);
  },
  read: (packet, bytes) =>
    packet.topicByteLength +
    packet.packetId +
    packet.payloadByteLength +
    packet.values[P_MESSAGE_EXPIRY_INTERVAL] +
    byteLengthAt(bytes, packet.values[P_CONTENT_TYPE]) +
    byteLengthAt(bytes, packet.values[P_CORRELATION_DATA]),
  theirs: (index) => ({
    cmd: 'publish',
    topic: 'fleet/0001/temperature',
    qos: 1,
    dup: false,
    retain: false,
    messageId: 1000 + index,
    payload: Buffer.from(payloads[index]),
    properties: {
      payloadFormatIndicator: true,
      messageExpiryInterval: 3600 + index,
      contentType: 'application/json',
      correlationData: Buffer.from(correlation[index]),
      userProperties: { unit: 'celsius' },
    },
  }),
  readTheirs(packet) {
    if (packet.cmd !== 'publish') throw new Error(packet.cmd);
    const properties = packet.properties!;
    return (
      packet.topic.length +
      packet.messageId! +
      packet.payload.length +
      properties.messageExpiryInterval! +
      properties.contentType!.length +
      properties.correlationData!.length
    );
  },
};

const connects = payloads.map((payload, index) => {
  const fields = new ConnectFields();
  fields.keepAliveSeconds = 60 + index;
  fields.clientId = utf8(`mote-${String(index).padStart(4, '0')}`);
  const properties = new PropertyWriter(new Uint8Array(64));
  properties.addNumber(P_SESSION_EXPIRY_INTERVAL, 3600);
  properties.addNumber(P_RECEIVE_MAXIMUM, 16 + index);
  properties.addNumber(P_TOPIC_ALIAS_MAXIMUM, 10);
  properties.addPair('firmware', '1.2.3');
  fields.properties = properties.bytes;
  fields.propertiesByteLength = properties.byteLength;
  const willProperties = new PropertyWriter(new Uint8Array(64));
  willProperties.addNumber(P_WILL_DELAY_INTERVAL, 30);
  willProperties.addText(P_CONTENT_TYPE, 'text/plain');
  fields.willProperties = willProperties.bytes;
  fields.willPropertiesByteLength = willProperties.byteLength;
  fields.willTopic = utf8('fleet/0001/state');
  fields.willPayload = payload.subarray(0, 16);
  fields.willQos = 1;
  fields.willRetain = true;
  fields.userName = utf8('mote');
  fields.password = payload.subarray(0, 12);
  return fields;
});

const connect: Case = {
  name: 'connect',
  title: 'CONNECT with will, user, password and six properties',
  encode: (ring, index) => encodeConnect(ring.bytes, ring.end, ring.bytes.length, connects[index]),
  read: (packet) =>
    (packet.connect?.keepAliveSeconds ?? 0) +
    (packet.connect?.clientIdByteLength ?? 0) +
    packet.topicByteLength +
    packet.payloadByteLength +
    (packet.connect?.userNameByteLength ?? 0) +
    (packet.connect?.passwordByteLength ?? 0) +
    packet.values[P_RECEIVE_MAXIMUM],
  theirs: (index) => ({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 5,
    clean: true,
    clientId: `mote-${String(index).padStart(4, '0')}`,
    keepalive: 60 + index,
    username: 'mote',
    password: Buffer.from(payloads[index].subarray(0, 12)),
    properties: {
      sessionExpiryInterval: 3600,
      receiveMaximum: 16 + index,
      topicAliasMaximum: 10,
      userProperties: { firmware: '1.2.3' },
    },
    will: {
      topic: 'fleet/0001/state',
      payload: Buffer.from(payloads[index].subarray(0, 16)),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: 30, contentType: 'text/plain' },
    },
  }),
  readTheirs(packet) {
    if (packet.cmd !== 'connect') throw new Error(packet.cmd);
    return (
      packet.keepalive! +
      packet.clientId.length +
      packet.will!.topic.length +
      packet.will!.payload.length +
      packet.username!.length +
      packet.password!.length +
      packet.properties!.receiveMaximum!
    );
  },
};

const codes = payloads.map((_, index) => Uint8Array.of(0, 1, 2, 0x80, 0x87, index % 3, 1, 0));
const subackProperties = new PropertyWriter(new Uint8Array(64));
subackProperties.addText(P_REASON_STRING, 'two were refused');

const suback: Case = {
  name: 'suback',
  title: 'SUBACK with eight codes and a Reason String',
  encode(ring, index) {
    const { bytes, end } = ring;
    const { bytes: properties, byteLength } = subackProperties;
    // prettier-ignore
    return encodeList(bytes, end, bytes.length, SUBACK, V5, 1000 + index, properties, byteLength, codes[index], 8);
  },
  read: (packet, bytes) =>
    packet.packetId +
    packet.listCount +
    packet.listOffset +
    byteLengthAt(bytes, packet.values[P_REASON_STRING]),
  theirs: (index) => ({
    cmd: 'suback',
    messageId: 1000 + index,
    granted: Array.from(codes[index]),
    reasonCode: 0,
    properties: { reasonString: 'two were refused' },
  }),
  readTheirs(packet) {
    if (packet.cmd !== 'suback') throw new Error(packet.cmd);
    return packet.messageId! + packet.granted.length + packet.properties!.reasonString!.length;
  },
};

export const CASES: readonly Case[] = [publish, publishProperties, connect, suback];
