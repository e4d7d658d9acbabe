/**
 * Verbs for tests of publishing in pieces. Knows a driver, and nothing of what should come of it.
 */
import type { PropertyWriter } from '../../src/packets/properties.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import type { SessionDriver } from '../support/session-driver.ts';
import { bytesOf } from '../support/session-driver.ts';

/** A payload in which every byte says where it stands. */
export function payloadOf(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

/** Begins a message; returns what the session does. */
export function begin(
  { session, nowMs }: SessionDriver,
  byteLength: number,
  qos = 0,
  topic: string | TopicHandle = 'to/server',
  retain = 0,
  properties: PropertyWriter | null = null,
): number {
  return typeof topic === 'string'
    ? session.beginPublish(null, bytesOf(topic), byteLength, qos, retain, properties, nowMs)
    : session.beginPublish(topic, topic.bytes, byteLength, qos, retain, properties, nowMs);
}

/** Gives `bytes[at]` up to `end`, and lets the transport take what it will; returns what the session does. */
export function give(driver: SessionDriver, bytes: Uint8Array, at = 0, end = bytes.length): number {
  const taken = driver.session.continuePublish(bytes, at, end - at, driver.nowMs);
  driver.run();
  return taken;
}

/** Gives what is left of `bytes`, as much at a time as is taken. The transport must take it. */
export function giveAll(driver: SessionDriver, bytes: Uint8Array): void {
  for (;;) {
    const left = driver.session.unsentPayloadByteLength();
    if (left === 0) return;
    if (give(driver, bytes, bytes.length - left) <= 0) throw new Error('nothing is taken');
  }
}
