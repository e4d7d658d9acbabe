/**
 * One network connection of the naive broker: cuts what arrives into packets, has one write at a time on its link, and
 * keeps what lasts as long as the connection does. What packets mean is decided elsewhere.
 */
import { encodeObject, type PacketObject } from '../../src/packets/inspect.ts';
import type { Link } from '../broker/link.ts';
import type { NaiveDelivery, NaiveSession } from './naive-state.ts';

/** The largest packet there can be (2.1.4). */
const PACKET_BYTES_MAX = 268_435_460;

/** A packet that waits to be written. */
interface Output {
  bytes: Uint8Array;
  /** What it means that the packet was given to the link. */
  handleWritten: (() => void) | null;
}

/** What the input begins with. */
export type Frame =
  | { kind: 'packet'; bytes: Uint8Array }
  | { kind: 'incomplete' }
  | { kind: 'malformed' }
  | { kind: 'too large' };

export class NaiveConnection {
  readonly number: number;
  readonly openedMs: number;
  /** The session it acts for: from CONNECT until either side ends it. */
  session: NaiveSession | null = null;
  /** Stays when the session has gone. */
  clientId = '';
  protocolVersion: 4 | 5 = 5;
  /** CONNECT was accepted. */
  hasConnected = false;
  isSessionPresent = false;
  /** The client has sent DISCONNECT. */
  hasDisconnected = false;
  /** It has, and wants no will published. */
  isGoodbye = false;
  /** Nothing more is read, or said: what was said leaves, and the link ends. */
  isOver = false;
  overMs = 0;
  lastReceivedMs: number;

  // What CONNECT said.
  keepAliveSeconds = 0;
  expirySeconds = 0;
  receiveMaximum = 65_535;
  maximumPacketSize = PACKET_BYTES_MAX;
  topicAliasMaximum = 0;

  // The client's messages.
  readonly aliasesIn = new Map<number, string>();
  /** Packet Identifiers of PUBLISH packets for which neither PUBACK, PUBCOMP nor a failed PUBREC was written. */
  unanswered: number[] = [];
  /** Order of the last PUBLISH that was sent again. */
  lastResentOrder = 0;
  /** PUBREC was written for these, and PUBREL has not come. */
  pubrecs: number[] = [];
  /** PUBCOMP was written for these. */
  completed: number[] = [];

  // The server's messages.
  readonly aliasesOut = new Map<string, number>();
  lastAlias = 0;
  /** Sent on an earlier connection, and to be sent again. */
  toResend: NaiveDelivery[] = [];
  /** Packet Identifiers of what was sent on this connection and is not acknowledged, in order. */
  awaitedPubacks: number[] = [];
  awaitedPubrecs: number[] = [];
  awaitedPubcomps: number[] = [];
  /** Those of them that count for the client's Receive Maximum. */
  unacknowledged: number[] = [];

  private readonly link: Link;
  private readonly wake: () => void;
  private input = new Uint8Array(0);
  private output: Output[] = [];
  private held: { atMs: number; output: Output }[] = [];
  private isWriting = false;
  private isLinkEnded = false;
  isDestroyed = false;

  constructor(link: Link, number: number, nowMs: number, wake: () => void) {
    this.link = link;
    this.number = number;
    this.openedMs = nowMs;
    this.lastReceivedMs = nowMs;
    this.wake = wake;
  }

  get isV5(): boolean {
    return this.protocolVersion === 5;
  }

  // --- Input ---------------------------------------------------------------------------------------------------------

  /** Adds a copy of `bytes` to the input. */
  addInput(bytes: Uint8Array): void {
    const input = new Uint8Array(this.input.length + bytes.length);
    input.set(this.input, 0);
    input.set(bytes, this.input.length);
    this.input = input;
  }

  /** Type of the first packet in the input, or -1 when there is not a byte of it. */
  firstType(): number {
    return this.input.length === 0 ? -1 : this.input[0] >> 4;
  }

  /** Takes the first packet from the input. */
  takeFrame(maximumPacketSize: number): Frame {
    const { input } = this;
    let remainingLength = 0;
    let multiplier = 1;
    for (let offset = 1; offset <= 4; offset++) {
      if (offset >= input.length) return { kind: 'incomplete' };
      remainingLength += (input[offset] & 127) * multiplier;
      multiplier *= 128;
      if (input[offset] < 128) {
        const byteLength = offset + 1 + remainingLength;
        if (byteLength > maximumPacketSize) return { kind: 'too large' };
        if (byteLength > input.length) return { kind: 'incomplete' };
        this.input = input.slice(byteLength);
        return { kind: 'packet', bytes: input.slice(0, byteLength) };
      }
    }
    return { kind: 'malformed' };
  }

  // --- Output --------------------------------------------------------------------------------------------------------

  /**
   * Has a packet written; `handleWritten` is called when the link has it. False: it is too large for the client, and is
   * not sent [MQTT-3.1.2-24].
   */
  send(packet: PacketObject, handleWritten: (() => void) | null = null): boolean {
    const output = this.encode(packet, handleWritten);
    if (output === null) return false;
    this.output.push(output);
    this.wake();
    return true;
  }

  /** As `send`, not before `atMs`. */
  sendLater(packet: PacketObject, handleWritten: () => void, atMs: number): void {
    const output = this.encode(packet, handleWritten);
    if (output !== null) this.held.push({ atMs, output });
  }

  private encode(packet: PacketObject, handleWritten: (() => void) | null): Output | null {
    if (this.isOver) return null;
    const bytes = encodeObject(packet, { protocolVersion: this.protocolVersion });
    return bytes.length > this.maximumPacketSize ? null : { bytes, handleWritten };
  }

  /** When the next packet of `sendLater` is due, or Infinity. */
  nextHeldMs(): number {
    return this.held.length === 0 ? Infinity : this.held[0].atMs;
  }

  /** Lets go what is due. */
  releaseHeld(nowMs: number): void {
    while (this.held.length > 0 && this.held[0].atMs <= nowMs) {
      this.output.push(this.held[0].output);
      this.held.shift();
    }
    this.wake();
  }

  /** Says no more, and ends the link once what was said has left. */
  finish(nowMs: number): void {
    if (!this.isOver) this.overMs = nowMs;
    this.isOver = true;
    this.held = [];
    this.input = new Uint8Array(0);
    this.wake();
  }

  /** Writes what there is, if the link is done with what it had. */
  flush(): void {
    if (this.isWriting || this.isLinkEnded) return;
    const { output } = this;
    if (output.length > 0) {
      this.output = [];
      let byteLength = 0;
      for (const { bytes } of output) byteLength += bytes.length;
      const bytes = new Uint8Array(byteLength);
      let at = 0;
      for (const one of output) {
        bytes.set(one.bytes, at);
        at += one.bytes.length;
        one.handleWritten?.();
      }
      this.isWriting = true;
      this.link.write(bytes);
    }
    if (!this.isOver) return;
    this.isLinkEnded = true;
    this.link.end();
  }

  /** The link is done with what it had. */
  handleWritten(): void {
    this.isWriting = false;
    if (this.output.length > 0 || this.isOver) this.wake();
  }

  /** Ends the link although what was said may not have left. */
  destroy(): void {
    this.isLinkEnded = true;
    this.isDestroyed = true;
    this.link.destroy();
  }

  /** The network connection is gone: nothing is written any more. */
  handleClose(): void {
    this.isOver = true;
    this.isLinkEnded = true;
    this.output = [];
    this.held = [];
  }
}
