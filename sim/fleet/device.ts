/**
 * One simulated device: a session of its own with a will and a birth message, telemetry, and commands it answers.
 * What devices share (settings, buffers, books) is its {@link DeviceWorld}; when it connects and when it publishes is
 * the fleet's decision, so a device has no timer.
 */
import { Driver, type DriverSessionOptions } from '../../src/client/driver.ts';
import type { Platform } from '../../src/client/platform.ts';
import { V5 } from '../../src/packets/types.ts';
import {
  CAUSE_CLIENT,
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_PUBLISHED,
  EVENT_SUBSCRIBED,
  type SessionEvent,
} from '../../src/session/event.ts';
import { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import type { Member } from './admissions.ts';
import type { Ending } from './failure.ts';
import type { HostReadings } from './host-readings.ts';
import type { Ledger } from './ledger.ts';
import { DeviceReadings, emptyReadings } from './readings.ts';
import type { FleetSettings } from './settings.ts';
import { MessageWriter, readDigits, startsWith, wallClockMs } from './telemetry.ts';
import type { TopicNames } from './topics.ts';

/** A device that is behind by this many messages takes no more readings until some are acknowledged. */
const OUTSTANDING_MAX = 100;
/** What a device keeps while it has no connection. */
const OUTBOX_BYTES_MAX = 65536;
/** How long a 5.0 server keeps the session of a device that is gone. */
const SESSION_EXPIRY_SECONDS = 300;
/** One device in this many reports the host's readings beside its own. */
const HOST_REPORTER_EVERY = 10;
/** Readings are those of a midsummer's day, whenever the run is: a seed gives the same ones for ever. */
const READINGS_EPOCH_MS = Date.UTC(2025, 5, 21, 9);

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
export const ONLINE = ascii('online');
export const OFFLINE = ascii('offline');
export const COMMAND_HEAD = ascii('{"command":');
export const REPLY_HEAD = ascii('{"reply":');
const NOTHING = new Uint8Array(0);

/** What the devices of a run share, and whom they tell. */
export interface DeviceWorld {
  readonly settings: FleetSettings;
  readonly platform: Platform;
  /** V5 or V3_1_1, now that it is known. */
  readonly protocolVersion: number;
  readonly isRetainAvailable: boolean;
  readonly clientIdPrefix: string;
  readonly ledger: Ledger;
  readonly host: HostReadings;
  /** Connected, and subscribed to its commands: the way in is free for another. */
  handleDeviceReady(device: Device): void;
  handleDeviceConnected(device: Device): void;
  /** The connection ended or did not come about, other than by `goodbye`. */
  handleDeviceLost(device: Device, ending: Ending): void;
  handleCommand(device: Device): void;
  /** The server did not take a message, or a subscription: a reason code, or a negative status. */
  handleMessageRefused(device: Device, code: number): void;
  handleSubscriptionRefused(device: Device, code: number): void;
}

const writer = new MessageWriter();
/** Of its own: a command may come while a telemetry message waits in the other one for room to be made. */
const replyWriter = new MessageWriter();
const readings = emptyReadings();
const filters = new FilterList(new Uint8Array(4096));

/** `mote-1x7-` and the index in five digits. */
export function clientIdOf(prefix: string, index: number): string {
  return prefix + String(index).padStart(5, '0');
}

export class Device implements Member {
  readonly index: number;
  readonly clientId: string;
  readonly driver: Driver;
  isConnected = false;
  attempts = 0;
  admissions = 0;
  isAway = false;
  /** Bytes of Topic Names that aliases kept off the wire, those of the aliases taken off. */
  savedByteLength = 0;
  private sequence = 0;
  private hasSubscribed = false;
  private readonly world: DeviceWorld;
  private readonly clientIdBytes: Uint8Array;
  private readonly readings: DeviceReadings;
  private readonly telemetry: TopicHandle;
  private readonly status: TopicHandle;
  private readonly reply: TopicHandle;
  private lastCommand = 0;
  /** Tickets of what was no telemetry, ascending. All tickets between are telemetry, in sequence. */
  private readonly otherTickets: number[] = [];

  constructor(world: DeviceWorld, index: number) {
    const { settings, protocolVersion } = world;
    const { pattern, userName } = settings;
    this.world = world;
    this.index = index;
    this.clientId = clientIdOf(world.clientIdPrefix, index);
    this.clientIdBytes = ascii(this.clientId);
    this.readings = new DeviceReadings(settings.seed, index);
    const names: TopicNames = { clientId: this.clientId, index, userName };
    const options: DriverSessionOptions = {
      protocolVersion,
      clientId: this.clientId,
      keepAliveSeconds: settings.keepAliveSeconds,
      userName,
      password: settings.password,
      // QoS 2 is exactly once only within one session, and 3.1.1 knows no session that ends by itself.
      cleanStart: protocolVersion === V5 || settings.qos < 2,
      queueQos0: false,
      reconnect: false, // the fleet says when: ten thousand devices must not come back at once
      will: {
        topicName: pattern.control('status', names),
        payload: OFFLINE,
        qos: Math.min(settings.qos, 1),
        retain: world.isRetainAvailable,
      },
    };
    if (protocolVersion === V5) options.sessionExpirySeconds = SESSION_EXPIRY_SECONDS;
    const limits = { transmitBytes: 512, outboxBytesMax: OUTBOX_BYTES_MAX };
    this.driver = new Driver(world.platform, options, limits, this);
    this.telemetry = this.driver.session.createTopic(pattern.telemetry(names));
    this.status = this.driver.session.createTopic(pattern.control('status', names));
    this.reply = this.driver.session.createTopic(pattern.control('reply', names));
  }

  /** Begins to connect; {@link DeviceWorld} hears how it went. */
  connect(): void {
    this.driver.connect();
  }

  /** Messages the server has not taken over yet. */
  get outstanding(): number {
    return this.driver.session.state.outbox.count;
  }

  get isBusy(): boolean {
    return this.driver.session.isBusy();
  }

  /** Takes a reading and publishes it; false when it cannot be sent nor kept, and then there is no such message. */
  publish(elapsedMs: number): boolean {
    if (this.isConnected && this.outstanding >= OUTSTANDING_MAX) return false;
    const { settings, host, ledger } = this.world;
    this.readings.read(READINGS_EPOCH_MS + elapsedMs, readings);
    const sentMs = wallClockMs();
    const isHostReporter = this.index % HOST_REPORTER_EVERY === 0;
    const sample = isHostReporter ? host.read(sentMs) : undefined;
    writer.writeTelemetry(this.clientIdBytes, this.sequence, sentMs, readings, sample);
    if (this.send(this.telemetry, writer.bytes, writer.byteLength, settings.qos, 0) < 0) return false;
    ledger.recordSent(this.index, this.sequence, sentMs);
    this.sequence += 1;
    return true;
  }

  /** Leaves without a trace on the server: no retained status, no session, no will. */
  goodbye(): void {
    const { isRetainAvailable, protocolVersion } = this.world;
    if (this.isConnected) {
      if (isRetainAvailable) this.send(this.status, NOTHING, 0, 0, 1);
      this.driver.disconnect(0, protocolVersion === V5 ? 0 : -1);
    }
    this.driver.close();
    this.isConnected = false;
  }

  handleEvent(event: SessionEvent): void {
    switch (event.kind) {
      case EVENT_CONNECTED:
        this.handleConnected(event.sessionPresent === 1);
        break;
      case EVENT_SUBSCRIBED:
        this.handleSubscribed(event.status < 0 ? event.status : event.bytes[event.packet.listOffset]);
        break;
      case EVENT_PUBLISHED:
        this.handlePublished(event.ticket, event.status < 0 ? event.status : event.reasonCode);
        break;
      case EVENT_MESSAGE:
        this.handleMessage(event);
        break;
      case EVENT_DISCONNECTED:
        this.handleDisconnected(event);
        break;
    }
  }

  private handleConnected(isSessionPresent: boolean): void {
    const { settings, isRetainAvailable } = this.world;
    const isFirst = !this.hasSubscribed;
    this.isConnected = true;
    if (isFirst) {
      this.hasSubscribed = true;
      filters.clear();
      const names = { clientId: this.clientId, index: this.index, userName: settings.userName };
      filters.add(settings.pattern.control('command', names), subscriptionOptions(1, false, false, 0));
      this.otherTickets.push(this.driver.subscribe(filters, 0, null));
    }
    const birth = this.send(
      this.status,
      ONLINE,
      ONLINE.length,
      Math.min(settings.qos, 1),
      isRetainAvailable ? 1 : 0,
    );
    if (birth > 0) this.otherTickets.push(birth);
    this.world.handleDeviceConnected(this);
    // With the session the server has the subscription, too, and no SUBACK will come.
    if (isSessionPresent && !isFirst) this.world.handleDeviceReady(this);
  }

  private handleSubscribed(code: number): void {
    if (code < 0 || code >= 0x80) this.world.handleSubscriptionRefused(this, code);
    this.world.handleDeviceReady(this);
  }

  private handlePublished(ticket: number, code: number): void {
    const { settings, ledger } = this.world;
    const sequence = this.sequenceOf(ticket);
    const isRefused = code < 0 || code >= 0x80;
    if (isRefused) this.world.handleMessageRefused(this, code);
    else if (sequence >= 0 && settings.qos > 0) ledger.recordAcknowledged(this.index, sequence);
  }

  /** The number of the message with `ticket`; -1 when it was no telemetry. */
  private sequenceOf(ticket: number): number {
    // From the end: what is acknowledged was sent lately, so few of the other tickets are above it.
    let lower = this.otherTickets.length;
    while (lower > 0 && this.otherTickets[lower - 1] > ticket) lower -= 1;
    if (lower > 0 && this.otherTickets[lower - 1] === ticket) return -1;
    return ticket - 1 - lower;
  }

  /** A command: answered once it is whole, and ours. */
  private handleMessage(event: SessionEvent): void {
    const { bytes, payloadOffset } = event;
    const end = payloadOffset + event.payloadByteLength;
    if (event.fragmentOffset > 0 || !startsWith(bytes, payloadOffset, end, COMMAND_HEAD)) return;
    const command = readDigits(bytes, payloadOffset + COMMAND_HEAD.length, end);
    if (Number.isNaN(command)) return;
    // At QoS 1 a command may come twice: it counts once, and gets its answer each time.
    if (command > this.lastCommand) {
      this.lastCommand = command;
      this.world.handleCommand(this);
    }
    replyWriter.writeNumbered(REPLY_HEAD, command);
    const ticket = this.send(this.reply, replyWriter.bytes, replyWriter.byteLength, 1, 0);
    if (ticket > 0) this.otherTickets.push(ticket);
  }

  private handleDisconnected(event: SessionEvent): void {
    if (event.cause === CAUSE_CLIENT) return;
    const wasConnected = this.isConnected;
    this.isConnected = false;
    this.world.handleDeviceLost(this, {
      cause: event.cause,
      reasonCode: event.reasonCode,
      violation: event.violation,
      error: this.driver.transportError,
      protocolVersion: this.world.protocolVersion,
      wasConnected,
    });
  }

  private send(
    topic: TopicHandle,
    payload: Uint8Array,
    byteLength: number,
    qos: number,
    retain: number,
  ): number {
    const wasKnown = topic.alias !== 0;
    const ticket = this.driver.publish(topic, topic.bytes, payload, byteLength, qos, retain, null);
    if (ticket >= 0 && topic.alias !== 0) this.savedByteLength += (wasKnown ? topic.bytes.length : 0) - 3;
    return ticket;
  }
}
