/**
 * What a device is set up with: the host's options over the firmware's definition, checked, and the sizes of all
 * buffers. Needed while a runtime is made, and not after.
 */
import { check, checkInteger } from '../assert.ts';
import { RESERVED_TRANSMIT_BYTES, TWO_BYTE_INTEGER_MAX } from '../limits.ts';
import type { LineOptions } from '../line.ts';
import type { Packet } from '../packets/packet.ts';
import { V3_1_1, V5 } from '../packets/types.ts';
import type { SessionEvent } from '../session/event.ts';
import { encodeTopicName, textBytes } from '../session/options.ts';
import type { ReconnectOptions } from '../session/options.ts';
import type { PersistentStore } from '../session/store.ts';
import { utf8ByteLength } from '../wire/utf8.ts';
import { configurationByteLength } from './configuration.ts';
import {
  SESSION_EXPIRY_SECONDS_DEFAULT,
  WILL_DELAY_SECONDS_DEFAULT,
  checkDefinition,
  checkId,
} from './definition.ts';
import type { DeviceDefinition } from './definition.ts';

/** Longest telemetry message, bytes; paid twice, for it is written before it is put into the session's buffers. */
export const PAYLOAD_BYTES_DEFAULT = 512;
/** Largest packet but a large payload that the device can receive: commands, configuration. */
export const RECEIVE_BYTES_DEFAULT = 512;
/** Telemetry messages that are not acknowledged; more samples wait where they need 13 bytes each. */
export const INFLIGHT_DEFAULT = 4;
/** Of an outbox record, apart from topic, properties and payload. */
const RECORD_BYTES = 24;
/** Of a packet in the transmit ring: fixed header, identifier, alias, expiry, property length. */
const PACKET_BYTES = 5 + 2 + 2 + 3 + 5 + 4;
/** Room for what comes besides telemetry and configuration: birth, a reply with its topic. */
const OTHER_BYTES = 384;
const WILL = '{"state":"offline","reason":"lost"}';

/** What the host says about a device; everything may be left out. */
export interface DeviceOptions {
  /** Instead of the definition's. */
  id?: string | undefined;
  root?: string | undefined;
  qos?: number | undefined;
  keepAliveSeconds?: number | undefined;
  sessionExpirySeconds?: number | undefined;
  /** V5 (default) or V3_1_1. */
  protocolVersion?: number | undefined;
  userName?: string | undefined;
  password?: Uint8Array | string | undefined;
  /** Default false: go on with the session that the server holds; true at QoS 2 without a store, which forgets. */
  cleanStart?: boolean | undefined;
  /** Default: for ever, from 1 s on; false when the host calls `connect` itself. */
  reconnect?: ReconnectOptions | false | undefined;
  connectTimeoutMs?: number | undefined;
  /** Whether status and configuration are retained, default true; false for servers that cannot. */
  retain?: boolean | undefined;
  /** Of status and will, 0 to 2; default 1. */
  statusQos?: number | undefined;
  /** With which commands and configuration are subscribed, 0 to 2; default 1: a command may come twice. */
  commandQos?: number | undefined;
  /** Keeps messages in flight over power cuts and sleep; read in the constructor. */
  store?: PersistentStore | undefined;
  /** Gives milliseconds since 1970, or 0 while the clock is not set. Without it messages tell the uptime. */
  epochMs?: (() => number) | undefined;
  /** Decimals of a message's time, 0 to 3; default 0. */
  timeDigits?: number | undefined;
  /** Number of the first message; default 0. */
  sequence?: number | undefined;
  /** Milliseconds from `start` to the first reading; default 0. A fleet spreads its devices by it. */
  firstSampleInMs?: number | undefined;
  /** Longest telemetry message, bytes; default 512. */
  payloadBytes?: number | undefined;
  /** Receive window, bytes; default 512. */
  receiveBytes?: number | undefined;
  /** Transmit ring, bytes; default: room for CONNECT and for the longest telemetry in one piece. */
  transmitBytes?: number | undefined;
  /** Outbox, bytes; default: room for `inflightMax` messages, status, configuration and a reply. */
  outboxBytes?: number | undefined;
  /** Telemetry messages that may be unacknowledged, 1 to 65,535; default 4. */
  inflightMax?: number | undefined;
  /** Records to share between devices whose polls never nest; see SessionOptions. */
  packet?: Packet | undefined;
  event?: SessionEvent | undefined;
}

/** The first of three that is there. */
function choose(option: number | undefined, defined: number | undefined, otherwise: number): number {
  return option ?? defined ?? otherwise;
}

function checkBytes(value: number, min: number, name: string): void {
  checkInteger(value, min, 0x7fffffff, name);
}

/** Bytes of CONNECT at most. */
function connectByteLength(id: string, root: Uint8Array, options: DeviceOptions): number {
  let byteLength = 96 + utf8ByteLength(id) + root.length + WILL.length;
  if (options.userName !== undefined) byteLength += textBytes(options.userName, 'userName').length;
  const password = options.password;
  if (typeof password === 'string') byteLength += textBytes(password, 'password').length;
  else if (password !== undefined) byteLength += password.length;
  return byteLength;
}

export class Setup {
  id: string;
  /** With the id put in. */
  root: string;
  isV5: boolean;
  qos: number;
  statusQos: number;
  commandQos: number;
  isRetaining: boolean;
  messageExpirySeconds: number;
  timeDigits: number;
  sequence: number;
  firstSampleInMs: number;
  inflightMax: number;
  payloadBytes: number;
  line: LineOptions;

  /** Throws a coded error that names the first field or option that is wrong. */
  constructor(definition: DeviceDefinition<never>, options: DeviceOptions) {
    checkDefinition(definition);
    this.id = options.id ?? definition.id;
    checkId(this.id, 'options.id');
    const root = options.root ?? definition.root ?? 'devices/{id}';
    this.root = root.split('{id}').join(this.id);
    const rootBytes = encodeTopicName(this.root, 'root');
    const protocolVersion = options.protocolVersion ?? V5;
    check(
      protocolVersion === V5 || protocolVersion === V3_1_1,
      'ERR_INVALID_ARGUMENT',
      'options.protocolVersion must be 5 or 4',
    );
    this.isV5 = protocolVersion === V5;
    this.qos = choose(options.qos, definition.qos, 1);
    checkInteger(this.qos, 0, 2, 'options.qos');
    this.statusQos = choose(options.statusQos, undefined, 1);
    checkInteger(this.statusQos, 0, 2, 'options.statusQos');
    this.commandQos = choose(options.commandQos, undefined, 1);
    checkInteger(this.commandQos, 0, 2, 'options.commandQos');
    this.isRetaining = options.retain !== false;
    this.messageExpirySeconds = this.isV5 ? choose(undefined, definition.messageExpirySeconds, 0) : 0;
    this.timeDigits = choose(options.timeDigits, undefined, 0);
    checkInteger(this.timeDigits, 0, 3, 'options.timeDigits');
    this.sequence = choose(options.sequence, undefined, 0);
    check(this.sequence >= 0, 'ERR_OUT_OF_RANGE', 'options.sequence must not be below 0');
    this.firstSampleInMs = choose(options.firstSampleInMs, undefined, 0);
    check(this.firstSampleInMs >= 0, 'ERR_OUT_OF_RANGE', 'options.firstSampleInMs must not be below 0');
    this.inflightMax = choose(options.inflightMax, undefined, INFLIGHT_DEFAULT);
    checkInteger(this.inflightMax, 1, TWO_BYTE_INTEGER_MAX, 'options.inflightMax');

    this.payloadBytes = choose(options.payloadBytes, undefined, PAYLOAD_BYTES_DEFAULT);
    checkBytes(this.payloadBytes, 64, 'options.payloadBytes');
    const topicBytes = rootBytes.length + '/config/applied'.length;
    const connectBytes = connectByteLength(this.id, rootBytes, options);
    const messageBytes = this.payloadBytes + topicBytes + PACKET_BYTES;
    const transmitBytes = choose(
      options.transmitBytes,
      undefined,
      (messageBytes > connectBytes ? messageBytes : connectBytes) + RESERVED_TRANSMIT_BYTES,
    );
    checkBytes(transmitBytes, 64, 'options.transmitBytes');
    const recordBytes = RECORD_BYTES + topicBytes + PACKET_BYTES;
    // At QoS 0 telemetry waits here only when the ring is full for a moment.
    const messages = this.qos === 0 ? 1 : this.inflightMax;
    const outboxBytes = choose(
      options.outboxBytes,
      undefined,
      messages * (recordBytes + this.payloadBytes) +
        recordBytes +
        configurationByteLength(definition) +
        OTHER_BYTES,
    );
    checkBytes(outboxBytes, 64, 'options.outboxBytes');
    if (this.payloadBytes > outboxBytes - recordBytes) this.payloadBytes = outboxBytes - recordBytes;
    if (this.payloadBytes < 0) this.payloadBytes = 0;
    const receiveBytes = choose(options.receiveBytes, undefined, RECEIVE_BYTES_DEFAULT);
    checkBytes(receiveBytes, 64, 'options.receiveBytes');

    const expirySeconds = choose(
      options.sessionExpirySeconds,
      definition.sessionExpirySeconds,
      SESSION_EXPIRY_SECONDS_DEFAULT,
    );
    const willDelaySeconds = choose(undefined, definition.willDelaySeconds, WILL_DELAY_SECONDS_DEFAULT);
    const isForgetful = expirySeconds === 0 || (this.qos === 2 && options.store === undefined);
    this.line = {
      buffers: {
        receive: new Uint8Array(receiveBytes),
        transmit: new Uint8Array(transmitBytes),
        outbox: new Uint8Array(outboxBytes),
        // Two Topic Filters: commands and configuration.
        subscriptions: new Uint8Array(2 * (RECORD_BYTES + rootBytes.length + '/command/+'.length)),
      },
      protocolVersion,
      clientId: this.id,
      cleanStart: options.cleanStart ?? isForgetful,
      keepAliveSeconds: choose(options.keepAliveSeconds, definition.keepAliveSeconds, 60),
      userName: options.userName,
      password: options.password,
      sessionExpirySeconds: this.isV5 ? expirySeconds : undefined,
      will: {
        topicName: this.root + '/status',
        payload: WILL,
        qos: this.statusQos,
        retain: this.isRetaining,
        willDelaySeconds: this.isV5 ? willDelaySeconds : undefined,
      },
      inflightMax: this.inflightMax,
      // Samples wait as samples.
      queueQos0: false,
      reconnect: options.reconnect,
      connectTimeoutMs: options.connectTimeoutMs,
      store: options.store,
      packet: options.packet,
      event: options.event,
    };
  }
}
