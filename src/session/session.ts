/**
 * The session: MQTT's client side without I/O. Bytes, time and random come in; events and bytes go out.
 *
 * Whoever owns one (a pump, as a rule) does four things, again and again:
 *   1. when `transportAction` says so, opens or closes the transport, and reports with `handleOpened` and
 *      `handleClosed`;
 *   2. puts received bytes into `receive` and calls `poll` until it returns EVENT_NONE;
 *   3. writes what is in `transmit`, and polls again when that has made room;
 *   4. calls `handleTimeout` when `nextTimeoutMs` has come.
 * Verbs may be called at any time, also while an event is being looked at; only `poll` ends an event's life. All
 * `nowMs` are milliseconds on one clock that never goes back.
 */
import { check, checkInteger } from '../assert.ts';
import { FOUR_BYTE_INTEGER_MAX, RESERVED_TRANSMIT_BYTES, STRING_BYTES_MAX } from '../limits.ts';
import { CLOSED, DROPPED, NOT_CONNECTED, NOT_FOUND, NO_SPACE, OK } from '../status.ts';
import type { Ring } from '../wire/ring.ts';
import { encodeReason } from '../packets/control.ts';
import { PropertyWriter, readProperty } from '../packets/properties.ts';
import {
  P_AUTHENTICATION_DATA,
  P_AUTHENTICATION_METHOD,
  P_SESSION_EXPIRY_INTERVAL,
  P_USER_PROPERTY,
} from '../packets/property-table.ts';
import { CONTINUE_AUTHENTICATION, RE_AUTHENTICATE, isReasonCodeValid } from '../packets/reason-codes.ts';
import { AUTH, DISCONNECT, FROM_CLIENT, V5 } from '../packets/types.ts';
import {
  CLOSED_FOR_GOOD,
  CONNECTED,
  CONNECTING,
  IDLE,
  OPENING,
  TRANSPORT_NONE,
  TRANSPORT_OPEN,
  WAITING,
} from './connection.ts';
import { endConnection, tellEnd } from './ending.ts';
import {
  CAUSE_CLIENT,
  CAUSE_CONNECT_TIMEOUT,
  CAUSE_NONE,
  CAUSE_NOT_OPENED,
  CAUSE_PING_TIMEOUT,
  CAUSE_TRANSPORT,
  EVENT_CONNECTING,
  EVENT_NONE,
} from './event.ts';
import type { SessionEvent } from './event.ts';
import type { FilterList } from './filter-list.ts';
import { TO_ACKNOWLEDGE } from './incoming.ts';
import { SLOT_RECORD, SLOT_STRIDE } from './inflight.ts';
import { noteSent, writePing } from './keep-alive.ts';
import { encodeTopicName, refuseOn311 } from './options.ts';
import type { SessionOptions } from './options.ts';
import { NO_HANDLE } from './outbox.ts';
import { publish } from './publishing.ts';
import { receiveNext, releaseEvent } from './receive.ts';
import { restoreRecord } from './restoring.ts';
import { SessionState } from './state.ts';
import { FOR_PROPERTIES, FOR_SUBSCRIBE, FOR_UNSUBSCRIBE } from './subscriptions.ts';
import { NEVER } from './timers.ts';
import type { TopicHandle } from './topic-aliases.ts';
import { sendPending, tellPublished, writeConnect } from './transmit.ts';

export class Session {
  /** What the session knows. Read it freely; change it by the verbs. */
  state: SessionState;
  /** What poll tells; the same record every time. */
  event: SessionEvent;
  /** Where received bytes go. */
  receive: Ring;
  /** Where bytes to be sent are. */
  transmit: Ring;

  /** Throws a coded error when an option is wrong or belongs to 5.0 and the protocol is 3.1.1. */
  constructor(options: SessionOptions) {
    const state = new SessionState(options);
    this.state = state;
    this.event = state.event;
    this.receive = state.receive;
    this.transmit = state.transmit;
  }

  isConnected(): boolean {
    return this.state.connection === CONNECTED;
  }

  /** Whether QoS 1 or 2 messages, or waiting QoS 0, are not done yet. */
  isBusy(): boolean {
    const s = this.state;
    return s.outbox.count > 0 || s.inflight.used > 0;
  }

  /** When `handleTimeout` has to be called: milliseconds, Infinity for never. */
  nextTimeoutMs(): number {
    return this.state.timers.next();
  }

  /** Begins to connect, now, if not connected or under way already. */
  connect(nowMs: number): number {
    const s = this.state;
    if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
    if (s.connection !== IDLE && s.connection !== WAITING) return OK;
    if (s.connection === IDLE) s.backoff.reset();
    s.connection = OPENING;
    s.transportAction = TRANSPORT_OPEN;
    s.timers.reconnectMs = NEVER;
    s.timers.connectMs = nowMs + s.connectTimeoutMs;
    return OK;
  }

  /** What the pump has to do with the transport, TRANSPORT_*; asking takes it off. */
  takeTransportAction(): number {
    const action = this.state.transportAction;
    this.state.transportAction = TRANSPORT_NONE;
    return action;
  }

  /** The transport is open: CONNECT goes out [MQTT-3.1.0-1], after EVENT_CONNECTING where there is authentication. */
  handleOpened(nowMs: number): void {
    const s = this.state;
    if (s.connection !== OPENING) return;
    s.receive.clear();
    s.transmit.clear();
    s.releaseByteLength = 0;
    s.connection = CONNECTING;
    // A session that was there before is gone on with, if it is of the kind that lasts.
    const isLasting = s.isV5 ? s.sessionExpirySeconds > 0 : !s.isCleanStartAsked;
    s.fields.cleanStart = s.isCleanStartAsked && !(s.hasSession && isLasting);
    s.isConnectingEventDue = s.authenticationMethod !== null;
    if (!s.isConnectingEventDue) writeConnect(s, nowMs);
  }

  /** The transport is closed, or did not open. What was received before must have been polled. */
  handleClosed(nowMs: number): void {
    const connection = this.state.connection;
    if (connection === OPENING) endConnection(this.state, CAUSE_NOT_OPENED, 0, nowMs);
    if (connection === CONNECTING || connection === CONNECTED) {
      endConnection(this.state, CAUSE_TRANSPORT, 0, nowMs);
    }
  }

  /** A deadline has come: does what is due, nothing when called too early. */
  handleTimeout(nowMs: number): void {
    const s = this.state;
    const timers = s.timers;
    if (timers.reconnectMs <= nowMs) {
      this.connect(nowMs);
      return;
    }
    if (timers.connectMs <= nowMs) {
      endConnection(s, CAUSE_CONNECT_TIMEOUT, 0, nowMs);
      return;
    }
    if (timers.pingTimeoutMs <= nowMs) {
      const heardMs = s.lastReceivedMs + s.pingTimeoutMs;
      // A server that sends something lives, and the PINGRESP may be behind it. So it may be in bytes that the
      // application has not taken yet, but not in the beginning of a packet whose rest does not come.
      if (heardMs > nowMs) timers.pingTimeoutMs = heardMs;
      else if (this.hasUnread()) timers.pingTimeoutMs = nowMs + s.pingTimeoutMs;
      else {
        endConnection(s, CAUSE_PING_TIMEOUT, 0, nowMs); // [MQTT-3.1.2-22]
        return;
      }
    }
    if (timers.pingMs <= nowMs) writePing(s, nowMs); // [MQTT-3.1.2-20]
  }

  /** Whether the window holds bytes that no poll has seen. */
  hasUnread(): boolean {
    const byteLength = this.state.receive.byteLength();
    return byteLength > 0 && byteLength !== this.state.incompleteByteLength;
  }

  /**
   * Goes on: releases the last event, handles what was received, sends what waits. Returns the next event, EVENT_*,
   * as `event` has it, or EVENT_NONE when there is nothing to tell until bytes, room, time or a verb come.
   */
  poll(nowMs: number): number {
    const s = this.state;
    s.event.kind = EVENT_NONE;
    s.event.hasPacket = false;
    releaseEvent(s, nowMs);
    if (s.droppedTold < s.droppedCount) {
      const ticket = s.droppedTickets[s.droppedTold];
      s.droppedTold++;
      if (s.droppedTold === s.droppedCount) {
        s.droppedTold = 0;
        s.droppedCount = 0;
      }
      return tellPublished(s, ticket, DROPPED, 0);
    }
    if (s.endCause !== CAUSE_NONE) return tellEnd(s);
    if (s.isConnectDue) writeConnect(s, nowMs);
    if (s.isConnectingEventDue) {
      s.isConnectingEventDue = false;
      s.isConnectDue = true;
      s.event.kind = EVENT_CONNECTING;
      return EVENT_CONNECTING;
    }
    if (s.connection !== CONNECTED && s.connection !== CONNECTING) {
      return s.endCause === CAUSE_NONE ? EVENT_NONE : tellEnd(s);
    }
    const kind = receiveNext(s, nowMs);
    if (kind !== EVENT_NONE || s.connection !== CONNECTED) return kind;
    return sendPending(s, nowMs);
  }

  /** Encodes a Topic Name once, for any number of publishes. Throws ERR_INVALID_TOPIC. */
  createTopic(topicName: string): TopicHandle {
    const aliases = this.state.outgoingAliases;
    check(aliases.handles.length < NO_HANDLE, 'ERR_OUT_OF_RANGE', 'there are 65,535 topic handles already');
    return aliases.createHandle(encodeTopicName(topicName, 'topicName'));
  }

  /**
   * Publishes to a handle's topic, with an alias where the server allows. `payload` and `properties` (or null) are
   * copied before the call returns. Returns the message's ticket, which EVENT_PUBLISHED will name; 0 for a QoS 0
   * message that is in the transmit ring already, which is all that will be heard of it; or a status: NO_SPACE,
   * PACKET_TOO_LARGE, NOT_CONNECTED (QoS 0 without a queue), NOT_SUPPORTED_BY_SERVER, STORE_FAILED, CLOSED. Throws for
   * properties that no PUBLISH may have.
   */
  publish(
    handle: TopicHandle,
    payload: Uint8Array,
    payloadByteLength: number,
    qos: number,
    retain: number,
    properties: PropertyWriter | null,
    nowMs: number,
  ): number {
    return publish(
      this.state,
      handle,
      handle.bytes,
      payload,
      payloadByteLength,
      qos,
      retain,
      properties,
      nowMs,
    );
  }

  /** Like `publish`, to a valid Topic Name in UTF-8, without an alias. */
  publishTo(
    topicName: Uint8Array,
    payload: Uint8Array,
    payloadByteLength: number,
    qos: number,
    retain: number,
    properties: PropertyWriter | null,
    nowMs: number,
  ): number {
    return publish(this.state, null, topicName, payload, payloadByteLength, qos, retain, properties, nowMs);
  }

  /**
   * Subscribes to the filters of `list`, once connected; again by itself when a server has lost the session.
   * `identifier` is a Subscription Identifier (1 to 268,435,455) for all of them, 0 for none; `userProperties` may be
   * null. All bytes are copied. Returns the ticket that EVENT_SUBSCRIBED will name, or NO_SPACE, or CLOSED.
   */
  subscribe(list: FilterList, identifier: number, userProperties: PropertyWriter | null): number {
    const s = this.state;
    if (!s.isV5 && list.hasV5Options) refuseOn311('noLocal, retainAsPublished and retainHandling');
    if (!s.isV5 && identifier !== 0) refuseOn311('a subscription identifier');
    return this.request(FOR_SUBSCRIBE, list, identifier, userProperties);
  }

  /** Unsubscribes from the filters of `list`, once connected. Returns the ticket that EVENT_UNSUBSCRIBED will name. */
  unsubscribe(list: FilterList, userProperties: PropertyWriter | null): number {
    return this.request(FOR_UNSUBSCRIBE, list, 0, userProperties);
  }

  request(kind: number, list: FilterList, identifier: number, properties: PropertyWriter | null): number {
    const s = this.state;
    if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
    check(
      list.count > 0,
      'ERR_INVALID_ARGUMENT',
      'there must be a topic filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]',
    );
    const subscriptions = s.subscriptions;
    const ticket = s.nextTicket;
    let status = OK;
    if (properties !== null && properties.byteLength > 0) {
      if (!s.isV5) refuseOn311('userProperties');
      this.checkUserProperties(properties);
      status = subscriptions.add(FOR_PROPERTIES, ticket, 0, 0, properties.bytes, 0, properties.byteLength);
    }
    const bytes = list.bytes;
    for (let at = 0; at < list.byteLength && status === OK;) {
      const filterAt = at + 2;
      const end = filterAt + ((bytes[at] << 8) | bytes[at + 1]);
      status = subscriptions.add(kind, ticket, identifier, bytes[end], bytes, filterAt, end);
      at = end + 1;
    }
    if (status === OK) return s.takeTicket();
    subscriptions.removeGroup(ticket);
    return status;
  }

  checkUserProperties(properties: PropertyWriter): void {
    const s = this.state;
    for (let at = 0; at < properties.byteLength;) {
      at = readProperty(properties.bytes, at, s.property);
      check(
        s.property.row === P_USER_PROPERTY,
        'ERR_INVALID_ARGUMENT',
        'userProperties must hold nothing but user properties',
      );
    }
  }

  /**
   * Acknowledges the message of an event's `receipt` (manual acknowledgement). Acknowledgements leave in the order
   * their messages came [MQTT-4.6.0-2]. The receipt of a QoS 2 message outlives its connection, for the message will
   * not be delivered again; that of a QoS 1 message does not, for it will. NOT_FOUND: acknowledged before, or its
   * connection or session is over.
   */
  acknowledge(receipt: number): number {
    const i = this.state.incoming.findReceipt(receipt);
    if (i < 0) return NOT_FOUND;
    this.state.incoming.setState(i, TO_ACKNOWLEDGE);
    return OK;
  }

  /** Authentication Data for the next CONNECT; for each connection anew, at EVENT_CONNECTING. Not copied before. */
  setAuthenticationData(data: Uint8Array | null): void {
    checkAuthenticationData(data);
    this.state.authenticationData = data;
  }

  /** Answers EVENT_AUTHENTICATE [MQTT-4.12.0-3]. Returns OK, NOT_CONNECTED or NO_SPACE. */
  authenticate(data: Uint8Array | null, nowMs: number): number {
    return this.writeAuth(CONTINUE_AUTHENTICATION, data, nowMs);
  }

  /** Begins to authenticate anew on a living connection [MQTT-4.12.1-1]. */
  reauthenticate(data: Uint8Array | null, nowMs: number): number {
    if (this.state.connection !== CONNECTED) return NOT_CONNECTED;
    return this.writeAuth(RE_AUTHENTICATE, data, nowMs);
  }

  writeAuth(reasonCode: number, data: Uint8Array | null, nowMs: number): number {
    const s = this.state;
    const method = s.authenticationMethod;
    if (method === null || !this.isConnectSent()) return NOT_CONNECTED;
    checkAuthenticationData(data);
    const properties = new PropertyWriter(
      new Uint8Array(6 + method.length + (data === null ? 0 : data.length)),
    );
    properties.addBytes(P_AUTHENTICATION_METHOD, method); // [MQTT-4.12.0-5]
    if (data !== null) properties.addBytes(P_AUTHENTICATION_DATA, data);
    const transmit = s.transmit;
    if (!transmit.reserve(properties.byteLength + 8 + RESERVED_TRANSMIT_BYTES)) return NO_SPACE;
    transmit.end = encodeReason(
      transmit.bytes,
      transmit.end,
      transmit.bytes.length,
      AUTH,
      V5,
      reasonCode,
      properties.bytes,
      properties.byteLength,
    );
    noteSent(s, nowMs);
    return OK;
  }

  /** Whether a packet may follow: CONNECT was written on a connection that is not over [MQTT-3.1.0-1]. */
  isConnectSent(): boolean {
    const s = this.state;
    return (
      s.connection === CONNECTED ||
      (s.connection === CONNECTING && !s.isConnectingEventDue && !s.isConnectDue)
    );
  }

  /**
   * Says goodbye and stays away: DISCONNECT with `reasonCode` (0, or 4 to have the will published all the same), the
   * session's expiry set anew unless `sessionExpirySeconds` is below 0. What is in the outbox stays there for a later
   * `connect`. EVENT_DISCONNECTED follows. Throws for a reason code a client must not send.
   */
  disconnect(reasonCode: number, sessionExpirySeconds: number, nowMs: number): number {
    const s = this.state;
    if (s.connection === IDLE || s.connection === CLOSED_FOR_GOOD) return NOT_CONNECTED;
    if (!s.isV5 && (reasonCode !== 0 || sessionExpirySeconds >= 0))
      refuseOn311('a reason or expiry on disconnect');
    check(
      isReasonCodeValid(DISCONNECT, reasonCode, FROM_CLIENT, s.protocolVersion),
      'ERR_OUT_OF_RANGE',
      'reasonCode must be one that a client may send in DISCONNECT [MQTT-3.14.2-1]',
    );
    const properties = new PropertyWriter(new Uint8Array(5));
    if (sessionExpirySeconds >= 0) {
      checkInteger(sessionExpirySeconds, 0, FOUR_BYTE_INTEGER_MAX, 'sessionExpirySeconds');
      check(
        sessionExpirySeconds === 0 || s.sessionExpirySeconds > 0,
        'ERR_INVALID_ARGUMENT',
        'sessionExpirySeconds must stay 0 when CONNECT said 0 (3.14.2.2.2)',
      );
      properties.addNumber(P_SESSION_EXPIRY_INTERVAL, sessionExpirySeconds);
    }
    const transmit = s.transmit;
    // The reserved bytes are enough for the longest, which has 9.
    const byteLength = properties.byteLength > 0 ? 9 : 3;
    if (this.isConnectSent() && transmit.reserve(byteLength)) {
      transmit.end = encodeReason(
        transmit.bytes,
        transmit.end,
        transmit.bytes.length,
        DISCONNECT,
        s.protocolVersion,
        reasonCode,
        properties.bytes,
        properties.byteLength,
      );
    }
    endConnection(s, CAUSE_CLIENT, reasonCode, nowMs); // [MQTT-3.14.4-1], [MQTT-3.14.4-2]
    return OK;
  }

  /** Ends for good, without a word to the server: what is accepted and not done is lost unless a store has it. */
  close(nowMs: number): void {
    const s = this.state;
    const isUp = s.connection !== IDLE && s.connection !== WAITING && s.connection !== CLOSED_FOR_GOOD;
    s.connection = CLOSED_FOR_GOOD;
    s.transmit.clear();
    s.timers.reconnectMs = NEVER;
    s.endReconnectInMs = -1;
    if (isUp) endConnection(s, CAUSE_CLIENT, 0, nowMs);
  }

  /**
   * Takes back what an earlier life of this session put into its store: before `connect`, all STORED_MESSAGE records
   * in ascending order of their numbers, then all STORED_PROGRESS likewise, then STORED_RECEIVED. Asks the store to
   * remove what a power cut left over. Returns OK, or NO_SPACE when the outbox or the slots are too small for what was
   * stored.
   */
  restore(
    kind: number,
    number: number,
    bytes: Uint8Array,
    at: number,
    byteLength: number,
    nowMs: number,
  ): number {
    return restoreRecord(this.state, kind, number, bytes, at, byteLength, nowMs);
  }

  /** Goes on with a larger transmit ring: what is in it is copied over. */
  replaceTransmit(bytes: Uint8Array): void {
    this.transmit.replace(bytes);
  }

  /** Goes on with a larger outbox. */
  replaceOutbox(bytes: Uint8Array): void {
    this.state.outbox.replace(bytes, this.state.inflight.slots, SLOT_RECORD, SLOT_STRIDE);
  }

  /** Goes on with more room for subscriptions. */
  replaceSubscriptions(bytes: Uint8Array): void {
    this.state.subscriptions.replace(bytes);
  }
}

function checkAuthenticationData(data: Uint8Array | null): void {
  check(
    data === null || data.length <= STRING_BYTES_MAX,
    'ERR_OUT_OF_RANGE',
    'authentication data must be of 65,535 bytes at most',
  );
}
