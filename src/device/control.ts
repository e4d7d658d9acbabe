/**
 * What a device says and hears besides telemetry: birth and goodbye on its status topic, commands and their replies,
 * configuration and what is in force. Seldom enough to make garbage. Knows neither timers nor samples.
 */
import { codedError } from '../assert.ts';
import { byteLengthAt } from '../packets/packet.ts';
import { PropertyWriter } from '../packets/properties.ts';
import { P_CORRELATION_DATA, P_RESPONSE_TOPIC } from '../packets/property-table.ts';
import type { SessionEvent } from '../session/event.ts';
import { FilterList } from '../session/filter-list.ts';
import type { Session } from '../session/session.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import { NO_SPACE, OK, PACKET_TOO_LARGE, STORE_FAILED, statusName } from '../status.ts';
import { NO_BYTES, isEqualRange } from '../wire/bytes.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { codeOf, failure, messageOf, obey, parseJson, toJson } from './commands.ts';
import { applyConfiguration, checkConfiguration, describeConfiguration } from './configuration.ts';
import type { DeviceDefinition } from './definition.ts';
import type { DeviceOwner } from './owner.ts';
import type { Schedule } from './schedule.ts';
import type { Setup } from './setup.ts';
import type { Telemetry } from './telemetry.ts';

/** Whether an event's Topic Name begins with `name`. */
function hasName(event: SessionEvent, name: Uint8Array): boolean {
  if (event.topicByteLength < name.length) return false;
  return isEqualRange(event.topicBytes, event.topicOffset, name, 0, name.length);
}

export class Control<Io> {
  definition: DeviceDefinition<Io>;
  /** What commands and status work with. */
  io: Io;
  owner: DeviceOwner;
  session: Session;
  schedule: Schedule;
  telemetry: Telemetry;
  root: string;
  isV5: boolean;
  statusQos: number;
  commandQos: number;
  isRetaining: boolean;
  statusTopic: TopicHandle;
  appliedTopic: TopicHandle;
  configTopic: Uint8Array;
  /** `{root}/command/` */
  commandPrefix: Uint8Array;
  /** Whether there is anything to subscribe to, and whether that was done. */
  hasFilters: boolean;
  hasSubscribed: boolean;
  /** Whether a birth was told in this life. */
  isBorn: boolean;
  isBirthDue: boolean;
  isAppliedDue: boolean;
  /** Of the configuration that came last. */
  configurationId: unknown;
  configurationError: { code: string; message: string } | undefined;

  constructor(
    definition: DeviceDefinition<Io>,
    io: Io,
    owner: DeviceOwner,
    session: Session,
    setup: Setup,
    schedule: Schedule,
    telemetry: Telemetry,
  ) {
    this.definition = definition;
    this.io = io;
    this.owner = owner;
    this.session = session;
    this.schedule = schedule;
    this.telemetry = telemetry;
    this.root = setup.root;
    this.isV5 = setup.isV5;
    this.statusQos = setup.statusQos;
    this.commandQos = setup.commandQos;
    this.isRetaining = setup.isRetaining;
    this.statusTopic = session.createTopic(this.root + '/status');
    this.appliedTopic = session.createTopic(this.root + '/config/applied');
    this.configTopic = encodeText(this.root + '/config');
    this.commandPrefix = encodeText(this.root + '/command/');
    this.hasFilters = false;
    this.hasSubscribed = false;
    this.isBorn = false;
    this.isBirthDue = false;
    this.isAppliedDue = false;
    this.configurationId = undefined;
    this.configurationError = undefined;
  }

  /** Subscribes, once in a life: the session does it again where a server has lost it. */
  subscribe(): void {
    if (this.hasSubscribed) return;
    this.hasSubscribed = true;
    const list = new FilterList(new Uint8Array(2 * this.commandPrefix.length + 16));
    if (this.definition.commands !== undefined) list.add(this.root + '/command/+', this.commandQos);
    if (this.schedule.count > 0) list.add(this.root + '/config', this.commandQos);
    this.hasFilters = list.count > 0;
    if (this.hasFilters) this.session.subscribe(list, 0, null);
  }

  /** A connection began; returns whether the server has the subscriptions, and no SUBACK will come. */
  handleConnected(sessionPresent: number): boolean {
    const isBorn = this.isBorn;
    this.isBirthDue = true;
    // Retained on the server it holds for later connections, for nothing else changes it.
    if (!isBorn) this.isAppliedDue = this.schedule.count > 0;
    return !this.hasFilters || (sessionPresent === 1 && isBorn);
  }

  /** SUBACK came. */
  handleSubscribed(event: SessionEvent): void {
    let isRefused = event.status < OK;
    if (!isRefused) {
      const packet = event.packet;
      for (let i = 0; i < packet.listCount; i++) {
        if (event.bytes[packet.listOffset + i] >= 0x80) isRefused = true;
      }
    }
    if (isRefused) this.tellError('ERR_SUBSCRIBE', 'the server refused commands or configuration');
  }

  tellError(code: string, message: string): void {
    if (this.owner.handleError) this.owner.handleError(code, message);
  }

  /** Sends what is due; returns whether anything was sent. */
  send(nowMs: number): boolean {
    let isSent = false;
    if (this.isBirthDue && this.publishBirth(nowMs)) isSent = true;
    if (this.isAppliedDue && this.publishApplied(nowMs)) isSent = true;
    return isSent;
  }

  /** The lesser of `qos` and what the server supports. */
  qosFor(qos: number): number {
    const maximum = this.session.state.serverMaximumQos;
    return qos < maximum ? qos : maximum;
  }

  /** Publishes to a retained topic; returns what Session.publish does. */
  publishBytes(topic: TopicHandle, bytes: Uint8Array, qos: number, nowMs: number): number {
    const retain = this.isRetaining && this.session.state.isRetainAvailable ? 1 : 0;
    return this.session.publish(topic, bytes, bytes.length, this.qosFor(qos), retain, null, nowMs);
  }

  /** Publishes text to a retained topic; false when there is no room now. */
  publishText(topic: TopicHandle, text: string, nowMs: number): boolean {
    const status = this.publishBytes(topic, encodeText(text), this.statusQos, nowMs);
    if (status === NO_SPACE || status === STORE_FAILED) return false;
    if (status < OK) this.tellError('ERR_SEND', 'status or configuration: ' + statusName(status));
    return true;
  }

  publishBirth(nowMs: number): boolean {
    let info: unknown = undefined;
    try {
      if (this.definition.status !== undefined) info = this.definition.status(this.io);
    } catch (error) {
      this.tellError('ERR_STATUS', messageOf(error));
    }
    const birth = { state: 'online', reason: this.isBorn ? 'return' : 'start', info };
    let text: string;
    try {
      text = toJson(birth);
    } catch (error) {
      this.tellError('ERR_STATUS', messageOf(error));
      birth.info = undefined;
      text = JSON.stringify(birth);
    }
    if (!this.publishText(this.statusTopic, text, nowMs)) return false;
    this.isBorn = true;
    this.isBirthDue = false;
    return true;
  }

  publishApplied(nowMs: number): boolean {
    const text = describeConfiguration(
      this.definition,
      this.schedule,
      this.telemetry,
      this.configurationId,
      this.configurationError,
    );
    if (!this.publishText(this.appliedTopic, text, nowMs)) return false;
    this.isAppliedDue = false;
    return true;
  }

  /** The last words before DISCONNECT: `status`, or, to leave nothing behind, null. */
  publishGoodbye(status: string | null, nowMs: number): void {
    // QoS 0: the server handles it before the DISCONNECT, and what does not reach it the will says.
    if (status === null) {
      this.publishBytes(this.appliedTopic, NO_BYTES, 0, nowMs);
      this.publishBytes(this.statusTopic, NO_BYTES, 0, nowMs);
    } else this.publishBytes(this.statusTopic, encodeText(status), 0, nowMs);
  }

  /** A message came: a configuration, a command, or (then it has no topic) the rest of one that is too large. */
  handleMessage(event: SessionEvent, nowMs: number): void {
    if (hasName(event, this.commandPrefix)) this.obey(event, nowMs);
    else if (hasName(event, this.configTopic) && event.topicByteLength === this.configTopic.length) {
      this.configure(event, nowMs);
    }
  }

  /** Configuration came: it holds, or what is wrong with it is told, together with what is in force. */
  configure(event: SessionEvent, nowMs: number): void {
    this.configurationError = undefined;
    try {
      if (!event.isLast) throw codedError('ERR_TOO_LARGE', 'the configuration is too large');
      const at = event.payloadOffset;
      const end = at + event.payloadByteLength;
      // An empty retained message is how one takes a retained message back.
      const value = at === end ? {} : parseJson(event.bytes, at, end);
      const configuration = checkConfiguration(value, this.definition);
      this.configurationId = configuration['id'];
      applyConfiguration(configuration, this.definition, this.schedule, this.telemetry, nowMs);
    } catch (error) {
      this.configurationError = { code: codeOf(error, 'ERR_CONFIGURATION'), message: messageOf(error) };
    }
    this.isAppliedDue = true;
    if (this.owner.handleConfiguration) this.owner.handleConfiguration(this.configurationError === undefined);
  }

  /** A command came: it is obeyed and answered. */
  obey(event: SessionEvent, nowMs: number): void {
    // Retained, it would be obeyed again at every start.
    if (event.retain === 1) return;
    const nameOffset = event.topicOffset + this.commandPrefix.length;
    const name = decodeText(event.topicBytes, nameOffset, event.topicOffset + event.topicByteLength);
    const at = event.payloadOffset;
    let reply = event.isLast
      ? obey(this.definition.commands ?? {}, name, event.bytes, at, at + event.payloadByteLength, this.io)
      : failure(codedError('ERR_TOO_LARGE', 'the arguments are too large'), '', undefined);
    let status = this.respond(event, name, reply.text, nowMs);
    if (status === PACKET_TOO_LARGE && reply.isOk) {
      reply = failure(codedError('ERR_TOO_LARGE', 'the answer is too large'), '', undefined);
      status = this.respond(event, name, reply.text, nowMs);
    }
    if (status < OK) this.tellError('ERR_SEND', 'the reply to ' + name + ': ' + statusName(status));
    if (this.owner.handleCommand) this.owner.handleCommand(name, reply.isOk);
  }

  /** Sends a reply to where the command wants it; returns what Session.publishTo does. */
  respond(event: SessionEvent, name: string, text: string, nowMs: number): number {
    const bytes = event.bytes;
    const packet = event.packet;
    let topic: Uint8Array | null = null;
    let properties: PropertyWriter | null = null;
    if (this.isV5 && packet.has(P_RESPONSE_TOPIC)) {
      const at = packet.values[P_RESPONSE_TOPIC];
      topic = bytes.subarray(at, at + byteLengthAt(bytes, at));
    }
    if (this.isV5 && packet.has(P_CORRELATION_DATA)) {
      const at = packet.values[P_CORRELATION_DATA];
      const data = bytes.subarray(at, at + byteLengthAt(bytes, at));
      properties = new PropertyWriter(new Uint8Array(3 + data.length));
      properties.addBytes(P_CORRELATION_DATA, data);
    }
    if (topic === null) topic = encodeText(this.root + '/reply/' + name);
    const payload = encodeText(text);
    const qos = this.qosFor(event.qos);
    return this.session.publishTo(topic, payload, payload.length, qos, 0, properties, nowMs);
  }
}
