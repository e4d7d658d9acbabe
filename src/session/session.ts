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
import { checkArgument, checkInteger, checkRange } from '../assert.ts';
import { FOUR_BYTE_INTEGER_MAX, RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import { CLOSED, NOT_CONNECTED, NOT_FOUND, OK } from '../status.ts';
import type { Ring } from '../wire/ring.ts';
import { ALIASED_HEAD_BYTES, ALIASED_PAYLOAD_BYTES_MAX } from '../packets/publish.ts';
import { CONNECT_FLAGS } from '../packets/connect.ts';
import { PropertyWriter } from '../packets/properties.ts';
import { P_SESSION_EXPIRY_INTERVAL } from '../packets/property-table.ts';
import { CONTINUE_AUTHENTICATION, RE_AUTHENTICATE, isReasonCodeValid } from '../packets/reason-codes.ts';
import { CONNECT_CLEAN_START, DISCONNECT, FROM_CLIENT } from '../packets/types.ts';
import { checkAuthenticationData, writeAuth } from './authenticating.ts';
import {
  ANNOUNCING,
  CLOSED_FOR_GOOD,
  CONNECTED,
  CONNECTING,
  CONNECT_DUE,
  IDLE,
  OPENING,
  TRANSPORT_NONE,
  TRANSPORT_OPEN,
  WAITING,
  isUp,
} from './connection.ts';
import { writeConnect } from './connecting.ts';
import { endConnection, tellEnd, writeReason } from './ending.ts';
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
import { SLOT_RECORD, SLOT_STRIDE } from './inflight.ts';
import { noteSent, writePing } from './keep-alive.ts';
import { encodeTopicName, refuseOn311 } from './options.ts';
import type { SessionOptions } from './options.ts';
import { NO_HANDLE } from './outbox.ts';
import { publish, tellDropped } from './publishing.ts';
import { acknowledgeEvent, receiveNext } from './receive.ts';
import { restoreRecord } from './restoring.ts';
import { SessionState } from './state.ts';
import {
  abandonPublish,
  beginPublish,
  continuePublish,
  handlePingHeld,
  unsentPayloadByteLength,
} from './streaming.ts';
import { requestFilters } from './subscribing.ts';
import { FOR_SUBSCRIBE, FOR_UNSUBSCRIBE } from './subscriptions.ts';
import { NEVER } from './timers.ts';
import type { TopicHandle } from './topic-aliases.ts';
import { sendPending } from './transmit.ts';

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

  /** Whether QoS 1 or 2 messages, waiting QoS 0, or one that is published in pieces, are not done yet. */
  isBusy(): boolean {
    const s = this.state;
    return s.outbox.count > 0 || s.inflight.used > 0 || s.sendRemaining > 0;
  }

  /** When `handleTimeout` has to be called: milliseconds, Infinity for never. */
  nextTimeoutMs(): number {
    const s = this.state;
    let next = s.pingAtMs;
    if (s.pingTimeoutAtMs < next) next = s.pingTimeoutAtMs;
    if (s.connectAtMs < next) next = s.connectAtMs;
    return s.reconnectAtMs < next ? s.reconnectAtMs : next;
  }

  /** Begins to connect, now, if not connected or under way already. */
  connect(nowMs: number): number {
    const s = this.state;
    if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
    if (s.connection !== IDLE && s.connection !== WAITING) return OK;
    if (s.connection === IDLE) s.attempts = 0;
    s.connection = OPENING;
    s.transportAction = TRANSPORT_OPEN;
    s.reconnectAtMs = NEVER;
    s.connectAtMs = nowMs + s.connectTimeoutMs;
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
    // A session that was there before is gone on with, if it is of the kind that lasts.
    const isLasting = s.isV5 ? s.sessionExpirySeconds > 0 : !s.isCleanStartAsked;
    const isClean = s.isCleanStartAsked && !(s.hasSession && isLasting);
    const flags = s.connect[CONNECT_FLAGS] & ~CONNECT_CLEAN_START;
    s.connect[CONNECT_FLAGS] = isClean ? flags | CONNECT_CLEAN_START : flags;
    if (s.authenticationMethod === null) writeConnect(s, nowMs);
    else s.connection = ANNOUNCING;
  }

  /** The transport is closed, or did not open. What was received before must have been polled. */
  handleClosed(nowMs: number): void {
    const connection = this.state.connection;
    if (connection === OPENING) endConnection(this.state, CAUSE_NOT_OPENED, 0, nowMs);
    else if (isUp(connection)) {
      endConnection(this.state, CAUSE_TRANSPORT, 0, nowMs);
    }
  }

  /** A deadline has come: does what is due, nothing when called too early. */
  handleTimeout(nowMs: number): void {
    const s = this.state;
    if (s.reconnectAtMs <= nowMs) {
      this.connect(nowMs);
      return;
    }
    if (s.connectAtMs <= nowMs) {
      endConnection(s, CAUSE_CONNECT_TIMEOUT, 0, nowMs);
      return;
    }
    if (s.pingTimeoutAtMs <= nowMs) {
      const heardMs = s.lastReceivedMs + s.pingTimeoutMs;
      // A server that sends something lives, and the PINGRESP may be behind it. So it may be in bytes that the
      // application has not taken yet, but not in the beginning of a packet whose rest does not come.
      if (heardMs > nowMs) s.pingTimeoutAtMs = heardMs;
      else if (this.hasUnread()) s.pingTimeoutAtMs = nowMs + s.pingTimeoutMs;
      else {
        endConnection(s, CAUSE_PING_TIMEOUT, 0, nowMs); // [MQTT-3.1.2-22]
        return;
      }
    }
    if (s.pingAtMs > nowMs) return;
    noteSent(s, s.lastSentMs);
    if (s.pingAtMs > nowMs) return;
    if (s.sendRemaining > 0) handlePingHeld(s, nowMs);
    else writePing(s, nowMs); // [MQTT-3.1.2-20]
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
    const receive = s.receive;
    s.event.kind = EVENT_NONE;
    s.event.hasPacket = false;
    if (s.releaseByteLength > 0) {
      receive.consume(s.releaseByteLength);
      s.releaseByteLength = 0;
      if (s.releaseQos !== 0 && s.streamRemaining === 0) acknowledgeEvent(s, nowMs);
    }
    if (s.droppedCount > 0) return tellDropped(s);
    if (s.connection !== CONNECTED) {
      const kind = this.pollOther(nowMs);
      if (kind !== EVENT_NONE || s.connection !== CONNECTING) return kind;
      return receive.start < receive.end ? receiveNext(s, nowMs) : EVENT_NONE;
    }
    if (receive.start < receive.end) {
      const kind = receiveNext(s, nowMs);
      // Who was disconnected is told so.
      if (kind !== EVENT_NONE) return kind;
    }
    return sendPending(s, nowMs);
  }

  /** What poll has to do besides receiving and sending. */
  pollOther(nowMs: number): number {
    const s = this.state;
    if (s.endCause !== CAUSE_NONE) return tellEnd(s);
    if (s.connection === CONNECT_DUE) writeConnect(s, nowMs);
    if (s.connection === ANNOUNCING) {
      s.connection = CONNECT_DUE;
      s.event.kind = EVENT_CONNECTING;
      return EVENT_CONNECTING;
    }
    return s.endCause === CAUSE_NONE ? EVENT_NONE : tellEnd(s);
  }

  /** Encodes a Topic Name once, for any number of publishes. Throws ERR_INVALID_TOPIC. */
  createTopic(topicName: string): TopicHandle {
    const aliases = this.state.outgoingAliases;
    checkRange(aliases.handles.length < NO_HANDLE, 'there are 65,535 topic handles already');
    return aliases.createHandle(encodeTopicName(topicName, 'topicName'));
  }

  /**
   * Publishes to a handle's topic, with an alias where the server allows. `payload` and `properties` (or null) are
   * copied before the call returns. Returns the message's ticket, which EVENT_PUBLISHED will name; 0 for a QoS 0
   * message that is in the transmit ring already, which is all that will be heard of it; or a status: NO_SPACE,
   * PACKET_TOO_LARGE (for the server or the outbox, or all that comes before the payload for the ring), NOT_CONNECTED
   * (QoS 0 without a queue), NOT_SUPPORTED_BY_SERVER, STORE_FAILED, CLOSED. Throws for properties that no PUBLISH may
   * have.
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
    const s = this.state;
    if (
      handle.isShort &&
      qos === 0 &&
      retain === 0 &&
      properties === null &&
      payloadByteLength === payload.length
    ) {
      // The short way for what a device sends most; whatever is not as it should be goes the long way.
      const transmit = this.transmit;
      const bytes = transmit.bytes;
      const at = transmit.end;
      const end = at + ALIASED_HEAD_BYTES + payloadByteLength;
      if (
        payloadByteLength <= ALIASED_PAYLOAD_BYTES_MAX &&
        end <= bytes.length - RESERVED_TRANSMIT_BYTES &&
        s.outbox.queuedQos0 === 0
      ) {
        bytes.set(handle.head, at);
        bytes[at + 1] = payloadByteLength + 6;
        bytes.set(payload, at + ALIASED_HEAD_BYTES);
        transmit.end = end;
        // The keep-alive is reckoned anew when it runs out: what was sent only ever moves it away.
        s.lastSentMs = nowMs;
        return OK;
      }
    }
    return publish(
      s,
      handle,
      handle.bytes,
      payload,
      payloadByteLength,
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
    return publish(
      this.state,
      null,
      topicName,
      payload,
      payloadByteLength,
      payloadByteLength,
      qos,
      retain,
      properties,
      nowMs,
    );
  }

  /**
   * Begins a message whose payload, `payloadByteLength` bytes (0 to 268,435,455), comes by `continuePublish`; one at a
   * time. To a handle's topic, or (null) to `topicName`, a valid Topic Name in UTF-8; both, and `properties`, are copied
   * before the call returns. Returns and throws what `publish` does:
   *   - 0: a QoS 0 message that goes straight through the transmit ring, which is all that will be heard of it. It may be
   *     of any length, but until its last byte nothing else can leave: no acknowledgement (what must be answered is not
   *     received), no ping, no DISCONNECT. Without a byte for the keep-alive time the connection ends, CAUSE_UNFINISHED;
   *   - a ticket: the message is put together in the outbox, which must have room for all of it, and goes on from there
   *     as any other. It is accepted, and stored, with its last byte. Later messages in the outbox wait behind it;
   *   - NO_SPACE also while another is open, and for a QoS 0 message larger than the outbox while it cannot go straight.
   */
  beginPublish(
    handle: TopicHandle | null,
    topicName: Uint8Array,
    payloadByteLength: number,
    qos: number,
    retain: number,
    properties: PropertyWriter | null,
    nowMs: number,
  ): number {
    return beginPublish(this.state, handle, topicName, payloadByteLength, qos, retain, properties, nowMs);
  }

  /**
   * Gives the next bytes of the payload that was begun, `bytes[at]` on. Returns how many of them were taken: fewer than
   * `byteLength` where the ring has no more room now (go on when it has been written) or the payload ends. Or a status:
   * NOT_FOUND when none is open; NOT_CONNECTED when its connection ended (ticket 0; until the next `beginPublish`);
   * STORE_FAILED with the last byte, and the message is dropped; CLOSED.
   */
  continuePublish(bytes: Uint8Array, at: number, byteLength: number, nowMs: number): number {
    return continuePublish(this.state, bytes, at, byteLength, nowMs);
  }

  /** Payload bytes that the message that was begun still lacks; 0 when none is open. */
  unsentPayloadByteLength(): number {
    return unsentPayloadByteLength(this.state);
  }

  /**
   * Gives up the message that was begun; nothing more is told of it. In the outbox it is simply dropped. With ticket 0 a
   * part of it may be on its way: the connection ends, without DISCONNECT, for CAUSE_UNFINISHED, and the next one begins.
   * Returns OK, or NOT_FOUND when none is open.
   */
  abandonPublish(nowMs: number): number {
    return abandonPublish(this.state, nowMs);
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
    return requestFilters(s, FOR_SUBSCRIBE, list, identifier, userProperties);
  }

  /** Unsubscribes from the filters of `list`, once connected. Returns the ticket that EVENT_UNSUBSCRIBED will name. */
  unsubscribe(list: FilterList, userProperties: PropertyWriter | null): number {
    return requestFilters(this.state, FOR_UNSUBSCRIBE, list, 0, userProperties);
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
    this.state.incoming.acknowledge(i);
    return OK;
  }

  /** Authentication Data for the next CONNECT; for each connection anew, at EVENT_CONNECTING. Not copied before. */
  setAuthenticationData(data: Uint8Array | null): void {
    checkAuthenticationData(data);
    this.state.authenticationData = data;
  }

  /** Answers EVENT_AUTHENTICATE [MQTT-4.12.0-3]. Returns OK, NOT_CONNECTED, NO_SPACE or PACKET_TOO_LARGE. */
  authenticate(data: Uint8Array | null, nowMs: number): number {
    return this.isConnectSent() ? writeAuth(this.state, CONTINUE_AUTHENTICATION, data, nowMs) : NOT_CONNECTED;
  }

  /** Begins to authenticate anew on a living connection [MQTT-4.12.1-1]. Returns likewise. */
  reauthenticate(data: Uint8Array | null, nowMs: number): number {
    if (this.state.connection !== CONNECTED) return NOT_CONNECTED;
    return writeAuth(this.state, RE_AUTHENTICATE, data, nowMs);
  }

  /** Whether a packet may follow: CONNECT was written on a connection that is not over [MQTT-3.1.0-1]. */
  isConnectSent(): boolean {
    const connection = this.state.connection;
    return connection === CONNECTED || connection === CONNECTING;
  }

  /**
   * Says goodbye and stays away: DISCONNECT with `reasonCode` (0, or 4 to have the will published all the same), the
   * session's expiry set anew unless `sessionExpirySeconds` is below 0. What is in the outbox stays there for a later
   * `connect`. In the middle of a PUBLISH sent in pieces there is no place for DISCONNECT, and the connection ends without
   * it. EVENT_DISCONNECTED follows. Throws for a reason code a client must not send.
   */
  disconnect(reasonCode: number, sessionExpirySeconds: number, nowMs: number): number {
    const s = this.state;
    if (s.connection === IDLE || s.connection === CLOSED_FOR_GOOD) return NOT_CONNECTED;
    if (!s.isV5 && (reasonCode !== 0 || sessionExpirySeconds >= 0))
      refuseOn311('a reason or expiry on disconnect');
    checkRange(
      isReasonCodeValid(DISCONNECT, reasonCode, FROM_CLIENT, s.codec.protocolVersion),
      'reasonCode must be one that a client may send in DISCONNECT [MQTT-3.14.2-1]',
    );
    const properties = new PropertyWriter(new Uint8Array(5));
    if (sessionExpirySeconds >= 0) {
      checkInteger(sessionExpirySeconds, 0, FOUR_BYTE_INTEGER_MAX, 'sessionExpirySeconds');
      checkArgument(
        sessionExpirySeconds === 0 || s.sessionExpirySeconds > 0,
        'sessionExpirySeconds must stay 0 when CONNECT said 0 (3.14.2.2.2)',
      );
      properties.addNumber(P_SESSION_EXPIRY_INTERVAL, sessionExpirySeconds);
    }
    if (this.isConnectSent()) writeReason(s, DISCONNECT, reasonCode, properties, 0);
    endConnection(s, CAUSE_CLIENT, reasonCode, nowMs); // [MQTT-3.14.4-1], [MQTT-3.14.4-2]
    return OK;
  }

  /** Ends for good, without a word to the server: what is accepted and not done is lost unless a store has it. */
  close(nowMs: number): void {
    const s = this.state;
    const connection = s.connection;
    s.connection = CLOSED_FOR_GOOD;
    s.transmit.clear();
    s.reconnectAtMs = NEVER;
    s.endReconnectInMs = -1;
    s.outbox.filling = -1;
    if (connection === OPENING || isUp(connection)) endConnection(s, CAUSE_CLIENT, 0, nowMs);
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
