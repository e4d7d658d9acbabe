/**
 * Watches a client's end of the wire: every packet it sends and receives, in its own order, against the rules that can be
 * seen there. Decodes strictly, and keeps what a session keeps from one connection to the next. Written apart from the
 * session: it is told nothing by it.
 */
import type { Packet } from '../../src/packets/packet.ts';
import {
  P_MAXIMUM_PACKET_SIZE,
  P_RECEIVE_MAXIMUM,
  P_TOPIC_ALIAS,
  P_TOPIC_ALIAS_MAXIMUM,
} from '../../src/packets/property-table.ts';
import {
  CONNACK,
  CONNECT,
  CONNECT_CLEAN_START,
  FROM_CLIENT,
  FROM_SERVER,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
} from '../../src/packets/types.ts';
import { PacketStream, textOf, valueOf, type PacketWatcher } from './packet-stream.ts';
import type { EndWatcher } from './sim-link.ts';

/** What a QoS 1 or 2 message that is under way looked like, and how far it is. */
interface UnderWay {
  qos: number;
  topicName: string;
  payload: Uint8Array;
  /** The server said PUBREC. */
  isReceived: boolean;
  /** The client said PUBREL: it knows of the PUBREC, whatever happens to its power. */
  isReleased: boolean;
  /** The power went since: the client may know less than was seen here, or not. */
  isUncertain: boolean;
  /** Sent on the connection that there is. */
  isOfConnection: boolean;
}

type Report = (rule: string, text: string) => void;

const TWO_BYTE_MAX = 65_535;
const PACKET_BYTES_MAX = 268_435_460;

export class WireChecker {
  private readonly report: Report;
  private readonly nowMs: () => number;
  /** Of the session: what the client has under way, by packet identifier. */
  private readonly underWay = new Map<number, UnderWay>();
  /** Whether a session may be resumed: what is under way counts on the next connection. */
  private receiveMaximum = TWO_BYTE_MAX;
  private maximumPacketSize = PACKET_BYTES_MAX;
  private aliasMaximum = 0;
  /** What we allowed the server. */
  private ourReceiveMaximum = TWO_BYTE_MAX;
  private ourAliasMaximum = 0;
  private keepAliveMs = 0;
  /** Most milliseconds between packets, with what the client's clock may be off by. */
  private keepAliveTolerance = 1;
  private lastSentMs = 0;
  /** Something waited for the network since: whoever cannot send is not late. */
  private isBlocked = false;
  private isLateAllowed = false;
  private isConnected = false;
  private isCleanStart = false;
  /** Unacknowledged QoS 1 and 2 from the server on this connection. */
  private readonly incoming = new Set<number>();
  private readonly sentAliases = new Map<number, string>();
  private readonly receivedAliases = new Map<number, string>();
  /** What arrives meanwhile may wait unhandled, and go with the connection. */
  isStoreFailing = false;
  packetCount = 0;
  /** Others who watch the same packets. */
  readonly others: PacketWatcher[] = [];
  private connectionCount = 0;

  constructor(report: Report, nowMs: () => number) {
    this.report = report;
    this.nowMs = nowMs;
  }

  /** The clock of the client is off by so much: its keep alive may be late by that. */
  setDrift(driftPerMille: number): void {
    this.keepAliveTolerance = 1000 / (1000 + Math.min(0, driftPerMille));
  }

  /** Watches a new connection of the client. */
  watch(): EndWatcher {
    const sent = new PacketStream(FROM_CLIENT);
    const received = new PacketStream(FROM_SERVER);
    let isOver = false;
    this.connectionCount++;
    this.sentAliases.clear();
    this.receivedAliases.clear();
    this.incoming.clear();
    this.isConnected = false;
    for (const message of this.underWay.values()) message.isOfConnection = false;
    for (const other of this.others) other.begin();
    return {
      handleSent: (bytes) => {
        if (isOver) this.report('after-close', 'the client sent on a connection that was over');
        else if (!sent.take(bytes, (packet, whole) => this.handleSent(packet, whole))) {
          this.report('malformed', 'the client sent what is no packet');
        }
      },
      handleReceived: (bytes) => {
        if (!received.take(bytes, (packet, whole) => this.handleReceived(packet, whole))) {
          this.report('malformed', 'the server sent what is no packet');
        }
      },
      handleBlocked: () => {
        this.isBlocked = true;
      },
      handleOver: () => {
        isOver = true;
        if (this.isBlocked) this.handleUnanswered();
        this.checkKeepAlive();
        this.isConnected = false;
        for (const other of this.others) other.handleOver();
      },
    };
  }

  /** The client's clock jumped: a timer that it had set for something else may come late, once. */
  handleClockJump(): void {
    this.isLateAllowed = true;
  }

  /** The client lost its power: what it had read and not noted, it does not know. */
  handlePowerCut(): void {
    for (const message of this.underWay.values()) message.isUncertain = true;
  }

  /** There was no room for an answer: a PUBREC may have waited for that, unread, and be gone with the connection. */
  private handleUnanswered(): void {
    for (const message of this.underWay.values()) {
      if (message.isOfConnection && !message.isReleased) message.isUncertain = true;
    }
  }

  // --- What the client sends ---------------------------------------------------------------------------------------

  private handleSent(packet: Packet, bytes: Uint8Array): void {
    this.packetCount++;
    const byteLength = packet.end - packet.offset;
    if (byteLength > this.maximumPacketSize && packet.type !== CONNECT) {
      this.report(
        'maximum-packet-size',
        `${byteLength} bytes, over ${this.maximumPacketSize} [MQTT-3.2.2-15]`,
      );
    }
    this.checkKeepAlive();
    if (packet.type === CONNECT) this.handleConnect(packet);
    else if (packet.type === PUBLISH) this.handlePublish(packet, bytes);
    else if (packet.type === PUBREL) this.handlePubrel(packet);
    else if (packet.type === PUBACK || packet.type === PUBCOMP) this.incoming.delete(packet.packetId);
    for (const other of this.others) other.handleSent(packet, bytes);
  }

  private checkKeepAlive(): void {
    const nowMs = this.nowMs();
    const gapMs = nowMs - this.lastSentMs;
    this.lastSentMs = nowMs;
    // [MQTT-3.1.2-20], with a second for timers.
    const maximumMs = this.keepAliveMs * this.keepAliveTolerance + 1000;
    const wasBlocked = this.isBlocked;
    this.isBlocked = false;
    if (this.isConnected && !wasBlocked && this.keepAliveMs > 0 && gapMs > maximumMs) {
      const isAllowed = this.isLateAllowed;
      this.isLateAllowed = false;
      if (isAllowed) return;
      this.report('keep-alive', `nothing was sent for ${gapMs} ms, over ${this.keepAliveMs} [MQTT-3.1.2-20]`);
    }
  }

  private handleConnect(packet: Packet): void {
    const { connect } = packet;
    this.isCleanStart = ((connect?.flags ?? 0) & CONNECT_CLEAN_START) !== 0;
    this.keepAliveMs = (connect?.keepAliveSeconds ?? 0) * 1000;
    this.ourReceiveMaximum = valueOf(packet, P_RECEIVE_MAXIMUM, TWO_BYTE_MAX);
    this.ourAliasMaximum = valueOf(packet, P_TOPIC_ALIAS_MAXIMUM, 0);
    this.receiveMaximum = TWO_BYTE_MAX;
    this.maximumPacketSize = PACKET_BYTES_MAX;
  }

  private handlePublish(packet: Packet, bytes: Uint8Array): void {
    const topicName = this.resolve(packet, bytes, this.sentAliases, this.aliasMaximum, 'client');
    const { packetId, qos, dup } = packet;
    if (qos === 0) return;
    const payload = bytes.subarray(packet.payloadOffset, packet.payloadOffset + packet.payloadByteLength);
    const known = this.underWay.get(packetId);
    if (known === undefined) {
      // Later on it may have been meant to be sent before, or what became of it may have been forgotten with the power.
      if (dup === 1 && this.connectionCount === 1) {
        this.report('dup', `DUP on the first PUBLISH with identifier ${packetId} [MQTT-3.3.1-1]`);
      }
      const message = {
        qos,
        topicName,
        payload: payload.slice(),
        isReceived: false,
        isReleased: false,
        isUncertain: false,
        isOfConnection: true,
      };
      this.underWay.set(packetId, message);
    } else {
      this.checkAgain(known, packet, topicName, payload);
    }
    let count = 0;
    for (const one of this.underWay.values()) if (one.isOfConnection) count++;
    if (count > this.receiveMaximum) {
      this.report('receive-maximum', `${count} under way, over ${this.receiveMaximum} [MQTT-3.3.4-7]`);
    }
  }

  /** An identifier that is in use: the same message again, on another connection, with DUP. */
  private checkAgain(known: UnderWay, packet: Packet, topicName: string, payload: Uint8Array): void {
    const { packetId } = packet;
    if (known.isOfConnection) {
      this.report('packet-id', `identifier ${packetId} twice on one connection [MQTT-2.2.1-3]`);
    } else if (
      known.topicName !== topicName ||
      !isEqual(known.payload, payload) ||
      known.qos !== packet.qos
    ) {
      this.report('packet-id', `identifier ${packetId}, in use, for another message [MQTT-2.2.1-3]`);
    } else if (packet.dup === 0) {
      this.report('dup', `no DUP on PUBLISH ${packetId} that is sent again [MQTT-3.3.1-1]`);
    } else if (known.isReleased || (known.isReceived && !known.isUncertain)) {
      this.report('qos2', `PUBLISH ${packetId} again after its PUBREC [MQTT-4.3.3-5]`);
    }
    known.isOfConnection = true;
  }

  private handlePubrel(packet: Packet): void {
    const message = this.underWay.get(packet.packetId);
    // An identifier that nobody knows is answered with 0x92.
    if (message === undefined || packet.reasonCode !== 0) return;
    message.isReleased = true;
    if (!message.isReceived && !message.isUncertain)
      this.report('qos2', `PUBREL ${packet.packetId} without PUBREC [MQTT-4.3.3-4]`);
  }

  // --- What it receives --------------------------------------------------------------------------------------------

  private handleReceived(packet: Packet, bytes: Uint8Array): void {
    const { packetId, reasonCode } = packet;
    switch (packet.type) {
      case CONNACK:
        this.handleConnack(packet);
        break;
      case PUBACK:
      case PUBCOMP:
        this.underWay.delete(packetId);
        break;
      case PUBREC: {
        const message = this.underWay.get(packetId);
        if (reasonCode >= 0x80) this.underWay.delete(packetId);
        else if (message !== undefined) {
          message.isReceived = true;
          message.isUncertain = this.isStoreFailing;
        }
        break;
      }
      case PUBLISH:
        this.handleMessage(packet, bytes);
        break;
      default:
    }
    for (const other of this.others) other.handleReceived(packet, bytes);
  }

  private handleConnack(packet: Packet): void {
    if (packet.reasonCode !== 0) return;
    this.isConnected = true;
    // CONNACK says which keep alive is in force: what would have been due before is due now.
    const keepAliveMs = Math.floor(this.keepAliveMs * this.keepAliveTolerance);
    this.lastSentMs = Math.max(this.lastSentMs, this.nowMs() - keepAliveMs);
    this.receiveMaximum = valueOf(packet, P_RECEIVE_MAXIMUM, TWO_BYTE_MAX);
    this.maximumPacketSize = valueOf(packet, P_MAXIMUM_PACKET_SIZE, PACKET_BYTES_MAX);
    this.aliasMaximum = valueOf(packet, P_TOPIC_ALIAS_MAXIMUM, 0);
    // Without a session of the server's nothing is under way any more [MQTT-3.2.2-5].
    if (packet.sessionPresent === 0) this.underWay.clear();
    else if (this.isCleanStart) this.report('session-present', 'after a Clean Start [MQTT-3.2.2-2]');
  }

  private handleMessage(packet: Packet, bytes: Uint8Array): void {
    this.resolve(packet, bytes, this.receivedAliases, this.ourAliasMaximum, 'server');
    if (packet.qos === 0) return;
    this.incoming.add(packet.packetId);
    if (this.incoming.size > this.ourReceiveMaximum) {
      const text = `${this.incoming.size} from the server, over ${this.ourReceiveMaximum} [MQTT-3.3.4-9]`;
      this.report('receive-maximum', text);
    }
  }

  /** The Topic Name of a PUBLISH, by the aliases of its direction. */
  private resolve(
    packet: Packet,
    bytes: Uint8Array,
    aliases: Map<number, string>,
    maximum: number,
    who: string,
  ): string {
    const name = textOf(bytes, packet.topicOffset, packet.topicByteLength);
    if (!packet.has(P_TOPIC_ALIAS)) return name;
    const alias = packet.values[P_TOPIC_ALIAS];
    if (alias > maximum)
      this.report('alias', `the ${who} used alias ${alias}, over ${maximum} [MQTT-3.3.2-9]`);
    if (name !== '') {
      aliases.set(alias, name);
      return name;
    }
    const known = aliases.get(alias);
    if (known === undefined) this.report('alias', `the ${who} used alias ${alias}, which stands for nothing`);
    return known ?? '';
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
