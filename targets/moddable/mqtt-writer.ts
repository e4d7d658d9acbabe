/**
 * The writing half of the ECMA-419 client class: packets that the application writes, whole or in fragments, turned
 * into the session's verbs, and how much room there is for the next. Calls no callback.
 */
import { checkInteger, codedError } from '../../src/assert.ts';
import { RESERVED_TRANSMIT_BYTES, VARIABLE_BYTE_INTEGER_MAX } from '../../src/limits.ts';
import type { BoardTransport, Line } from '../../src/line.ts';
import { encodePing } from '../../src/packets/control.ts';
import type { PropertyWriter } from '../../src/packets/properties.ts';
import {
  DISCONNECT,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from '../../src/packets/types.ts';
import { CONNECTED } from '../../src/session/connection.ts';
import { EVENT_NONE } from '../../src/session/event.ts';
import { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
import { noteSent } from '../../src/session/keep-alive.ts';
import { encodeTopicName, refuseOn311 } from '../../src/session/options.ts';
import { publishFlags } from '../../src/packets/publish.ts';
import { checkProperties } from '../../src/session/publishing.ts';
import type { Outbox } from '../../src/session/outbox.ts';
import { AWAIT_PUBACK, AWAIT_PUBREC } from '../../src/session/delivery.ts';
import type { Session } from '../../src/session/session.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { sendSubscriptions } from '../../src/session/subscribing.ts';
import { isSupported, sendPending, startPieces, writeAck, writePublish } from '../../src/session/transmit.ts';
import {
  NOT_CONNECTED,
  NOT_SUPPORTED_BY_SERVER,
  NO_SPACE,
  OK,
  PACKET_TOO_LARGE,
  statusName,
} from '../../src/status.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';
import { checkArgument, textOf } from './mqtt-bytes.ts';
import type { WriteOptions } from './mqtt-options.ts';
import { writeProperties } from './mqtt-properties.ts';

/** A transport that can say how many bytes `write` would take now. */
interface RoomyTransport extends BoardTransport {
  writableByteLength?(): number;
}

/** Bytes of a packet besides Topic Names, properties and payload, at most. */
const HEAD_BYTES = 16;
/** An outbox record's head. */
const RECORD_BYTES = 24;
/** What the outbox grows by beyond what is needed, so that not every message that is longer than the last makes it grow. */
const GROWTH_BYTES = 256;
/** Topics written to that are kept encoded, and get an alias where the server takes them. */
const TOPICS_MAX = 16;

/** Throws for a status that says no. ERR_NO_SPACE: there is no room now; ERR_PACKET_TOO_LARGE: there never is. */
function checkStatus(status: number): void {
  if (status >= 0) return;
  const name = statusName(status);
  throw codedError('ERR_' + name, 'not accepted: ' + name);
}

export class MqttWriter {
  private readonly line: Line;
  private readonly session: Session;
  private readonly outbox: Outbox;
  private readonly isReconnecting: boolean;
  private readonly outboxBytesMin: number;
  private readonly outboxBytesMax: number;
  private readonly topics: string[];
  private readonly handles: TopicHandle[];
  /** Tickets of QoS 1 and 2 messages and of requests, each followed by the application's number for it, 0 for none. */
  private readonly numbers: number[];
  /** Whether `flush` may have something to do. */
  isDirty: boolean;
  /** Bytes accepted that found no room: the socket had less than it said. */
  private rest: Uint8Array | undefined;

  // The message to be published: not handed on as arguments, for each takes place on the stack.
  private data: Uint8Array;
  private byteLength: number;
  private handle: TopicHandle | null;
  private name: Uint8Array;
  private qos: number;
  /** PUBLISH's flags. */
  private flags: number;
  private properties: PropertyWriter | null;
  private propertiesByteLength: number;
  private id: number;
  /** It stays in the outbox until the server has it; or leaves from there behind others. */
  private isKept: boolean;
  /** All of it is there, and leaves in one piece. */
  private isWhole: boolean;

  constructor(line: Line, isReconnecting: boolean, outboxBytesMax: number) {
    this.line = line;
    this.session = line.session;
    this.isReconnecting = isReconnecting;
    this.outbox = line.session.state.outbox;
    this.outboxBytesMin = this.outbox.bytes.length;
    this.outboxBytesMax = outboxBytesMax;
    this.topics = [];
    this.handles = [];
    this.numbers = [];
    this.isDirty = false;
    this.rest = undefined;
    this.data = NO_BYTES;
    this.byteLength = 0;
    this.handle = null;
    this.name = NO_BYTES;
    this.qos = 0;
    this.flags = 0;
    this.properties = null;
    this.propertiesByteLength = 0;
    this.id = 0;
    this.isKept = false;
    this.isWhole = false;
  }

  /** Writes any packet but PUBLISH, or nothing and throws. */
  write(operation: number, options: WriteOptions, nowMs: number): void {
    if (operation === DISCONNECT) {
      this.flush(nowMs);
      const expiry = options.properties?.['sessionExpiryInterval'];
      this.session.disconnect(options.reasonCode ?? 0, expiry === undefined ? -1 : Number(expiry), nowMs);
      return;
    }
    this.checkFree(operation);
    if (operation === SUBSCRIBE || operation === UNSUBSCRIBE)
      this.request(operation === SUBSCRIBE, options, nowMs);
    else this.control(operation, options.id ?? 0, nowMs);
  }

  /** Throws unless a packet may go now, or may wait for a connection to come. */
  private checkFree(operation: number): void {
    const isWaiting = operation === PUBLISH || operation === SUBSCRIBE || operation === UNSUBSCRIBE;
    if (!this.session.isConnected() && !(this.isReconnecting && isWaiting)) checkStatus(NOT_CONNECTED);
    checkArgument(this.session.unsentPayloadByteLength() === 0, 'a payload is unfinished');
  }

  /** Gets ready to publish `data`, or to begin to with it; or throws. */
  prepare(data: Uint8Array, options: WriteOptions, nowMs: number): void {
    const state = this.session.state;
    const isFree = state.connection === CONNECTED && state.sendRemaining === 0 && this.outbox.filling < 0;
    if (!isFree) this.checkFree(PUBLISH);
    const byteLength = options.byteLength ?? data.length;
    if (byteLength !== data.length) {
      checkInteger(byteLength, data.length, VARIABLE_BYTE_INTEGER_MAX, 'byteLength');
    }
    const qos = options.QoS ?? 0;
    if (qos !== 0) checkInteger(qos, 0, 2, 'QoS');
    const topic = textOf(options.topic as string);
    const handle = this.handleOf(topic);
    const name = handle === null ? encodeTopicName(topic, 'topic') : handle.bytes;
    const properties = writeProperties(options.properties);
    if (properties !== null) {
      if (!state.isV5) refuseOn311('properties');
      checkProperties(properties.bytes, properties.byteLength, nowMs);
    }
    this.data = data;
    this.byteLength = byteLength;
    this.handle = handle;
    this.name = name;
    this.qos = qos;
    // Who has no other connection may send again what an earlier client has sent, and say so [MQTT-3.3.1-2].
    this.flags = publishFlags(qos, options.retain ? 1 : 0, qos > 0 && options.duplicate ? 1 : 0);
    this.properties = properties;
    this.propertiesByteLength = properties === null ? 0 : properties.byteLength;
    this.id = options.id ?? 0;
    // Without another connection nothing can be sent again, and nothing is kept for that.
    this.isWhole = data.length === byteLength;
    this.isKept = this.isReconnecting && (qos > 0 || (this.isWhole && this.outbox.next < this.outbox.end));
    const givenByteLength = name.length + this.propertiesByteLength + data.length;
    // Nearly every message of QoS 0, without further ado.
    const isPlain =
      isFree && this.flags === 0 && this.rest === undefined && givenByteLength <= this.ringRoom();
    if (!isPlain && (qos === 0 || !this.isKept)) this.checkStraight(givenByteLength);
  }

  /** Throws unless so many bytes of the message can leave at once. */
  private checkStraight(givenByteLength: number): void {
    const { session, qos } = this;
    if (!session.isConnected()) checkStatus(NOT_CONNECTED);
    if (!isSupported(session.state, this.flags)) checkStatus(NOT_SUPPORTED_BY_SERVER);
    if (givenByteLength > this.sendRoom() || (qos > 0 && !this.hasSlot())) checkStatus(NO_SPACE);
    // What is longer than the ring goes by way of it as often as it takes.
    if (!this.makeRoom(givenByteLength)) this.isWhole = false;
  }

  /** Whether another message of QoS 1 or 2 may be on its way [MQTT-4.9.0-2]. */
  private hasSlot(): boolean {
    const { inflight, serverReceiveMaximum } = this.session.state;
    return inflight.hasRoom() && inflight.onWireCount < serverReceiveMaximum;
  }

  /** Publishes what was prepared; or does nothing and throws. */
  publish(nowMs: number): void {
    const { session, handle } = this;
    if (this.isKept) {
      this.publishKept(nowMs);
      return;
    }
    const state = session.state;
    let packetId = 0;
    if (this.qos > 0) {
      this.preferPacketId(this.id);
      packetId = state.takePacketId();
    }
    let status: number;
    if (handle !== null && handle.isShort && this.isWhole && this.flags === 0 && this.properties === null) {
      status = session.publish(handle, this.data, this.byteLength, 0, 0, null, nowMs);
    } else {
      // What the session does with a message that can leave at once, less deep in calls.
      status = writePublish(
        state,
        this.flags,
        packetId,
        handle,
        this.name,
        0,
        this.name.length,
        this.properties === null ? NO_BYTES : this.properties.bytes,
        0,
        this.propertiesByteLength,
        this.data,
        0,
        this.byteLength,
        this.isWhole ? this.byteLength : 0,
        nowMs,
      );
      if (status === OK && !this.isWhole && this.byteLength > 0) startPieces(state, this.byteLength, -1);
    }
    checkStatus(status);
    if (packetId > 0) {
      // Without a record: there will be no other connection on which it could be sent again.
      const ticket = state.takeTicket();
      const slotState = this.qos === 1 ? AWAIT_PUBACK : AWAIT_PUBREC;
      state.inflight.setOnWire(state.inflight.add(packetId, slotState, -1, ticket));
      this.numbers.push(ticket, this.id);
    }
    if (!this.isWhole) this.feed(this.data, nowMs);
    this.data = NO_BYTES;
  }

  /** Publishes by way of the outbox, where the message stays until the server has it. */
  private publishKept(nowMs: number): void {
    const { session, outbox } = this;
    const { name, byteLength, qos, properties } = this;
    let ticket: number;
    // QoS 0 leaves behind what was written before and waits: as if there were one of its kind among that.
    if (qos === 0) outbox.queuedQos0++;
    do {
      ticket = session.beginPublish(this.handle, name, byteLength, qos, this.flags & 1, properties, nowMs);
    } while (
      (ticket === NO_SPACE || ticket === PACKET_TOO_LARGE) &&
      this.growOutbox(name.length + this.propertiesByteLength + byteLength + RECORD_BYTES)
    );
    if (qos === 0) outbox.queuedQos0--;
    checkStatus(ticket);
    if (qos > 0) this.numbers.push(ticket, this.id);
    this.feed(this.data, nowMs);
    this.data = NO_BYTES;
  }

  /** The topic's handle, or null when there are enough of them. */
  private handleOf(topic: string): TopicHandle | null {
    let i = this.topics.indexOf(topic);
    if (i < 0) {
      if (this.topics.length === TOPICS_MAX) return null;
      this.handles.push(this.session.createTopic(topic));
      i = this.topics.push(topic) - 1;
    }
    return this.handles[i];
  }

  /** The application's number goes out as Packet Identifier, if it is free. */
  private preferPacketId(id: number): void {
    if (id <= 0) return;
    this.session.state.lastPacketId = (id - 1) & 0xffff;
    this.session.state.freePacketIds = 0;
  }

  /** Makes room for a record of `byteLength` in the outbox. False when there is some, or when it may not grow so far. */
  private growOutbox(byteLength: number): boolean {
    const { outbox } = this;
    let needed = outbox.end - outbox.start + byteLength;
    if (needed <= outbox.bytes.length || needed > this.outboxBytesMax) return false;
    needed += GROWTH_BYTES;
    if (needed > this.outboxBytesMax) needed = this.outboxBytesMax;
    this.session.replaceOutbox(new Uint8Array(needed));
    return true;
  }

  /** Goes on with the payload that was begun, or throws. */
  continue(data: Uint8Array, nowMs: number): void {
    const { session } = this;
    const unsent = session.unsentPayloadByteLength();
    checkArgument(unsent > 0, 'options required');
    checkInteger(data.length, 0, unsent, 'byteLength');
    if (this.outbox.filling < 0 && data.length > this.sendRoom()) checkStatus(NO_SPACE);
    this.feed(data, nowMs);
  }

  /** Hands over payload bytes, by way of the ring as often as it takes. What finds no room after all is kept. */
  private feed(data: Uint8Array, nowMs: number): void {
    const { line, session } = this;
    for (let at = 0; at < data.length;) {
      let count = session.continuePublish(data, at, data.length - at, nowMs);
      if (count === 0 && session.isConnected()) {
        line.pump.write();
        count = session.continuePublish(data, at, data.length - at, nowMs);
      }
      checkStatus(count);
      if (count === 0) {
        this.rest = data.slice(at);
        return;
      }
      at += count;
    }
    this.rest = undefined;
  }

  private request(isSubscribe: boolean, options: WriteOptions, nowMs: number): void {
    const { line, session } = this;
    const items = options.items ?? [];
    const topics: string[] = [];
    let room = 0;
    for (const item of items) {
      const topic = textOf(item.topic);
      topics.push(topic);
      room += 3 + topic.length * 3;
    }
    const list = new FilterList(new Uint8Array(room));
    for (let i = 0; i < topics.length; i++) {
      const { QoS, noLocal, retainAsPublished, retainHandling } = items[i];
      list.add(
        topics[i],
        isSubscribe
          ? subscriptionOptions(QoS ?? 0, Boolean(noLocal), Boolean(retainAsPublished), retainHandling ?? 0)
          : 0,
      );
    }
    const { subscriptionIdentifier, userProperties } = options.properties ?? {};
    const user = userProperties === undefined ? null : writeProperties({ userProperties });
    const identifier = Number(subscriptionIdentifier ?? 0);
    checkInteger(identifier, 0, VARIABLE_BYTE_INTEGER_MAX, 'subscriptionIdentifier');
    const byteLength = list.byteLength + (user === null ? 0 : user.byteLength);
    if (!this.makeRoom(byteLength)) checkStatus(NO_SPACE);
    let ticket: number;
    for (;;) {
      ticket = isSubscribe ? session.subscribe(list, identifier, user) : session.unsubscribe(list, user);
      if (ticket !== NO_SPACE) break;
      // How much is subscribed to is the application's to bound.
      const bytes = session.state.subscriptions.bytes;
      session.replaceSubscriptions(new Uint8Array(bytes.length + byteLength + 32 * (items.length + 1)));
    }
    checkStatus(ticket);
    this.numbers.push(ticket, options.id ?? 0);
    // Before whatever is written next. Messages wait until the application is back from where it writes: their stack is
    // deep enough, and among packets of other kinds they have no order to keep.
    const isFree = session.isConnected() && session.state.sendRemaining === 0;
    if (!isFree) return;
    this.preferPacketId(options.id ?? 0);
    while (sendSubscriptions(session.state, nowMs) !== EVENT_NONE) line.handleEvent(session.event, nowMs);
  }

  private control(operation: number, id: number, nowMs: number): void {
    const { session } = this;
    const state = session.state;
    switch (operation) {
      case PUBACK:
      case PUBREC:
        // By hand; otherwise what was read is acknowledged already.
        session.acknowledge(id);
        return;
      case PUBCOMP:
        return;
      case PINGREQ:
      case PUBREL: {
        if (!this.makeRoom(0) || state.sendRemaining > 0) checkStatus(NO_SPACE);
        if (operation === PUBREL) {
          // For a message of an earlier client's: this one's own are released by the session.
          writeAck(state, PUBREL, id, 0, nowMs);
          return;
        }
        const transmit = session.transmit;
        transmit.reserve(2);
        transmit.end = encodePing(transmit.bytes, transmit.end, transmit.bytes.length, PINGREQ);
        noteSent(state, nowMs);
        return;
      }
      default:
        checkArgument(false, 'unknown operation');
    }
  }

  /** Sends what the verbs have left to send, and hands it to the socket. */
  flush(nowMs: number): void {
    const { line, session, outbox } = this;
    const { subscriptions } = session.state;
    if (this.rest !== undefined && session.isConnected()) this.feed(this.rest, nowMs);
    this.isDirty = this.rest !== undefined;
    do {
      if (session.isConnected()) {
        if (outbox.next < outbox.end && subscriptions.toSend === 0)
          this.preferPacketId(this.numberOf(outbox.ticket(outbox.next)));
        while (sendPending(session.state, nowMs) !== EVENT_NONE) line.handleEvent(session.event, nowMs);
      }
      if (session.transmit.byteLength() > 0) line.pump.write();
      // Of a message larger than the ring there is more.
    } while (outbox.sending >= 0 && session.transmit.byteLength() === 0);
  }

  /** Bytes of Topic Names, properties and payload that the ring has room for. */
  private ringRoom(): number {
    const { bytes, start, end } = this.session.transmit;
    return bytes.length - end + start - RESERVED_TRANSMIT_BYTES - HEAD_BYTES;
  }

  /** Whether the ring has so much room, if need be after it was handed to the socket. */
  private makeRoom(byteLength: number): boolean {
    if (byteLength > this.ringRoom() && this.session.isConnected()) this.line.pump.write();
    return byteLength <= this.ringRoom();
  }

  /** Bytes, topic and data together, that can leave at once, or data alone where a payload goes on. */
  private sendRoom(): number {
    // Behind half a packet nothing can leave.
    if (this.rest !== undefined || this.outbox.sending >= 0) return 0;
    const transport = this.line.transport as RoomyTransport;
    const socketRoom = transport.writableByteLength === undefined ? 0 : transport.writableByteLength();
    const room = this.ringRoom() + socketRoom;
    return room < 0 ? 0 : room;
  }

  /** Bytes that a write is sure to find room for, of any QoS. */
  room(): number {
    const { session, outbox } = this;
    if (session.unsentPayloadByteLength() > 0) return this.sendRoom();
    if (!this.isReconnecting) return session.isConnected() && this.hasSlot() ? this.sendRoom() : 0;
    const keepRoom = this.outboxBytesMax - (outbox.end - outbox.start) - RECORD_BYTES;
    if (!session.isConnected()) return keepRoom < 0 ? 0 : keepRoom;
    const sendRoom = this.sendRoom();
    return sendRoom < keepRoom ? sendRoom : keepRoom < 0 ? 0 : keepRoom;
  }

  /** The application's number for a ticket, 0 when it gave none, -1 for a ticket not known here. */
  numberOf(ticket: number): number {
    for (let i = 0; i < this.numbers.length; i += 2)
      if (this.numbers[i] === ticket) return this.numbers[i + 1];
    return -1;
  }

  /** What `ticket` is for is done. Gives back what the outbox has grown by. */
  complete(ticket: number): void {
    for (let i = 0; i < this.numbers.length; i += 2) {
      if (this.numbers[i] === ticket) this.numbers.splice(i, 2);
    }
    const { outbox } = this;
    if (outbox.count === 0 && outbox.bytes.length > this.outboxBytesMin + GROWTH_BYTES) {
      this.session.replaceOutbox(new Uint8Array(this.outboxBytesMin));
    }
  }

  /** The connection is over. */
  handleDisconnected(): void {
    this.rest = undefined;
  }
}
