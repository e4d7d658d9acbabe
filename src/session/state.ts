/**
 * Everything a session knows, in one place, for the functions that change it: session.ts (verbs), receive.ts (what
 * comes in), transmit.ts (what goes out), ending.ts (how connections end). Holds no logic of its own.
 */
import {
  CONNECT_TIMEOUT_MS_DEFAULT,
  INCOMING_ALIASES_DEFAULT,
  INFLIGHT_SLOTS_DEFAULT,
  OUTGOING_ALIASES_DEFAULT,
  PACKET_BYTES_MAX,
  RECEIVE_MAXIMUM_DEFAULT,
  RECEIVE_WINDOW_BYTES_MIN,
  RECONNECT_FIRST_MS_DEFAULT,
  RECONNECT_MAXIMUM_MS_DEFAULT,
  TRANSMIT_RING_BYTES_MIN,
  TWO_BYTE_INTEGER_MAX,
} from '../limits.ts';
import { Decoder } from '../packets/codec.ts';
import type { Codec } from '../packets/codec.ts';
import { CONNECT_VERSION } from '../packets/connect.ts';
import { Packet } from '../packets/packet.ts';
import { FROM_SERVER, V5 } from '../packets/types.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { Ring } from '../wire/ring.ts';
import { IDLE, TRANSPORT_NONE } from './connection.ts';
import { SLOT_FREE } from './delivery.ts';
import { CAUSE_NONE, SessionEvent } from './event.ts';
import { Incoming } from './incoming.ts';
import { Inflight } from './inflight.ts';
import {
  OVERFLOW_REFUSE,
  amountOf,
  encodeConnectOptions,
  integerOf,
  refuseOn311,
  textBytes,
} from './options.ts';
import type { ReconnectOptions, SessionOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import type { SessionStore } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import { NEVER } from './timers.ts';
import { OutgoingAliases } from './topic-aliases.ts';

const NO_TICKETS = new Uint32Array(0);

export class SessionState {
  isV5: boolean;
  /** CONNECT without its fixed header; see connecting.ts. */
  connect: Uint8Array;
  codec: Codec;
  packet: Packet;
  event: SessionEvent;
  receive: Ring;
  transmit: Ring;
  outbox: Outbox;
  inflight: Inflight;
  incoming: Incoming;
  outgoingAliases: OutgoingAliases;
  /** The Topic Alias Maximum this side announced, and the names by alias; see topic-aliases.ts. */
  topicAliasMaximum: number;
  aliasNames: Uint8Array[];
  subscriptions: Subscriptions;
  store: SessionStore | null;
  /** For records that go to the store. */
  scratch: Uint8Array;
  /** Incoming QoS 1 and 2 messages that this side bears. */
  receiveMaximum: number;
  /** What the options asked for: Clean Start at first, how long the session lasts, how long to wait. */
  isCleanStartAsked: boolean;
  sessionExpirySeconds: number;
  connectTimeoutMs: number;
  /** 0 when the options did not ask for any. */
  pingTimeoutMsAsked: number;
  /** See backoff.ts; no reconnect when `attemptsMax` is 0, and without limit when it is Infinity. */
  reconnectFirstMs: number;
  reconnectMaximumMs: number;
  attemptsMax: number;
  /** Gives integers 0 to 4,294,967,295. */
  random: () => number;
  /** Reconnect also after refusals that will not pass by themselves. */
  isStubborn: boolean;
  isManual: boolean;
  isDropping: boolean;
  isQueueingQos0: boolean;

  /** IDLE … CLOSED_FOR_GOOD. */
  connection: number;
  /** TRANSPORT_*: what the pump has to do next. */
  transportAction: number;
  /** Whether an earlier connection, or a store, left a session worth resuming. */
  hasSession: boolean;
  /** A CONNECT got no answer since the last CONNACK: a session that the next one calls present may be younger than ours. */
  isConnackMissed: boolean;
  /**
   * Identifiers of received messages may be of an earlier session than the server's: the CONNACK that told of a new one
   * never came, or the power went before the store had forgotten them.
   */
  isSessionDoubted: boolean;
  /** When that was, the last time; never: -NEVER. The CONNECT may still be on its way to the server. */
  connackMissedAtMs: number;

  /** Deadlines, milliseconds, NEVER when they do not run: CONNACK must be here; */
  connectAtMs: number;
  /** PINGREQ is due unless something is sent before [MQTT-3.1.2-20]; */
  pingAtMs: number;
  /** PINGRESP must be here; */
  pingTimeoutAtMs: number;
  /** the next attempt to connect begins. */
  reconnectAtMs: number;
  /** Attempts that failed since the last success. */
  attempts: number;

  /** What the server said in CONNACK, or what holds when it said nothing. */
  serverReceiveMaximum: number;
  serverMaximumQos: number;
  isRetainAvailable: boolean;
  serverMaximumPacketSize: number;
  /** Bit n is set when it said 0 for row n, one of P_WILDCARD_SUBSCRIPTION_AVAILABLE to P_SHARED_SUBSCRIPTION_AVAILABLE. */
  unavailable: number;
  keepAliveMs: number;
  pingTimeoutMs: number;
  lastSentMs: number;
  lastReceivedMs: number;
  /** Bytes that the last poll left in the window until the server sends the rest or reads, -1 when it stopped for another reason. */
  incompleteByteLength: number;

  nextTicket: number;
  nextReceipt: number;
  lastPacketId: number;
  /** Packet identifiers behind `lastPacketId` that are known to be free. */
  freePacketIds: number;
  /** In-flight messages of an earlier connection are still to be sent again. */
  isReplaying: boolean;

  /**
   * Payload bytes still to be written of the PUBLISH at the end of the transmit ring: from the outbox record at
   * `outbox.sending`, or else from the application. While there are any, nothing else can be written.
   */
  sendRemaining: number;
  /** Identifier of the message whose PUBACK waits for that, 0 for none. */
  heldPacketId: number;
  /** The connection ended before the application had given all of its QoS 0 payload. */
  isPublishLost: boolean;

  /** Payload bytes of the PUBLISH under way that are still to come as fragments. */
  streamRemaining: number;
  /** Of that PUBLISH: its whole payload's length, or -1 when nobody is to see it, for it is a duplicate; its receipt. */
  streamTotal: number;
  streamReceipt: number;
  /** What the next poll releases: bytes of the receive window, and the message to acknowledge. */
  releaseByteLength: number;
  releaseQos: number;
  releasePacketId: number;

  /** Tickets of QoS 0 messages dropped for want of room, told up to `droppedTold`. Grows by doubling. */
  droppedTickets: Uint32Array;
  droppedCount: number;
  droppedTold: number;
  /** The end of a connection that poll has not told yet. */
  endCause: number;
  endReasonCode: number;
  endViolation: number;
  endViolationOffset: number;
  endReconnectInMs: number;

  /** UTF-8, or null without enhanced authentication. */
  authenticationMethod: Uint8Array | null;
  /** For the next CONNECT. */
  authenticationData: Uint8Array | null;

  constructor(options: SessionOptions) {
    const buffers = options.buffers;
    amountOf(buffers.receive.length, 'buffers.receive', RECEIVE_WINDOW_BYTES_MIN, 0);
    amountOf(buffers.transmit.length, 'buffers.transmit', TRANSMIT_RING_BYTES_MIN, 0);
    this.connect = encodeConnectOptions(options);
    const version = this.connect[CONNECT_VERSION];
    this.isV5 = version === V5;
    if (!this.isV5 && options.outgoingAliasesMax !== undefined) refuseOn311('outgoingAliasesMax');
    this.codec = options.codec ?? new Decoder(version, FROM_SERVER, null);
    this.codec.protocolVersion = version;
    this.codec.sender = FROM_SERVER;
    this.codec.maximumPacketSize = options.maximumPacketSize ?? PACKET_BYTES_MAX;
    this.codec.windowByteLength = buffers.receive.length;
    this.packet = options.packet ?? new Packet();
    this.event = options.event ?? new SessionEvent(this.packet);
    this.receive = new Ring(buffers.receive);
    this.transmit = new Ring(buffers.transmit);
    this.outbox = new Outbox(buffers.outbox);
    this.inflight = new Inflight(
      integerOf(options.inflightMax, 'inflightMax', 1, TWO_BYTE_INTEGER_MAX, INFLIGHT_SLOTS_DEFAULT),
    );
    this.receiveMaximum = options.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT;
    this.incoming = new Incoming();
    this.outgoingAliases = new OutgoingAliases(
      integerOf(
        options.outgoingAliasesMax,
        'outgoingAliasesMax',
        0,
        TWO_BYTE_INTEGER_MAX,
        OUTGOING_ALIASES_DEFAULT,
      ),
    );
    this.topicAliasMaximum = options.topicAliasMaximum ?? INCOMING_ALIASES_DEFAULT;
    this.aliasNames = [];
    this.subscriptions = new Subscriptions(buffers.subscriptions);
    this.store = options.store ?? null;
    this.scratch = this.store === null ? NO_BYTES : new Uint8Array(3);
    this.isCleanStartAsked = options.cleanStart !== false;
    this.sessionExpirySeconds = options.sessionExpirySeconds ?? 0;
    this.connectTimeoutMs = amountOf(
      options.connectTimeoutMs,
      'connectTimeoutMs',
      1,
      CONNECT_TIMEOUT_MS_DEFAULT,
    );
    this.pingTimeoutMsAsked =
      options.pingTimeoutMs === undefined ? 0 : amountOf(options.pingTimeoutMs, 'pingTimeoutMs', 1, 0);
    const isNever = options.reconnect === false;
    const reconnect: ReconnectOptions =
      options.reconnect === undefined || options.reconnect === false ? {} : options.reconnect;
    this.reconnectFirstMs = amountOf(reconnect.firstMs, 'reconnect.firstMs', 0, RECONNECT_FIRST_MS_DEFAULT);
    this.reconnectMaximumMs = amountOf(
      reconnect.maximumMs,
      'reconnect.maximumMs',
      0,
      RECONNECT_MAXIMUM_MS_DEFAULT,
    );
    this.attemptsMax = amountOf(reconnect.attemptsMax, 'reconnect.attemptsMax', 0, isNever ? 0 : Infinity);
    this.random = options.random;
    this.isStubborn = reconnect.afterRefusal === true;
    this.isManual = options.manualAcknowledgement === true;
    this.isDropping = options.overflow !== undefined && options.overflow !== OVERFLOW_REFUSE;
    this.isQueueingQos0 = options.queueQos0 !== false;

    this.connection = IDLE;
    this.transportAction = TRANSPORT_NONE;
    this.hasSession = false;
    this.isConnackMissed = false;
    this.isSessionDoubted = false;
    this.connackMissedAtMs = -NEVER;
    this.connectAtMs = NEVER;
    this.pingAtMs = NEVER;
    this.pingTimeoutAtMs = NEVER;
    this.reconnectAtMs = NEVER;
    this.attempts = 0;
    this.serverReceiveMaximum = TWO_BYTE_INTEGER_MAX;
    this.serverMaximumQos = 2;
    this.isRetainAvailable = true;
    this.serverMaximumPacketSize = PACKET_BYTES_MAX;
    this.unavailable = 0;
    this.keepAliveMs = 0;
    this.pingTimeoutMs = 0;
    this.lastSentMs = 0;
    this.lastReceivedMs = 0;
    this.incompleteByteLength = -1;
    this.nextTicket = 1;
    this.nextReceipt = 1;
    this.lastPacketId = 0;
    this.freePacketIds = 0;
    this.isReplaying = false;
    this.sendRemaining = 0;
    this.heldPacketId = 0;
    this.isPublishLost = false;
    this.streamRemaining = 0;
    this.streamTotal = 0;
    this.streamReceipt = 0;
    this.releaseByteLength = 0;
    this.releaseQos = 0;
    this.releasePacketId = 0;
    this.droppedTickets = NO_TICKETS;
    this.droppedCount = 0;
    this.droppedTold = 0;
    this.endCause = CAUSE_NONE;
    this.endReasonCode = 0;
    this.endViolation = 0;
    this.endViolationOffset = 0;
    this.endReconnectInMs = -1;
    const method = options.authenticationMethod;
    this.authenticationMethod = method === undefined ? null : textBytes(method, 'authenticationMethod');
    this.authenticationData = null;
  }

  /** A number for a message or subscription: 1 to 4,294,967,295, 0 left out. */
  takeTicket(): number {
    const ticket = this.nextTicket;
    this.nextTicket = ticket === 4294967295 ? 1 : ticket + 1;
    return ticket;
  }

  /** A packet identifier that nothing uses [MQTT-2.2.1-3], or 0 when all 65,535 are in use. */
  takePacketId(): number {
    if (this.freePacketIds === 0) this.findFreePacketIds();
    if (this.freePacketIds === 0) return 0;
    this.freePacketIds--;
    this.lastPacketId = this.lastPacketId === TWO_BYTE_INTEGER_MAX ? 1 : this.lastPacketId + 1;
    return this.lastPacketId;
  }

  /** Skips identifiers in use and counts the free ones up to the next in use: 0 when there are none at all. */
  findFreePacketIds(): void {
    for (let skipped = 0; skipped < TWO_BYTE_INTEGER_MAX; skipped++) {
      let free = TWO_BYTE_INTEGER_MAX;
      for (let n = 0; n < this.inflight.count; n++) {
        const at = this.inflight.position(n);
        if (this.inflight.state(at) !== SLOT_FREE) free = this.freeUpTo(free, this.inflight.packetId(at));
      }
      const subscriptions = this.subscriptions;
      for (let at = 0; at < subscriptions.end; at = subscriptions.next(at)) {
        const packetId = subscriptions.packetId(at);
        if (packetId !== 0) free = this.freeUpTo(free, packetId);
      }
      if (free > 0) {
        this.freePacketIds = free;
        return;
      }
      this.lastPacketId = this.lastPacketId === TWO_BYTE_INTEGER_MAX ? 1 : this.lastPacketId + 1;
    }
  }

  /** The lesser of `free` and how many identifiers lie between the last one and `packetId`, which is in use. */
  freeUpTo(free: number, packetId: number): number {
    let distance = packetId - this.lastPacketId;
    if (distance <= 0) distance += TWO_BYTE_INTEGER_MAX;
    return distance - 1 < free ? distance - 1 : free;
  }
}
