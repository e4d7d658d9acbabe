/**
 * What a session tells its owner: one record, filled anew by every poll.
 */
import { NO_BYTES } from '../wire/bytes.ts';
import type { Packet } from '../packets/packet.ts';

/** Nothing to tell until more bytes, room or time come. */
export const EVENT_NONE = 0;
/** The transport is open and CONNECT is about to be written: the moment for `setAuthenticationData`. */
export const EVENT_CONNECTING = 1;
/** CONNACK accepted: `sessionPresent`, and `packet` with CONNACK's properties. */
export const EVENT_CONNECTED = 2;
/**
 * The connection is over, or did not come about: `cause`, `reasonCode`, `violation`, `reconnectInMs`; `packet` when
 * it was a CONNACK or a DISCONNECT that said so.
 */
export const EVENT_DISCONNECTED = 3;
/** A message, or the next fragment of one. */
export const EVENT_MESSAGE = 4;
/** The message `ticket` is done, for better or worse: `status`, `reasonCode`. */
export const EVENT_PUBLISHED = 5;
/** SUBACK for `ticket`: `status`; reason codes at `bytes[packet.listOffset]`, `packet.listCount` of them. */
export const EVENT_SUBSCRIBED = 6;
/** UNSUBACK for `ticket`, likewise; 3.1.1 has no reason codes. */
export const EVENT_UNSUBSCRIBED = 7;
/** The server sent AUTH to go on with: answer with `authenticate`. `packet` has method and data. */
export const EVENT_AUTHENTICATE = 8;
/** A re-authentication was accepted. */
export const EVENT_AUTHENTICATED = 9;

/** Why a connection ended. */
export const CAUSE_NONE = 0;
/** `disconnect` was called. */
export const CAUSE_CLIENT = 1;
/** The server sent DISCONNECT: `reasonCode`. */
export const CAUSE_SERVER = 2;
/** CONNACK refused the connection: `reasonCode`, in 3.1.1 the return code. */
export const CAUSE_REFUSED = 3;
/** The transport closed or failed while open. */
export const CAUSE_TRANSPORT = 4;
/** The transport could not be opened. */
export const CAUSE_NOT_OPENED = 5;
/** No CONNACK in time. */
export const CAUSE_CONNECT_TIMEOUT = 6;
/** No PINGRESP in time [MQTT-3.1.2-22]. */
export const CAUSE_PING_TIMEOUT = 7;
/** The server broke the standard: `violation`, `violationOffset`, `reasonCode` as sent in DISCONNECT. */
export const CAUSE_VIOLATION = 8;
/** CONNECT does not fit into the transmit ring or the server's limits. */
export const CAUSE_CONNECT_TOO_LARGE = 9;
/**
 * A PUBLISH sent in pieces was abandoned, or no byte of it left within the keep-alive time: nothing can follow half a
 * packet, not even DISCONNECT.
 */
export const CAUSE_UNFINISHED = 10;

export class SessionEvent {
  /** EVENT_*. */
  kind: number;
  /** What `publish`, `subscribe` or `unsubscribe` returned. */
  ticket: number;
  /** OK, or why it failed without the server saying so: a negative status. */
  status: number;
  /** The standard's reason code; 0 where there is none. */
  reasonCode: number;
  /** 0 or 1. */
  sessionPresent: number;
  /** CAUSE_*. */
  cause: number;
  violation: number;
  /** Offset from the first byte of the packet that broke the standard. */
  violationOffset: number;
  /** Milliseconds until the next attempt, -1 when there will be none. */
  reconnectInMs: number;

  /**
   * The session's bytes and the record of the packet in them: all offsets below count in `bytes`. They belong to the
   * session and hold until the next poll; copy what must live longer. The record of a later fragment is not its
   * PUBLISH's any more.
   */
  bytes: Uint8Array;
  packet: Packet;
  /** Whether `packet` is this event's. */
  hasPacket: boolean;

  /** The Topic Name is `topicBytes[topicOffset]` on, an alias already replaced; not there in later fragments. */
  topicBytes: Uint8Array;
  topicOffset: number;
  topicByteLength: number;
  /** This fragment of the payload, the whole of it as a rule. */
  payloadOffset: number;
  payloadByteLength: number;
  /** Where the fragment begins in the payload, and how long the payload is: `isLast` when they meet. */
  fragmentOffset: number;
  payloadTotalByteLength: number;
  isLast: boolean;
  qos: number;
  retain: number;
  dup: number;
  /** With manual acknowledgement and QoS 1 or 2: what `acknowledge` takes; else 0. */
  receipt: number;

  constructor(packet: Packet) {
    this.kind = EVENT_NONE;
    this.ticket = 0;
    this.status = 0;
    this.reasonCode = 0;
    this.sessionPresent = 0;
    this.cause = CAUSE_NONE;
    this.violation = 0;
    this.violationOffset = 0;
    this.reconnectInMs = -1;
    this.bytes = NO_BYTES;
    this.packet = packet;
    this.hasPacket = false;
    this.topicBytes = NO_BYTES;
    this.topicOffset = 0;
    this.topicByteLength = 0;
    this.payloadOffset = 0;
    this.payloadByteLength = 0;
    this.fragmentOffset = 0;
    this.payloadTotalByteLength = 0;
    this.isLast = true;
    this.qos = 0;
    this.retain = 0;
    this.dup = 0;
    this.receipt = 0;
  }
}
