/**
 * Watches a real broker's end of one client's connections: what the broker has to know of its session, and which messages
 * passed when. After the broker's death it says what of that the broker need not know any more. Knows the broker only by its
 * packets.
 */
import type { Packet } from '../../../src/packets/packet.ts';
import { P_SESSION_EXPIRY_INTERVAL } from '../../../src/packets/property-table.ts';
import {
  CONNACK,
  CONNECT,
  PACKET_NAMES,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
} from '../../../src/packets/types.ts';
import { nameOf, textOf, valueOf, type PacketWatcher } from '../packet-stream.ts';

/** Whether the broker has a session: it said so; it may, for it read a CONNECT; it cannot. */
type SessionState = 'kept' | 'maybe' | 'none';

/** A QoS 1 or 2 message to the client. */
interface UnderWay {
  readonly name: string;
  readonly qos: number;
  touchedMs: number;
  /** The broker may have forgotten it, and use its identifier for another. */
  isForgotten: boolean;
}

export interface ObserverSurroundings {
  report: (rule: string, text: string) => void;
  nowMs: () => number;
  /** A line for the trace. */
  note: (text: string) => void;
  /** A message passed, or something that acknowledges it. */
  touch: (name: string) => void;
  /** The broker has no session where it had one, and need not have: what was in it is lost. */
  handleSessionOver: () => void;
  /** The broker uses an identifier anew that the client has not been released from: it will take this for the old message. */
  handleSwallowed: (name: string, packetId: number) => void;
}

const NEVER = 4_294_967_295;

export class SessionObserver implements PacketWatcher {
  /** After a death of the broker it may lack subscriptions, or the end of a handshake, for good. */
  isDoubtful = false;
  private readonly clientId: string;
  private readonly topicFilters: readonly string[];
  private readonly surroundings: ObserverSurroundings;
  private session: SessionState = 'none';
  /** As it was when CONNECT was read. */
  private sessionBefore: SessionState = 'none';
  private sessionMs = 0;
  private expirySeconds = 0;
  /** Filters that the broker has granted, and when. */
  private readonly granted = new Map<string, number>();
  private readonly asked = new Map<number, string>();
  private readonly toClient = new Map<number, UnderWay>();
  private readonly toServer = new Map<number, string>();

  constructor(clientId: string, topicFilters: readonly string[], surroundings: ObserverSurroundings) {
    this.clientId = clientId;
    this.topicFilters = topicFilters;
    this.surroundings = surroundings;
  }

  /** Whether the broker must send the client what is published to this topic. */
  hasSubscription(topicName: string): boolean {
    return [...this.granted.keys()].some((filter) => topicName.startsWith(filter.slice(0, -1)));
  }

  /** The filters that the broker has not granted. */
  missingFilters(): string[] {
    return this.topicFilters.filter((filter) => !this.granted.has(filter));
  }

  begin(): void {
    this.asked.clear();
  }

  handleOver(): void {
    // What counts is what passed.
  }

  handleSent(packet: Packet, bytes: Uint8Array): void {
    const { type, packetId, reasonCode } = packet;
    this.surroundings.note(`${this.clientId} > ${describe(packet, bytes)}`);
    switch (type) {
      case CONNECT:
        this.sessionBefore = this.session;
        if (this.session === 'none') this.session = 'maybe';
        break;
      case SUBSCRIBE: {
        const text = textOf(bytes, packet.offset, packet.end - packet.offset);
        const filter = this.topicFilters.find((one) => text.includes(one));
        if (filter !== undefined) this.asked.set(packetId, filter);
        break;
      }
      case PUBLISH:
        if (packet.qos > 0) this.toServer.set(packetId, nameOf(packet, bytes));
        this.touchSent(packetId);
        break;
      case PUBREL:
        this.touchSent(packetId);
        break;
      case PUBACK:
      case PUBCOMP:
        this.touchReceived(packetId);
        this.toClient.delete(packetId);
        break;
      case PUBREC: {
        this.touchReceived(packetId);
        if (reasonCode >= 0x80) this.toClient.delete(packetId);
        break;
      }
      default:
    }
    if (type === CONNECT) this.connectExpirySeconds = valueOf(packet, P_SESSION_EXPIRY_INTERVAL, 0);
  }

  private connectExpirySeconds = 0;

  private touchSent(packetId: number): void {
    const name = this.toServer.get(packetId);
    if (name !== undefined) this.surroundings.touch(name);
  }

  private touchReceived(packetId: number): void {
    const message = this.toClient.get(packetId);
    if (message === undefined) return;
    message.touchedMs = this.surroundings.nowMs();
    this.surroundings.touch(message.name);
  }

  handleReceived(packet: Packet, bytes: Uint8Array): void {
    const { type, packetId, reasonCode } = packet;
    this.surroundings.note(`${this.clientId} < ${describe(packet, bytes)}`);
    switch (type) {
      case CONNACK:
        if (reasonCode === 0) this.handleConnack(packet);
        break;
      case SUBACK: {
        const filter = this.asked.get(packetId);
        if (filter !== undefined) this.granted.set(filter, this.surroundings.nowMs());
        break;
      }
      case PUBLISH:
        if (packet.qos > 0) this.handleMessage(packetId, packet.qos, nameOf(packet, bytes));
        break;
      case PUBREL:
        this.touchReceived(packetId);
        break;
      case PUBACK:
      case PUBREC:
      case PUBCOMP:
        this.touchSent(packetId);
        break;
      default:
    }
  }

  private handleConnack({ sessionPresent }: Packet): void {
    const { report, nowMs, handleSessionOver } = this.surroundings;
    const { clientId, sessionBefore } = this;
    const isPresent = sessionPresent === 1;
    if (isPresent && sessionBefore === 'none') {
      report('session-kept', `there can be no session of ${clientId} [MQTT-3.2.2-3]`);
    } else if (!isPresent && sessionBefore === 'kept' && this.expirySeconds === NEVER) {
      report('session-lost', `the session of ${clientId} is not over, and it is lost [MQTT-3.1.2-5]`);
    }
    if (!isPresent) {
      if (sessionBefore !== 'none') handleSessionOver();
      this.granted.clear();
      this.toClient.clear();
      this.toServer.clear();
      this.isDoubtful = false;
      this.sessionMs = nowMs();
    }
    this.session = 'kept';
    this.expirySeconds = this.connectExpirySeconds;
  }

  private handleMessage(packetId: number, qos: number, name: string): void {
    const { report, nowMs, touch, handleSwallowed } = this.surroundings;
    const known = this.toClient.get(packetId);
    if (known !== undefined && known.name !== name) {
      if (!known.isForgotten) {
        const text = `${packetId}, in use for ${known.name}, is ${name} to ${this.clientId} [MQTT-2.2.1-4]`;
        report('packet-id', text);
      } else if (known.qos === 2) {
        // PUBREC or PUBREL may have been lost on the way: nobody knows here what the client has.
        handleSwallowed(name, packetId);
      }
    }
    touch(name);
    const touchedMs = nowMs();
    this.toClient.set(packetId, {
      name,
      qos,
      touchedMs,
      isForgotten: known?.name === name && known.isForgotten,
    });
  }

  /** The broker died, and is there again with what it knew at `savedMs`, or with nothing: then that is -1. */
  handleCrash(savedMs: number): void {
    if (savedMs < 0) {
      this.session = 'none';
      this.granted.clear();
      this.toClient.clear();
      this.toServer.clear();
      this.isDoubtful = false;
      return;
    }
    if (this.session === 'kept' && this.sessionMs >= savedMs) this.session = 'maybe';
    for (const [filter, atMs] of this.granted) {
      if (atMs < savedMs) continue;
      this.granted.delete(filter);
      this.isDoubtful = true;
    }
    for (const message of this.toClient.values()) {
      if (message.touchedMs < savedMs) continue;
      message.isForgotten = true;
      this.isDoubtful ||= message.qos === 2;
    }
  }
}

/** A packet in a few words. */
function describe(packet: Packet, bytes: Uint8Array): string {
  const { type, packetId, qos, dup, reasonCode, sessionPresent } = packet;
  const code = reasonCode > 0 ? ` 0x${reasonCode.toString(16)}` : '';
  if (type === CONNACK) return `CONNACK present=${sessionPresent}${code}`;
  if (type !== PUBLISH) return `${PACKET_NAMES[type]}${packetId > 0 ? ` ${packetId}` : ''}${code}`;
  return `PUBLISH ${packetId} qos=${qos}${dup === 1 ? ' dup' : ''} ${nameOf(packet, bytes)}`;
}
