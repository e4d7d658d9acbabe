/**
 * What the world asks of a broker: BrokerCore satisfies it, and so does the naive one. Knows nothing of MQTT.
 */
import type { Link } from '../broker/link.ts';

/** One network connection, as the owner of its link calls it. */
export interface WorldConnection {
  /** Takes what arrived: any piece of the stream, lent for the call. */
  receive(bytes: Uint8Array, nowMs: number): void;
  /** The link is done with what `write` gave it. */
  handleWritten(nowMs: number): void;
  /** The network connection is gone, however that came: exactly once. */
  handleClose(nowMs: number): void;
}

/** A broker without I/O: links come in, time is an argument. */
export interface WorldBroker {
  /** A new network connection. */
  open(link: Link, nowMs: number): WorldConnection;
  /** Writes what there is to say. */
  flush(nowMs: number): void;
  /** When there is something to do, or Infinity. */
  nextDeadlineMs(): number;
  /** Does what is due. */
  advance(nowMs: number): void;
}
