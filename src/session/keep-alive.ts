/**
 * The keep-alive: when PINGREQ is due, and PINGREQ itself.
 */
import { encodePing } from '../packets/control.ts';
import { PINGREQ } from '../packets/types.ts';
import type { SessionState } from './state.ts';
import { NEVER } from './timers.ts';

/** Something was written: the keep-alive starts anew [MQTT-3.1.2-20]. */
export function noteSent(s: SessionState, nowMs: number): void {
  s.lastSentMs = nowMs;
  if (s.keepAliveMs === 0) {
    s.pingAtMs = NEVER;
    return;
  }
  const idleMs = nowMs + s.keepAliveMs;
  // A client that only sends would never find out that nobody listens: silence for twice as long asks, too.
  const silentMs = s.lastReceivedMs + 2 * s.keepAliveMs;
  s.pingAtMs = silentMs < idleMs && s.pingTimeoutAtMs === NEVER ? silentMs : idleMs;
}

/**
 * Writes PINGREQ; the PINGRESP has `pingTimeoutMs` from now, or from an earlier PINGREQ that was not answered. One
 * that was not answered is followed by others only while the ring is empty: the reserved bytes are not for them.
 */
export function writePing(s: SessionState, nowMs: number): void {
  const transmit = s.transmit;
  const isFirst = s.pingTimeoutAtMs === NEVER;
  if ((isFirst || transmit.byteLength() === 0) && transmit.reserve(2)) {
    transmit.end = encodePing(transmit.bytes, transmit.end, transmit.bytes.length, PINGREQ);
  }
  if (isFirst) {
    s.lastReceivedMs = nowMs;
    s.pingTimeoutAtMs = nowMs + s.pingTimeoutMs;
  }
  s.lastSentMs = nowMs;
  s.pingAtMs = nowMs + s.keepAliveMs;
}
