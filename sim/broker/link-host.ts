/**
 * What a link of this directory needs of the broker that it belongs to. Types only.
 */
import type { Link } from './link.ts';

/** The core's side of a link: what the link tells it. */
export interface LinkReceiver {
  /** `bytes` are lent for the call. */
  receive(bytes: Uint8Array, nowMs: number): void;
  handleWritten(nowMs: number): void;
  /** Exactly once, and last. */
  handleClose(nowMs: number): void;
}

/** The broker's side: links call their receivers through it, so that it sees the end of the turn coming. */
export interface LinkHost {
  open(link: Link): LinkReceiver;
  receive(link: Link, receiver: LinkReceiver, bytes: Uint8Array): void;
  handleWritten(link: Link, receiver: LinkReceiver): void;
  handleClose(link: Link, receiver: LinkReceiver): void;
}
