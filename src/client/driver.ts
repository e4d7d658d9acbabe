/**
 * Drives one session on a platform: lends it received bytes without copying them, gathers what a turn of the event
 * loop writes into one write, keeps one timer, and gives it larger buffers when it needs them, up to stated limits.
 * Both the promise client and the fleet's devices stand on this.
 */
import { NO_BYTES } from '../wire/bytes.ts';
import { codedError } from '../assert.ts';
import { NO_SPACE, PACKET_TOO_LARGE } from '../status.ts';
import { RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import { Pump } from '../pump.ts';
import { WAITING } from '../session/connection.ts';
import { CAUSE_NONE, EVENT_CONNECTED } from '../session/event.ts';
import type { SessionEvent } from '../session/event.ts';
import type { FilterList } from '../session/filter-list.ts';
import { RECORD_HEAD_BYTES } from '../session/outbox.ts';
import { Session } from '../session/session.ts';
import type { SessionOptions } from '../session/options.ts';
import type { PersistentStore } from '../session/store.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import {
  growForConnect,
  growForWaiting,
  growForWritten,
  growOutbox,
  growTransmit,
  makeSubscriptionRoom,
  shrink,
  sizeFor,
} from './growth.ts';
import type { ClientTransport, Platform } from './platform.ts';

/** A window of its own that a driver keeps between partial packets. */
const KEPT_WINDOW_BYTES_MAX = 2048;
/** Why a driver is paused: buffers of the application are full, or its authentication takes its time. */
export const PAUSED_BY_BUFFERS = 1;
export const PAUSED_BY_AUTHENTICATION = 2;

/** Transmit rings of this size are lent for as long as something is in them, up to so many. A larger one stays. */
const LENT_RING_BYTES = 512;
const LEAST_RING_BYTES = 256;
const LENT_RINGS_MAX = 4096;

/** The least a session takes for a window, and nothing uses: what is received is lent. */
const LEAST_WINDOW = new Uint8Array(64);

/** How large a driver's buffers begin and may become, in bytes. */
export interface BufferLimits {
  /** A PUBLISH up to this long is told whole, a longer one in fragments. Default 65,536. */
  receiveWindowBytes?: number | undefined;
  transmitBytes?: number | undefined;
  /** The largest packet that can be sent. Default 16 MiB. */
  transmitBytesMax?: number | undefined;
  outboxBytes?: number | undefined;
  /** All that waits for the server, QoS 1 and 2 in flight included. Default 16 MiB. */
  outboxBytesMax?: number | undefined;
}

/** Who gets a driver's events. */
export interface DriverOwner {
  /** An event, alive until this returns. */
  handleEvent(event: SessionEvent): void;
}

/** Session options without what the driver provides. */
export type DriverSessionOptions = Omit<
  SessionOptions,
  'buffers' | 'random' | 'packet' | 'event' | 'store'
> & {
  random?: (() => number) | undefined;
  store?: PersistentStore | undefined;
};

export class Driver {
  session: Session;
  pump: Pump;
  transport: ClientTransport;
  /** Why the transport closed or did not open, the last time; undefined if it just ended. */
  transportError: Error | undefined;
  readonly platform: Platform;
  private owner: DriverOwner;
  /** Called at the end of a run with nothing unsent. */
  onIdle: (() => void) | undefined = undefined;
  /** PAUSED_BY_*, added up. */
  private pauses = 0;
  private isDeferred = false;
  private isReadingPaused = false;
  private timer: unknown = undefined;
  private timerAtMs = Infinity;
  private ownWindow: Uint8Array = NO_BYTES;
  private readonly window: number;
  private readonly rings: Uint8Array[] | undefined;
  private readonly transmitBytesMax: number;
  private readonly outboxBytesMax: number;
  /** The overflow option: the session has it only while there is no other way to make room. */
  private readonly isDropping: boolean;
  private readonly onTimer: () => void;

  constructor(platform: Platform, options: DriverSessionOptions, limits: BufferLimits, owner: DriverOwner) {
    this.platform = platform;
    this.owner = owner;
    this.window = limits.receiveWindowBytes ?? 65536;
    this.transmitBytesMax = limits.transmitBytesMax ?? 16777216;
    this.outboxBytesMax = limits.outboxBytesMax ?? 16777216;
    // Who asks for a size gets a ring of that size, to keep.
    const isLending = limits.transmitBytes === undefined && this.transmitBytesMax >= LENT_RING_BYTES;
    this.rings = isLending ? platform.rings : undefined;
    this.session = new Session({
      ...options,
      random: options.random ?? platform.random,
      packet: platform.packet,
      event: platform.event,
      buffers: {
        receive: LEAST_WINDOW,
        transmit: this.rings?.pop() ?? new Uint8Array(limits.transmitBytes ?? LEAST_RING_BYTES),
        outbox: limits.outboxBytes === undefined ? NO_BYTES : new Uint8Array(limits.outboxBytes),
        subscriptions: NO_BYTES,
      },
    });
    this.isDropping = this.session.state.isDropping;
    this.session.state.isDropping = false;
    this.session.state.codec.windowByteLength = this.window;
    this.session.receive.bytes = NO_BYTES;
    if (options.store !== undefined) this.restore(options.store);
    this.transport = platform.createTransport(this);
    this.pump = new Pump(this.session, this.transport, this);
    this.onTimer = (): void => {
      this.handleTimer();
    };
  }

  /** Begins to connect. */
  connect(): void {
    this.takeRing();
    growForConnect(this.session, this.transmitBytesMax);
    this.session.connect(this.platform.nowMs());
    this.run();
  }

  /** Has the pump run before the event loop turns: once, however many verbs ask for it. */
  defer(): void {
    if (this.isDeferred) return;
    this.isDeferred = true;
    this.platform.defer(this);
  }

  flush(): void {
    this.isDeferred = false;
    this.run();
  }

  /** Runs the pump now, or, while a session is being polled, at the end of the turn. */
  run(): void {
    const platform = this.platform;
    if (platform.isPolling) {
      this.defer();
      return;
    }
    platform.isPolling = true;
    this.takeRing();
    growForWaiting(this.session, this.transmitBytesMax);
    const bytesOut = this.transport.bytesOut;
    try {
      this.pump.run(platform.nowMs());
    } finally {
      platform.isPolling = false;
    }
    growForWritten(this.session, this.transport.bytesOut - bytesOut, this.transmitBytesMax);
    this.keepRest();
    shrink(this.session);
    this.returnRing();
    if (this.onIdle !== undefined && !this.hasUnsent()) this.onIdle();
  }

  /** Stops telling events until `resume`, for the reason PAUSED_BY_*; the server feels it once the buffers are full. */
  pause(reason: number): void {
    this.pauses |= reason;
    this.pump.pause();
  }

  /** Goes on, at the end of the turn, unless there is another reason not to. */
  resume(reason: number): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0) return;
    this.pump.isPaused = false;
    this.defer();
  }

  /** For a connection that is over, of which to tell: nothing more comes from it, and the next one begins afresh. */
  private resumeAll(): void {
    this.pauses = 0;
    this.pump.isPaused = false;
  }

  /** Whether something is not written yet, or is QoS 1 or 2 and not taken over by the server. */
  hasUnsent(): boolean {
    return (
      this.session.isBusy() || this.session.transmit.byteLength() > 0 || this.transport.isCongested === true
    );
  }

  /**
   * Publishes as Session.publish does (`handle`) or publishTo (`topicName`), with buffers that grow to their limits.
   * Messages that wait are dropped for it, where the options say so, when those are reached. Returns ticket, 0 or a
   * status.
   */
  publish(
    handle: TopicHandle | null,
    topicName: Uint8Array,
    payload: Uint8Array,
    payloadByteLength: number,
    qos: number,
    retain: number,
    properties: PropertyWriter | null,
  ): number {
    const session = this.session;
    // Nothing is made larger for what this server would not take anyway [MQTT-3.2.2-15].
    if (payloadByteLength >= session.state.serverMaximumPacketSize && session.isConnected()) {
      return PACKET_TOO_LARGE;
    }
    this.takeRing();
    const byteLength = topicName.length + payloadByteLength + (properties?.byteLength ?? 0) + 32;
    if (session.transmit.freeByteLength() < byteLength + RESERVED_TRANSMIT_BYTES) {
      // Room is made by larger storage while that is small, then by writing what is there.
      if (!growTransmit(this.session, byteLength, this.transmitBytesMax)) this.run();
    }
    for (let isDropping = false; ;) {
      const nowMs = this.platform.nowMs();
      session.state.isDropping = isDropping;
      const status =
        handle === null
          ? session.publishTo(topicName, payload, payloadByteLength, qos, retain, properties, nowMs)
          : session.publish(handle, payload, payloadByteLength, qos, retain, properties, nowMs);
      session.state.isDropping = false;
      if (status >= 0) {
        this.defer();
        return status;
      }
      if (status !== NO_SPACE && status !== PACKET_TOO_LARGE) return status;
      if (growTransmit(this.session, byteLength, this.transmitBytesMax)) continue;
      // What is too large although it would fit is so for the server.
      const isFitting = session.state.outbox.bytes.length >= byteLength + RECORD_HEAD_BYTES;
      if (status === PACKET_TOO_LARGE && isFitting) return status;
      if (growOutbox(this.session, byteLength + RECORD_HEAD_BYTES, this.outboxBytesMax)) continue;
      if (isDropping || !this.isDropping) return status;
      isDropping = true;
    }
  }

  /** Session.subscribe, with room made for the filters. */
  subscribe(list: FilterList, identifier: number, userProperties: PropertyWriter | null): number {
    this.takeRing();
    makeSubscriptionRoom(this.session, list, userProperties, this.transmitBytesMax);
    const ticket = this.session.subscribe(list, identifier, userProperties);
    this.defer();
    return ticket;
  }

  /** Session.unsubscribe, likewise. */
  unsubscribe(list: FilterList, userProperties: PropertyWriter | null): number {
    this.takeRing();
    makeSubscriptionRoom(this.session, list, userProperties, this.transmitBytesMax);
    const ticket = this.session.unsubscribe(list, userProperties);
    this.defer();
    return ticket;
  }

  /** Session.setAuthenticationData, with room made for CONNECT. */
  setAuthenticationData(data: Uint8Array | null): void {
    this.session.setAuthenticationData(data);
    this.takeRing();
    growForConnect(this.session, this.transmitBytesMax);
  }

  /** Session.authenticate, or `reauthenticate` when it begins anew, likewise. */
  authenticate(data: Uint8Array | null, isAnew: boolean): number {
    const session = this.session;
    const byteLength = (session.state.authenticationMethod?.length ?? 0) + (data?.length ?? 0) + 32;
    this.takeRing();
    growTransmit(session, byteLength, this.transmitBytesMax);
    const nowMs = this.platform.nowMs();
    const status = isAnew ? session.reauthenticate(data, nowMs) : session.authenticate(data, nowMs);
    this.run();
    return status;
  }

  disconnect(reasonCode: number, sessionExpirySeconds: number): void {
    this.takeRing();
    this.session.disconnect(reasonCode, sessionExpirySeconds, this.platform.nowMs());
    this.resumeAll();
    this.run();
  }

  /** The network is gone: gives the connection up at once, instead of when a PINGRESP stays away. */
  drop(error?: Error): void {
    this.transportError = error;
    this.session.handleClosed(this.platform.nowMs());
    this.resumeAll();
    this.run();
  }

  /** The network is back: connects at once if the next attempt is being waited for, and has patience anew. */
  retry(): void {
    const { state } = this.session;
    state.attempts = 0;
    if (state.connection === WAITING) this.connect();
  }

  /** Ends for good, without a word. */
  close(): void {
    this.session.close(this.platform.nowMs());
    this.resumeAll();
    this.run();
    this.handleDeadline(Infinity);
  }

  // What the transport reports.

  handleOpened(): void {
    this.isReadingPaused = false;
    this.session.receive.clear();
    this.guarded((nowMs) => {
      this.pump.handleOpened(nowMs);
    });
  }

  handleBytes(bytes: Uint8Array, at: number, end: number): void {
    const ring = this.session.receive;
    if (ring.start === ring.end) {
      // Lent storage holds other bytes each time.
      this.session.state.codec.forget?.();
      ring.bytes = bytes;
      ring.start = at;
      ring.end = end;
    } else {
      if (!ring.reserve(end - at)) this.growWindow(end - at);
      ring.bytes.set(bytes.subarray(at, end), ring.end);
      ring.end += end - at;
    }
    this.run();
  }

  handleWritable(): void {
    this.run();
  }

  handleClosed(error?: Error): void {
    this.transportError = error;
    this.guarded((nowMs) => {
      this.pump.handleClosed(nowMs);
    });
  }

  // What the pump reports.

  handleEvent(event: SessionEvent): void {
    // What waited goes out next.
    if (event.kind === EVENT_CONNECTED) growForWaiting(this.session, this.transmitBytesMax);
    this.owner.handleEvent(event);
  }

  handleDeadline(atMs: number): void {
    // A timer that fires too early costs less than a new timer for every packet sent; one that nobody needs any more
    // would keep the process alive.
    if (atMs >= this.timerAtMs && atMs !== Infinity) return;
    if (this.timer !== undefined) this.platform.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAtMs = atMs;
    if (atMs === Infinity) return;
    const ms = atMs - this.platform.nowMs();
    this.timer = this.platform.setTimer(this.onTimer, ms < 1 ? 1 : Math.ceil(ms));
  }

  private handleTimer(): void {
    this.timer = undefined;
    this.timerAtMs = Infinity;
    this.guarded((nowMs) => {
      this.pump.handleTimeout(nowMs);
    });
    this.handleDeadline(this.session.nextTimeoutMs());
  }

  /** Calls into the pump with the shared records marked as in use. */
  private guarded(call: (nowMs: number) => void): void {
    const platform = this.platform;
    const wasPolling = platform.isPolling;
    platform.isPolling = true;
    this.takeRing();
    growForConnect(this.session, this.transmitBytesMax);
    try {
      call(platform.nowMs());
    } finally {
      platform.isPolling = wasPolling;
    }
    if (this.pauses !== 0 && this.session.state.endCause !== CAUSE_NONE) {
      this.resumeAll();
      this.defer();
    }
    this.keepRest();
    this.returnRing();
  }

  /** Before anything is written: a transmit ring that was given back is replaced by another one. */
  private takeRing(): void {
    const ring = this.session.transmit;
    if (ring.bytes.length === 0) ring.bytes = this.rings?.pop() ?? new Uint8Array(LENT_RING_BYTES);
  }

  /** A small ring with nothing in it is any connection's until there is something to write again. */
  private returnRing(): void {
    const { rings } = this;
    const ring = this.session.transmit;
    if (rings === undefined || ring.bytes.length > LENT_RING_BYTES || ring.end > ring.start) return;
    if (rings.length < LENT_RINGS_MAX && ring.bytes.length === LENT_RING_BYTES) rings.push(ring.bytes);
    ring.bytes = NO_BYTES;
  }

  /** What is left of lent bytes is copied: the lender wants them back. An empty window gives back its own storage. */
  private keepRest(): void {
    const ring = this.session.receive;
    const byteLength = ring.end - ring.start;
    if (byteLength === 0) {
      if (this.ownWindow.length > KEPT_WINDOW_BYTES_MAX) this.ownWindow = NO_BYTES;
      ring.bytes = this.ownWindow;
    } else if (ring.bytes !== this.ownWindow) {
      if (this.ownWindow.length < byteLength) this.ownWindow = new Uint8Array(sizeFor(byteLength, 512));
      this.ownWindow.set(ring.bytes.subarray(ring.start, ring.end));
      ring.bytes = this.ownWindow;
      ring.start = 0;
      ring.end = byteLength;
    }
    this.balanceReading(byteLength);
  }

  /** Reading stops while more waits than a window holds, and goes on once half of that is gone. */
  private balanceReading(byteLength: number): void {
    if (!this.isReadingPaused && (this.pump.isPaused ? byteLength > 0 : byteLength > this.window)) {
      this.isReadingPaused = true;
      this.transport.pauseReading();
    } else if (this.isReadingPaused && !this.pump.isPaused && byteLength <= this.window / 2) {
      this.isReadingPaused = false;
      this.transport.resumeReading();
    }
  }

  private growWindow(more: number): void {
    const ring = this.session.receive;
    const bytes = new Uint8Array(sizeFor(ring.byteLength() + more, 512));
    ring.replace(bytes);
    this.ownWindow = bytes;
  }

  /** Takes back what an earlier life of this client left in its store. Throws when it does not fit. */
  private restore(store: PersistentStore): void {
    const nowMs = this.platform.nowMs();
    store.each((kind, number, bytes) => {
      let status = this.session.restore(kind, number, bytes, 0, bytes.length, nowMs);
      if (status === NO_SPACE && growOutbox(this.session, bytes.length, this.outboxBytesMax)) {
        status = this.session.restore(kind, number, bytes, 0, bytes.length, nowMs);
      }
      if (status < 0) {
        throw codedError(
          'ERR_RESTORE_FAILED',
          'what the store holds is larger than outboxBytesMax or inflightMax',
        );
      }
    });
  }
}
