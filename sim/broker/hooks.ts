/**
 * How an application takes part in a broker: who may connect, who may publish and subscribe what, what went by. Types
 * only.
 */
import type { Origin } from './link.ts';
import type { Message } from './message.ts';

/** A connected client, as hooks and inspection see it. */
export interface ClientView {
  readonly clientId: string;
  /** Who authenticated, or null for an anonymous client. */
  readonly userName: string | null;
  /** 5, or 4 for 3.1.1. */
  readonly protocolVersion: number;
  readonly origin: Origin;
}

/** What a CONNECT claims. */
export interface ConnectAttempt {
  /** As the client sent it, or as it will be assigned. */
  readonly clientId: string;
  readonly userName: string | null;
  /** A copy; null where there was none. */
  readonly password: Uint8Array | null;
  readonly protocolVersion: number;
  readonly cleanStart: boolean;
  readonly origin: Origin;
  readonly nowMs: number;
}

/** Whether a client may connect. */
export interface Verdict {
  /** 0 lets it in; else a CONNACK reason code (5.0's, which 3.1.1 clients hear as the nearest return code). */
  reasonCode: number;
  reasonString?: string | undefined;
  /** Who it is, if that is not the user name that it gave. */
  userName?: string | null | undefined;
  /** With 0x9C Use another server or 0x9D Server moved. */
  serverReference?: string | undefined;
}

/** What comes of one message of enhanced authentication (4.12). */
export type AuthenticationStep =
  | { kind: 'continue'; data: Uint8Array }
  | { kind: 'success'; data: Uint8Array | null; userName: string | null }
  | { kind: 'failure'; reasonCode: number; reasonString?: string | undefined };

/** One exchange with one client. */
export interface AuthenticationExchange {
  /** Takes the client's data: of CONNECT (null where it sent none), then of each AUTH. A rejection counts as 0x80. */
  step(data: Uint8Array | null): AuthenticationStep | Promise<AuthenticationStep>;
}

/** An authentication method, by the name that clients give. */
export interface AuthenticationMethod {
  readonly name: string;
  begin(attempt: ConnectAttempt): AuthenticationExchange;
}

/** What a client wants to do with a topic. `deliver` is asked for each message to each client, if the hook exists. */
export type Access = 'publish' | 'subscribe';

export interface Hooks {
  /**
   * Asked for every CONNECT without an Authentication Method. Absent: everybody is let in. A promise that rejects refuses
   * with 0x80.
   */
  authenticate?(attempt: ConnectAttempt): Verdict | Promise<Verdict>;
  /** Enhanced authentication; a method that is not here is refused with 0x8C. */
  methods?: readonly AuthenticationMethod[];
  /** Asked when an authentication ended: true when it succeeded. For limits per address. */
  authenticated?(attempt: ConnectAttempt, isSuccess: boolean): void;
  /**
   * Asked for every PUBLISH (topic name), will (at CONNECT) and filter of a SUBSCRIBE (topic filter, of a shared one
   * without `$share/NAME/`). Decides at once, from memory. Absent: everything is allowed.
   */
  authorise?(client: ClientView, access: Access, topic: string): boolean;
  /**
   * Told of every message before it is routed, of in-process publishers as well (client null). Returns nothing to let it
   * go on, or a reason code of PUBACK from 0x80 that refuses it. The message's bytes are lent: `message.keep()` to keep it.
   */
  published?(message: Message, client: ClientView | null): number | undefined;
  /** Told of every message put on its way to a client's network. Lent as above. */
  delivered?(message: Message, client: ClientView): void;
  connected?(client: ClientView, isSessionPresent: boolean): void;
  /** `reasonCode`: of the DISCONNECT that either side sent; null when there was none. `reason` in words, for logs. */
  disconnected?(client: ClientView, reasonCode: number | null, reason: string): void;
  /** Told why a network connection ended that never became a client. */
  refused?(origin: Origin, clientId: string, reasonCode: number, reason: string): void;
}
