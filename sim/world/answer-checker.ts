/**
 * Watches, at a client's end, what is promised by an acknowledgement, in either direction: that a message is there, as a
 * whole, before it is acknowledged; that it is kept before anybody is told so; that the application hears that it is done
 * only when the server has said so; and that nobody accuses the other of what neither did.
 */
import type { Packet } from '../../src/packets/packet.ts';
import {
  CONNACK,
  CONNECT,
  DISCONNECT,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
} from '../../src/packets/types.ts';
import { STORED_RECEIVED } from '../../src/session/store.ts';
import { nameOf, type PacketWatcher } from './packet-stream.ts';
import type { StoreWatch } from './store-watch.ts';

/** A QoS 1 or 2 message from the server, from PUBLISH to PUBACK or PUBCOMP. */
interface Received {
  readonly qos: number;
  readonly name: string;
  /** PUBREC went out. */
  isAnswered: boolean;
  /** How often PUBREL came. */
  releaseCount: number;
}

/** A QoS 1 or 2 message to the server. */
interface Sent {
  readonly name: string;
  /** PUBREC came. */
  isReceived: boolean;
}

/** Whom it asks and tells. */
export interface AnswerSurroundings {
  report: (rule: string, text: string) => void;
  /** Whether the application has the whole of this message, as far as anybody counts it. */
  isSeen: (name: string) => boolean;
  /** The server was told that this QoS 2 message is here: it must not arrive again, not even in another life. */
  handleReceipt: (name: string) => void;
  readonly store: StoreWatch;
}

/**
 * Reason codes that say that the other end broke the standard, or that it may not do what all here may: Malformed Packet,
 * Protocol Error, Receive Maximum exceeded, Topic Alias invalid, Packet too large.
 */
const ACCUSATIONS = [0x81, 0x82, 0x93, 0x94, 0x95];
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

export class AnswerChecker implements PacketWatcher {
  private readonly surroundings: AnswerSurroundings;
  private readonly received = new Map<number, Received>();
  private readonly sent = new Map<number, Sent>();
  private readonly done = new Set<string>();
  private isFirst = true;
  private hasSaidGoodbye = false;
  /** Names of all QoS 1 and 2 messages that were sent in the session there is. */
  private readonly known = new Set<string>();
  /** The session is new: nothing can have been sent in it before. */
  private isNew = false;

  constructor(surroundings: AnswerSurroundings) {
    this.surroundings = surroundings;
  }

  /** Whether the server has said that it has this message, so that the application may be told; asked once. */
  takeDone(name: string): boolean {
    return this.done.delete(name);
  }

  /** The server has forgotten what it sent under this identifier, and uses it for another message. */
  forgive(packetId: number): void {
    this.received.delete(packetId);
  }

  /** What is not completed in either direction, in words, or null. */
  describeRest(): string | null {
    const [sent] = this.sent.values();
    if (sent !== undefined) return `${sent.name} was sent, and that was never completed`;
    const [received] = this.received.values();
    return received === undefined ? null : `${received.name} was received, and that was never completed`;
  }

  /** Who goes says so, as the last thing [MQTT-3.14.4-1]. */
  checkGoodbye(): void {
    if (!this.hasSaidGoodbye) this.surroundings.report('goodbye', 'the client left without DISCONNECT');
  }

  begin(): void {
    this.isFirst = true;
    this.hasSaidGoodbye = false;
  }

  handleOver(): void {
    // Nothing is left to check.
  }

  handleSent(packet: Packet, bytes: Uint8Array): void {
    const { type, packetId, reasonCode } = packet;
    if (this.isFirst !== (type === CONNECT)) {
      this.surroundings.report('first-packet', 'CONNECT must come first, and once [MQTT-3.1.0-1]');
    }
    this.isFirst = false;
    switch (type) {
      case PUBLISH:
        if (packet.qos > 0) this.handleMessageSent(packet, bytes);
        break;
      case PUBREL:
        if (reasonCode === 0 && this.surroundings.store.progressOf(packetId)?.isReleased !== true) {
          this.surroundings.report('store-first', `PUBREL ${packetId}, and no store knows of the PUBREC`);
        }
        break;
      case PUBACK:
      case PUBREC:
        if (reasonCode < 0x80) this.handleAnswer(packet);
        break;
      case PUBCOMP:
        this.handleCompletion(packet);
        break;
      case DISCONNECT:
        this.hasSaidGoodbye = true;
        this.checkAccusation(reasonCode, 'client');
        break;
      default:
    }
  }

  private handleMessageSent(packet: Packet, bytes: Uint8Array): void {
    const { packetId, dup } = packet;
    const { report } = this.surroundings;
    const name = nameOf(packet, bytes);
    if (dup === 0 && this.known.has(name))
      report('dup', `${name} was sent before, and now as new [MQTT-4.4.0-1]`);
    if (dup === 1 && this.isNew) report('dup', `DUP on ${name}, and the session is new [MQTT-3.3.1-1]`);
    this.known.add(name);
    this.sent.set(packetId, { name, isReceived: false });
    if (this.surroundings.store.progressOf(packetId) === undefined) {
      report('store-first', `PUBLISH ${packetId}, and no store knows of it`);
    }
  }

  /** PUBACK or PUBREC. */
  private handleAnswer({ type, packetId }: Packet): void {
    const { report, isSeen, handleReceipt, store } = this.surroundings;
    const message = this.received.get(packetId);
    const qos = type === PUBACK ? 1 : 2;
    if (message?.qos !== qos) {
      report('early-answer', `an answer to PUBLISH ${packetId} of QoS ${qos}, which is not here`);
      return;
    }
    if (!isSeen(message.name)) {
      report('early-answer', `${message.name} is acknowledged, and the application does not have it`);
    }
    if (qos === 1) {
      this.received.delete(packetId);
      return;
    }
    message.isAnswered = true;
    handleReceipt(message.name);
    // Said once more, it may leave when PUBREL has come for the first.
    if (message.releaseCount === 0 && !store.has(STORED_RECEIVED, packetId)) {
      report('store-first', `PUBREC ${packetId}, and no store knows of it [MQTT-4.3.3-10]`);
    }
  }

  private handleCompletion({ packetId, reasonCode }: Packet): void {
    const message = this.received.get(packetId);
    // The identifier may be another message's by now: this is for a PUBREL that came twice.
    if (message === undefined || message.releaseCount === 0) return;
    this.received.delete(packetId);
    if (reasonCode !== PACKET_IDENTIFIER_NOT_FOUND) return;
    // A second PUBREL says that PUBCOMP was lost: the first one has ended it.
    if (message.isAnswered && message.releaseCount === 1) {
      const text = `PUBREL ${packetId} came, and the client had forgotten it [MQTT-4.3.3-10]`;
      this.surroundings.report('qos2', text);
    }
  }

  private checkAccusation(reasonCode: number, who: string): void {
    if (!ACCUSATIONS.includes(reasonCode)) return;
    this.surroundings.report('accused', `the ${who} ended the connection with 0x${reasonCode.toString(16)}`);
  }

  handleReceived(packet: Packet, bytes: Uint8Array): void {
    const { type, packetId, reasonCode } = packet;
    switch (type) {
      case CONNACK:
        this.handleConnack(packet);
        break;
      case PUBLISH:
        if (packet.qos > 0) this.handleMessage(packet, bytes);
        break;
      case PUBREL: {
        const message = this.received.get(packetId);
        if (message !== undefined) message.releaseCount++;
        break;
      }
      case PUBREC: {
        const message = this.sent.get(packetId);
        if (reasonCode >= 0x80) this.finish(packetId);
        else if (message !== undefined) message.isReceived = true;
        break;
      }
      case PUBACK:
      case PUBCOMP:
        this.finish(packetId);
        break;
      case DISCONNECT:
        this.checkAccusation(reasonCode, 'server');
        break;
      default:
    }
  }

  private finish(packetId: number): void {
    const message = this.sent.get(packetId);
    if (message === undefined) return;
    this.sent.delete(packetId);
    this.done.add(message.name);
  }

  private handleConnack({ reasonCode, sessionPresent }: Packet): void {
    if (reasonCode !== 0) {
      this.surroundings.report('accused', `the server refused CONNECT with 0x${reasonCode.toString(16)}`);
      return;
    }
    this.isNew = sessionPresent === 0;
    if (!this.isNew) return;
    // What the server had taken over when it lost the session was its own to lose.
    for (const { name, isReceived } of this.sent.values()) if (isReceived) this.done.add(name);
    this.sent.clear();
    this.received.clear();
    this.known.clear();
  }

  private handleMessage(packet: Packet, bytes: Uint8Array): void {
    const { packetId, qos } = packet;
    if (this.received.get(packetId)?.isAnswered === true) return;
    this.received.set(packetId, { qos, name: nameOf(packet, bytes), isAnswered: false, releaseCount: 0 });
  }
}
