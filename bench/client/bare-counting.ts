/**
 * Counting what a server sends to a bare socket: acknowledgements by their length byte, messages by a size that the first
 * of them tell.
 */
import type { Socket } from 'node:net';

const PUBACK = 4;
const PUBREC = 5;
const PUBCOMP = 7;

interface Waiting {
  count: number;
  resolve: () => void;
}

/** Counts PUBACKs and PUBCOMPs, and answers PUBRECs, which come in order, with ready-made PUBRELs. */
export class AckCounter {
  private readonly socket: Socket;
  private readonly releases: Buffer;
  private releasedByteLength = 0;
  private readonly waiting: Waiting[] = [];
  /** Of a packet that is not over: its type, or 0, and the bytes to come, or -1 while its length byte is. */
  private type = 0;
  private rest = -1;

  constructor(socket: Socket, releases: Buffer) {
    this.socket = socket;
    this.releases = releases;
    socket.on('data', this.handleChunk);
  }

  /** Resolves once `count` more messages are acknowledged than are waited for already. */
  whenDone(count: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ count, resolve }));
  }

  stop(): void {
    this.socket.off('data', this.handleChunk);
  }

  private readonly handleChunk = (chunk: Buffer): void => {
    let done = 0;
    let received = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.type === 0) {
        this.type = chunk[at++] >> 4;
        continue;
      }
      if (this.rest < 0) this.rest = chunk[at++];
      const step = Math.min(this.rest, chunk.length - at);
      at += step;
      this.rest -= step;
      if (this.rest > 0) break;
      if (this.type === PUBACK || this.type === PUBCOMP) done++;
      else if (this.type === PUBREC) received++;
      this.type = 0;
      this.rest = -1;
    }
    if (received > 0) this.release(received);
    if (done > 0) this.settle(done);
  };

  private release(count: number): void {
    const { releases, socket } = this;
    const at = this.releasedByteLength % releases.length;
    const end = at + count * 4;
    socket.write(releases.subarray(at, Math.min(end, releases.length)));
    if (end > releases.length) socket.write(releases.subarray(0, end - releases.length));
    this.releasedByteLength += count * 4;
  }

  private settle(count: number): void {
    for (let left = count; left > 0 && this.waiting.length > 0;) {
      const [first] = this.waiting;
      const step = Math.min(left, first.count);
      first.count -= step;
      left -= step;
      if (first.count > 0) return;
      this.waiting.shift();
      first.resolve();
    }
  }
}

/** How many packets are read to find how long the others are: after the second a topic is known by its alias. */
const LEARNED_FROM = 2;

/** Counts PUBLISHes of one size, and acknowledges those of QoS 1. */
export class MessageCounter {
  private readonly socket: Socket;
  private readonly onMessages: (count: number) => void;
  private bytes: Buffer = Buffer.alloc(0);
  private learned = 0;
  private byteLength = 0;
  /** 0: not acknowledged. */
  private packetIdOffset = 0;

  constructor(socket: Socket, onMessages: (count: number) => void) {
    this.socket = socket;
    this.onMessages = onMessages;
    socket.on('data', (chunk: Buffer) => this.handleChunk(chunk));
  }

  private handleChunk(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    while (this.learned < LEARNED_FROM && this.learn()) this.take(1);
    if (this.learned < LEARNED_FROM) return;
    const count = Math.floor(this.bytes.length / this.byteLength);
    if (count > 0) this.take(count);
  }

  /** Reads the fixed header of the packet in front, and where its packet identifier is. Whether all of it is there. */
  private learn(): boolean {
    const { bytes } = this;
    let length = 0;
    let at = 1;
    for (let shift = 0; at < bytes.length; shift += 7) {
      length |= (bytes[at] & 127) << shift;
      if (bytes[at++] < 128) break;
    }
    if (at + length > bytes.length || bytes.length < 4) return false;
    this.byteLength = at + length;
    this.packetIdOffset = (bytes[0] & 6) === 0 ? 0 : at + 2 + bytes.readUInt16BE(at);
    this.learned++;
    return true;
  }

  private take(count: number): void {
    const { byteLength, bytes, packetIdOffset } = this;
    if (packetIdOffset > 0) {
      const acks = Buffer.allocUnsafe(count * 4);
      for (let index = 0; index < count; index++) {
        const at = index * byteLength + packetIdOffset;
        acks.set([PUBACK << 4, 2, bytes[at], bytes[at + 1]], index * 4);
      }
      this.socket.write(acks);
    }
    this.bytes = bytes.subarray(count * byteLength);
    this.onMessages(count);
  }
}
