/**
 * Moves bytes between a transport and a session, and events to their sink: the same loop on a board, in Node and in
 * the simulator. Knows neither sockets nor clocks: the target calls in with what happened and when.
 */
import type { Session } from './session/session.ts';
import { TRANSPORT_NONE, TRANSPORT_OPEN } from './session/connection.ts';
import { EVENT_NONE } from './session/event.ts';
import type { SessionEvent } from './session/event.ts';
import type { Ring } from './wire/ring.ts';

/** A byte stream to a server, as a target provides it. It reports by the pump's `handle…` methods, never from within these calls. */
export interface Transport {
  /** Begins to open; answered by `handleOpened` or `handleClosed`. */
  open(): void;
  /**
   * Takes what it can of the ring's content and consumes that from the ring: all of it, some, or nothing while it is
   * congested; then `handleWritable` follows. The bytes must not be looked at after the call returns.
   */
  write(ring: Ring): void;
  /** Closes, once what was taken has been sent; nothing is reported any more. */
  close(): void;
}

/** Who gets the events. */
export interface EventSink {
  /** An event, alive until this returns. To stop getting more for a while, call the pump's `pause`. */
  handleEvent(event: SessionEvent, nowMs: number): void;
  /** The next time `handleTimeout` has to be called: milliseconds, Infinity for never. Called when it changes. */
  handleDeadline(atMs: number): void;
}

export class Pump {
  session: Session;
  transport: Transport;
  sink: EventSink;
  isPaused: boolean;
  /** The loop is running: calls from within it only leave their mark. */
  isRunning: boolean;
  isAgain: boolean;
  hasTransport: boolean;
  /** The transport closed by itself, and the session is not told yet: what it delivered comes first. */
  isClosedDue: boolean;
  deadlineMs: number;

  constructor(session: Session, transport: Transport, sink: EventSink) {
    this.session = session;
    this.transport = transport;
    this.sink = sink;
    this.isPaused = false;
    this.isRunning = false;
    this.isAgain = false;
    this.hasTransport = false;
    this.isClosedDue = false;
    this.deadlineMs = Infinity;
  }

  /** The transport is open. */
  handleOpened(nowMs: number): void {
    this.session.handleOpened(nowMs);
    this.run(nowMs);
  }

  /** The transport is closed, or did not open. What it delivered before is told first, when paused after `resume`. */
  handleClosed(nowMs: number): void {
    this.hasTransport = false;
    this.isClosedDue = true;
    this.run(nowMs);
  }

  /** The session's deadline may have come. */
  handleTimeout(nowMs: number): void {
    this.session.handleTimeout(nowMs);
    this.run(nowMs);
  }

  /** No events until `resume`: received bytes stay in the window, and the server feels it. */
  pause(): void {
    this.isPaused = true;
  }

  resume(nowMs: number): void {
    this.isPaused = false;
    this.run(nowMs);
  }

  /**
   * Polls and writes until nothing moves any more. To be called after bytes came into the receive window, after the
   * transport became writable, and after verbs.
   */
  run(nowMs: number): void {
    if (this.isRunning) {
      this.isAgain = true;
      return;
    }
    this.isRunning = true;
    const session = this.session;
    const ring = session.transmit;
    try {
      do {
        this.isAgain = false;
        if (!this.isPaused) {
          while (session.poll(nowMs) !== EVENT_NONE) {
            this.sink.handleEvent(session.event, nowMs);
            if (this.isPaused) break;
          }
        }
        if (session.state.transportAction !== TRANSPORT_NONE) this.move();
        else if (ring.end > ring.start) this.write();
        if (this.isClosedDue && !this.isAgain) this.tellClosed(nowMs);
      } while (this.isAgain);
    } finally {
      // What a sink throws is its owner's to handle, and must not be the pump's last.
      this.isRunning = false;
    }
    const deadlineMs = session.nextTimeoutMs();
    if (deadlineMs !== this.deadlineMs) {
      this.deadlineMs = deadlineMs;
      this.sink.handleDeadline(deadlineMs);
    }
  }

  /** Tells the session that the transport is closed, unless bytes that came before wait for `resume`. */
  tellClosed(nowMs: number): void {
    if (this.isPaused && this.session.receive.byteLength() > 0) return;
    this.isClosedDue = false;
    this.session.handleClosed(nowMs);
    this.isAgain = true;
  }

  /** Opens or closes as the session wants it. */
  move(): void {
    const action = this.session.takeTransportAction();
    // The session has given the transport up by itself: how it ended is of no interest any more.
    this.isClosedDue = false;
    if (this.hasTransport) {
      this.write();
      this.transport.close();
      this.hasTransport = false;
    }
    // What the last transport did not take is not for the next one.
    this.session.transmit.clear();
    if (action === TRANSPORT_OPEN) {
      this.hasTransport = true;
      this.transport.open();
    }
    // The end of a connection may have an event waiting behind the action.
    this.isAgain = true;
  }

  write(): void {
    const ring = this.session.transmit;
    const byteLength = ring.byteLength();
    if (byteLength === 0) return;
    // Without a transport nobody will read it; and it must not keep the session from taking what was received.
    if (this.hasTransport) this.transport.write(ring);
    else ring.clear();
    // There is room again: more may be waiting for it.
    if (ring.byteLength() < byteLength) this.isAgain = true;
  }
}
