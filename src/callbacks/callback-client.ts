/**
 * A client of plain callbacks over one line: for engines where promises cost too much or are missing, and for whoever
 * wants nothing to be allocated per message. Knows neither sockets nor timers: the board has them.
 */
import { check, checkInteger } from '../assert.ts';
import { Line } from '../line.ts';
import type { Board, LineOptions, LineOwner } from '../line.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import {
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_PUBLISHED,
  EVENT_SUBSCRIBED,
  EVENT_UNSUBSCRIBED,
} from '../session/event.ts';
import type { SessionEvent } from '../session/event.ts';
import { FilterList, subscriptionOptions } from '../session/filter-list.ts';
import { encodeTopicName } from '../session/options.ts';
import type { SessionOptions } from '../session/options.ts';
import type { Session } from '../session/session.ts';
import type { PersistentStore } from '../session/store.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import { CLOSED, NO_SPACE, OK } from '../status.ts';
import { encodeText } from '../wire/text.ts';
import { ReceivedMessage } from './received-message.ts';

/**
 * How a message, a subscription or the end of one went. `status` is OK, or a negative status when the server had no
 * part in it; `reasonCode` the server's, 0x80 and above for a refusal, the highest when there are several.
 */
export type DoneCallback = (status: number, reasonCode: number) => void;

/** Session options, the sizes of the buffers, and whom to tell. Everything handed to a callback holds until it returns. */
export interface CallbackClientOptions extends Omit<
  SessionOptions,
  'buffers' | 'random' | 'packet' | 'event' | 'store'
> {
  /** Bytes of the receive window; default 512. A longer message comes in fragments. */
  receiveBytes?: number | undefined;
  /** Bytes of the transmit ring; default 512. What is larger goes out of the outbox, in pieces. */
  transmitBytes?: number | undefined;
  /** Bytes for QoS 1 and 2 until they are done, and for what waits; default 1,024. */
  outboxBytes?: number | undefined;
  /** Bytes for Topic Filters; default 256. */
  subscriptionBytes?: number | undefined;
  /** Callbacks that may wait at once; default 16. */
  callbacksMax?: number | undefined;
  /** Where in-flight state is kept across restarts. What it holds is taken up when the client is made. */
  store?: PersistentStore | undefined;
  /** CONNACK: `sessionPresent`, `packet`. */
  onConnected?: ((event: SessionEvent) => void) | undefined;
  /** The connection is over or did not come about: `cause`, `reasonCode`, `reconnectInMs`. */
  onDisconnected?: ((event: SessionEvent) => void) | undefined;
  /** The record is the same every time. */
  onMessage?: ((message: ReceivedMessage) => void) | undefined;
  /** After NO_SPACE: there may be room again. */
  onWritable?: (() => void) | undefined;
  /** Something failed that nobody gave a callback for, such as a subscription made again after the session was lost. */
  onError?: ((event: SessionEvent) => void) | undefined;
  /** Every event before anything else is told of it: for authentication. What it returns true for ends with it. */
  onEvent?: ((event: SessionEvent, nowMs: number) => unknown) | undefined;
}

/** What `typeof` says of texts: XS copies a text in the code of a preloaded module each time it gets there, but not this. */
const TEXT = typeof '';

function byteLengthOf(option: number | undefined, standard: number, name: string): number {
  const byteLength = option ?? standard;
  checkInteger(byteLength, 0, 0x7fffffff, name);
  return byteLength;
}

export class CallbackClient implements LineOwner {
  line: Line;
  session: Session;
  board: Board;
  message: ReceivedMessage;
  options: CallbackClientOptions;
  /** Whom to call when what has the ticket is done: in the same place, 0 for none. Grows as it is needed. */
  tickets: Uint32Array;
  callbacks: (DoneCallback | null)[];

  /** Throws a coded error that names the first option that is wrong. The options are kept. */
  constructor(board: Board, options: CallbackClientOptions) {
    const lineOptions = Object.assign({}, options) as unknown as LineOptions;
    const receiveEnd = byteLengthOf(options.receiveBytes, 512, 'receiveBytes');
    const transmitEnd = receiveEnd + byteLengthOf(options.transmitBytes, 512, 'transmitBytes');
    const outboxEnd = transmitEnd + byteLengthOf(options.outboxBytes, 1024, 'outboxBytes');
    const end = outboxEnd + byteLengthOf(options.subscriptionBytes, 256, 'subscriptionBytes');
    // One array in four parts takes less of an XS heap than four.
    const bytes = new Uint8Array(end);
    lineOptions.buffers = {
      receive: bytes.subarray(0, receiveEnd),
      transmit: bytes.subarray(receiveEnd, transmitEnd),
      outbox: bytes.subarray(transmitEnd, outboxEnd),
      subscriptions: bytes.subarray(outboxEnd, end),
    };
    const callbacksMax = options.callbacksMax ?? 16;
    checkInteger(callbacksMax, 1, 65535, 'callbacksMax');
    this.board = board;
    this.options = options;
    this.tickets = new Uint32Array(callbacksMax);
    this.callbacks = [];
    this.line = new Line(board, lineOptions, this);
    // Only after NO_SPACE.
    this.line.isIdleWanted = false;
    this.session = this.line.session;
    this.message = new ReceivedMessage(this.session.event);
    if (options.store !== undefined) {
      check(
        this.line.restore(options.store) === OK,
        'ERR_RESTORE_FAILED',
        'what the store holds is larger than outboxBytes or inflightMax',
      );
    }
  }

  isConnected(): boolean {
    return this.session.isConnected();
  }

  /** Begins to connect, and goes on connecting as the option `reconnect` says. Returns OK or CLOSED. */
  connect(): number {
    return this.line.connect();
  }

  /** Prepares a topic for publishing often. Throws ERR_INVALID_TOPIC. */
  createTopic(topicName: string): TopicHandle {
    return this.session.createTopic(topicName);
  }

  /**
   * Publishes; a string goes as UTF-8. The payload is copied before the call returns. `callback` is told when the
   * message is done: QoS 1 at PUBACK, QoS 2 at PUBCOMP, QoS 0 when it had to wait and is sent.
   *
   * Returns the message's ticket; 0 for QoS 0 that is on its way already, of which the callback hears nothing; or a
   * status, and then nothing was done: NO_SPACE (no room for the message or the callback; `onWritable` follows),
   * PACKET_TOO_LARGE, NOT_CONNECTED, NOT_SUPPORTED_BY_SERVER, STORE_FAILED, CLOSED.
   */
  publish(
    topic: TopicHandle,
    payload: Uint8Array | string,
    qos: number,
    retain: boolean,
    callback?: DoneCallback,
  ): number {
    if (typeof payload === TEXT) payload = encodeText(payload as string);
    if (callback !== undefined) {
      return this.publishBytes(topic, payload as Uint8Array, payload.length, qos, retain, null, callback);
    }
    const ticket = this.session.publish(
      topic,
      payload as Uint8Array,
      payload.length,
      qos,
      retain ? 1 : 0,
      null,
      this.board.nowMs(),
    );
    if (ticket !== 0) return this.done(ticket, 0, undefined, this.board.nowMs());
    this.line.send();
    return 0;
  }

  /** Likewise, the first `byteLength` bytes of `bytes`, with properties (5.0) or null: allocates nothing. */
  publishBytes(
    topic: TopicHandle,
    bytes: Uint8Array,
    byteLength: number,
    qos: number,
    retain: boolean,
    properties: PropertyWriter | null,
    callback?: DoneCallback,
  ): number {
    const place = this.placeFor(callback);
    if (place === NO_SPACE) return this.done(NO_SPACE, place, callback, 0);
    const nowMs = this.board.nowMs();
    const retained = retain ? 1 : 0;
    const ticket = this.session.publish(topic, bytes, byteLength, qos, retained, properties, nowMs);
    return this.done(ticket, place, callback, nowMs);
  }

  /** Likewise, to a topic that is not published to often: nothing is kept of it. Throws ERR_INVALID_TOPIC. */
  publishTo(
    topicName: string,
    payload: Uint8Array | string,
    qos: number,
    retain: boolean,
    callback?: DoneCallback,
  ): number {
    const name = encodeTopicName(topicName, 'topicName');
    const bytes = typeof payload === 'string' ? encodeText(payload) : payload;
    const place = this.placeFor(callback);
    if (place === NO_SPACE) return this.done(NO_SPACE, place, callback, 0);
    const nowMs = this.board.nowMs();
    const ticket = this.session.publishTo(name, bytes, bytes.length, qos, retain ? 1 : 0, null, nowMs);
    return this.done(ticket, place, callback, nowMs);
  }

  /**
   * Subscribes, once connected; again by itself when the server has lost the session. Throws
   * ERR_INVALID_TOPIC_FILTER. Returns the ticket, or NO_SPACE (no room for the filter or the callback), or CLOSED.
   */
  subscribe(topicFilter: string, qos: number, callback?: DoneCallback): number {
    return this.subscribeTo(this.listOf(topicFilter, subscriptionOptions(qos, false, false, 0)), 0, callback);
  }

  /** Likewise, for several filters at once, with their options, and a Subscription Identifier (5.0) or 0. */
  subscribeTo(list: FilterList, identifier: number, callback?: DoneCallback): number {
    const place = this.placeFor(callback);
    if (place === NO_SPACE) return NO_SPACE;
    const ticket = this.session.subscribe(list, identifier, null);
    return this.done(ticket, place, callback, this.board.nowMs());
  }

  /** Unsubscribes, once connected. Returns likewise. */
  unsubscribe(topicFilter: string, callback?: DoneCallback): number {
    const place = this.placeFor(callback);
    if (place === NO_SPACE) return NO_SPACE;
    const ticket = this.session.unsubscribe(this.listOf(topicFilter, 0), null);
    return this.done(ticket, place, callback, this.board.nowMs());
  }

  /** With `manualAcknowledgement`: the message with the receipt `message.event.receipt` is dealt with. */
  acknowledge(receipt: number): number {
    const status = this.session.acknowledge(receipt);
    this.run();
    return status;
  }

  /** Tells no events until `resume`: the server feels it once the window is full. */
  pause(): void {
    this.line.pause();
  }

  resume(): void {
    this.line.resume(this.board.nowMs());
  }

  /** Has verbs of `session` take effect, for those that have no method here. */
  run(): void {
    this.line.run(this.board.nowMs());
  }

  /** The network is gone; see Line.drop. */
  drop(error: unknown): void {
    this.line.drop(error);
  }

  /** The network is back; see Line.retry. */
  retry(): void {
    this.line.retry();
  }

  /**
   * Says goodbye and stays away until `connect`: what was published before goes out first, what is not acknowledged
   * stays in the outbox. Returns OK, or NOT_CONNECTED.
   */
  disconnect(): number {
    const nowMs = this.board.nowMs();
    const status = this.session.disconnect(0, -1, nowMs);
    this.line.run(nowMs);
    return status;
  }

  /** Ends for good, without a word to the server, which publishes the will. Whoever waits is told CLOSED. */
  close(): void {
    this.line.close();
    for (let i = 0; i < this.callbacks.length; i++) {
      const callback = this.callbacks[i];
      this.tickets[i] = 0;
      this.callbacks[i] = null;
      if (callback !== null) callback(CLOSED, 0);
    }
  }

  // What the line reports.

  handleEvent(event: SessionEvent, nowMs: number): void {
    const options = this.options;
    if (options.onEvent !== undefined && options.onEvent(event, nowMs) === true) return;
    switch (event.kind) {
      case EVENT_MESSAGE:
        if (options.onMessage !== undefined) options.onMessage(this.message);
        return;
      case EVENT_PUBLISHED:
        this.settle(event, event.reasonCode);
        return;
      case EVENT_SUBSCRIBED:
      case EVENT_UNSUBSCRIBED:
        this.settle(event, event.status === OK ? highestCode(event) : 0);
        return;
      case EVENT_CONNECTED:
        if (options.onConnected !== undefined) options.onConnected(event);
        return;
      case EVENT_DISCONNECTED:
        if (options.onDisconnected !== undefined) options.onDisconnected(event);
        return;
      default:
    }
  }

  handleIdle(_nowMs: number): void {
    this.line.isIdleWanted = false;
    if (this.options.onWritable !== undefined) this.options.onWritable();
  }

  /** Calls who waits for the event's ticket; if nobody does, tells `onError` of a failure. */
  settle(event: SessionEvent, reasonCode: number): void {
    for (let i = 0; i < this.callbacks.length; i++) {
      const callback = this.callbacks[i];
      if (callback === null || this.tickets[i] !== event.ticket) continue;
      this.tickets[i] = 0;
      this.callbacks[i] = null;
      callback(event.status, reasonCode);
      return;
    }
    const isFailure = event.status !== OK || reasonCode >= 0x80;
    if (isFailure && this.options.onError !== undefined) this.options.onError(event);
  }

  /** Where `callback` can wait; NO_SPACE when there is a callback and no place. */
  placeFor(callback: DoneCallback | undefined): number {
    if (callback === undefined) return 0;
    const count = this.callbacks.length;
    for (let i = 0; i < count; i++) if (this.callbacks[i] === null) return i;
    if (count === this.tickets.length) return NO_SPACE;
    this.callbacks.push(null);
    return count;
  }

  /** A verb returned `ticket`: whoever waits for it takes the place; what it did takes effect. Returns the ticket. */
  done(ticket: number, place: number, callback: DoneCallback | undefined, nowMs: number): number {
    if (ticket < 0) {
      if (ticket === NO_SPACE) this.line.isIdleWanted = true;
      return ticket;
    }
    if (ticket === 0) {
      this.line.send();
      return 0;
    }
    if (callback !== undefined && ticket > 0) {
      this.tickets[place] = ticket;
      this.callbacks[place] = callback;
    }
    this.line.run(nowMs);
    return ticket;
  }

  listOf(topicFilter: string, options: number): FilterList {
    const list = new FilterList(new Uint8Array(3 + topicFilter.length * 3));
    list.add(topicFilter, options);
    return list;
  }
}

/** The highest reason code of SUBACK or UNSUBACK, 0 where there is none (3.1.1's UNSUBACK). */
function highestCode(event: SessionEvent): number {
  const packet = event.packet;
  let highest = 0;
  for (let i = 0; i < packet.listCount; i++) {
    const code = event.bytes[packet.listOffset + i];
    if (code > highest) highest = code;
  }
  return highest;
}
