/**
 * SCRAM-SHA-256 as MQTT 5.0's enhanced authentication (4.12), for whoever runs a session by events: the client's first
 * message in CONNECT, its last in AUTH, the server's in AUTH and CONNACK. Keys are derived in slices between which the
 * board does what else there is to do, keep-alive included. Knows no socket; its timer is the line's.
 *
 * A server that cannot show that it knows the password is told nothing more: DISCONNECT follows before any message that
 * waits is sent, and `error` says why. Nobody should send a password in CONNECT besides.
 */
import { codedError } from '../assert.ts';
import type { CodedError } from '../assert.ts';
import { NO_SPACE, PACKET_TOO_LARGE } from '../status.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { byteLengthAt } from '../packets/packet.ts';
import { P_AUTHENTICATION_DATA } from '../packets/property-table.ts';
import {
  EVENT_AUTHENTICATE,
  EVENT_AUTHENTICATED,
  EVENT_CONNECTED,
  EVENT_CONNECTING,
  EVENT_DISCONNECTED,
} from '../session/event.ts';
import type { SessionEvent } from '../session/event.ts';
import type { Session } from '../session/session.ts';
import type { ScramClient } from './client.ts';
import { SCRAM_SHA_256 } from './messages.ts';

/** What runs the session: a Line is one. */
export interface AuthenticationHost {
  readonly session: Session;
  readonly board: {
    nowMs(): number;
    /** Calls `callback` once, not before this returns. */
    setTimer(callback: () => void, ms: number): unknown;
  };
  /** Has verbs take effect. */
  run(nowMs: number): void;
}

/** Of DISCONNECT: why is nothing to tell who is perhaps an impostor. */
const IMPLEMENTATION_SPECIFIC_ERROR = 0x83;
/** Milliseconds until an answer that found no room in the transmit ring is tried again. */
const NO_SPACE_RETRY_MS = 20;

export class ScramAuthenticator {
  /** What the session's option `authenticationMethod` must be. */
  method: string;
  client: ScramClient;
  roundsPerSlice: number;
  /** Why this side ended the last connection, or null: an error with a code ERR_SCRAM_*. */
  error: CodedError | null;
  host: AuthenticationHost | null;
  isTimerSet: boolean;
  /** The client's last message, while there is no room for it. */
  answer: Uint8Array | null;
  onTimer: () => void;

  /** One for one session. `roundsPerSlice`, at least 1, are the rounds of PBKDF2 done at a time. */
  constructor(client: ScramClient, roundsPerSlice: number) {
    this.method = SCRAM_SHA_256;
    this.client = client;
    this.roundsPerSlice = roundsPerSlice;
    this.error = null;
    this.host = null;
    this.isTimerSet = false;
    this.answer = null;
    this.onTimer = (): void => {
      this.handleTimer();
    };
  }

  /**
   * To be called with every event of `host`'s session, first of all. Returns whether the event ends here: its owner must
   * do nothing about it then, least of all take the session for connected.
   */
  handleEvent(host: AuthenticationHost, event: SessionEvent, nowMs: number): boolean {
    switch (event.kind) {
      case EVENT_CONNECTING:
        this.host = host;
        this.error = null;
        host.session.setAuthenticationData(this.client.first());
        return true;
      case EVENT_AUTHENTICATE:
        this.handleServerFirst(host, event, nowMs);
        return true;
      case EVENT_CONNECTED:
      case EVENT_AUTHENTICATED:
        return !this.handleServerFinal(host, event, nowMs);
      case EVENT_DISCONNECTED:
        this.answer = null;
        this.client.abandon();
        return false;
      default:
        return false;
    }
  }

  /**
   * Authenticates anew on the living connection [MQTT-4.12.1-1]; EVENT_AUTHENTICATED follows, or the end of the
   * connection. Returns OK, NOT_CONNECTED or NO_SPACE. Throws ERR_AUTHENTICATING while it does so already.
   */
  reauthenticate(host: AuthenticationHost, nowMs: number): number {
    if (this.client.isUnderWay()) {
      throw codedError('ERR_AUTHENTICATING', 'an authentication is under way already');
    }
    this.host = host;
    const status = host.session.reauthenticate(this.client.first(), nowMs);
    if (status < 0) this.client.abandon();
    return status;
  }

  handleServerFirst(host: AuthenticationHost, event: SessionEvent, nowMs: number): void {
    try {
      this.answer = this.client.handleServerFirst(dataOf(event) ?? NO_BYTES);
    } catch (error) {
      this.fail(host, error as CodedError, nowMs);
      return;
    }
    if (this.answer === null) this.setTimer(host, 0);
    else this.sendAnswer(host, nowMs);
  }

  /** Returns whether the server is who it has to be. */
  handleServerFinal(host: AuthenticationHost, event: SessionEvent, nowMs: number): boolean {
    try {
      this.client.handleServerFinal(dataOf(event));
      return true;
    } catch (error) {
      this.fail(host, error as CodedError, nowMs);
      return false;
    }
  }

  fail(host: AuthenticationHost, error: CodedError, nowMs: number): void {
    this.error = error;
    host.session.disconnect(IMPLEMENTATION_SPECIFIC_ERROR, -1, nowMs); // [MQTT-4.12.1-2]
  }

  setTimer(host: AuthenticationHost, ms: number): void {
    if (this.isTimerSet) return;
    this.isTimerSet = true;
    host.board.setTimer(this.onTimer, ms);
  }

  /** Derives a slice of the key, also when the connection it was for is gone: the next one will need it. */
  handleTimer(): void {
    const host = this.host;
    const client = this.client;
    this.isTimerSet = false;
    if (host === null) return;
    if (!client.derive(this.roundsPerSlice)) {
      this.setTimer(host, 0);
      return;
    }
    if (client.isFinalDue()) this.answer = client.final();
    const nowMs = host.board.nowMs();
    this.sendAnswer(host, nowMs);
    host.run(nowMs);
  }

  sendAnswer(host: AuthenticationHost, nowMs: number): void {
    if (this.answer === null) return;
    const status = host.session.authenticate(this.answer, nowMs);
    if (status === NO_SPACE) {
      this.setTimer(host, NO_SPACE_RETRY_MS);
      return;
    }
    this.answer = null;
    if (status === PACKET_TOO_LARGE) {
      const text = 'the answer is larger than the server takes';
      this.fail(host, codedError('ERR_PACKET_TOO_LARGE', text), nowMs);
    }
  }
}

/** The event's Authentication Data, alive for as long as the event, or null. */
function dataOf(event: SessionEvent): Uint8Array | null {
  const packet = event.packet;
  if (!packet.has(P_AUTHENTICATION_DATA)) return null;
  const at = packet.values[P_AUTHENTICATION_DATA];
  return event.bytes.subarray(at, at + byteLengthAt(event.bytes, at));
}
