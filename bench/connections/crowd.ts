/**
 * Very many connections of one process, made four ways: bare sockets, our sessions with their driver as a fleet has them,
 * our promise client, and MQTT.js. Each can also publish at an interval, as simulated devices do. Measures nothing.
 */
import { Wheel } from '../../sim/fleet/wheel.ts';
import type { Qos } from '../client/peer.ts';

export type CrowdKind = 'bare' | 'driver' | 'client' | 'theirs';

export interface Crowd {
  /** Opens one more; resolves at CONNACK. */
  open(): Promise<unknown>;
  /** From now on each publishes once an interval, all of them spread over it evenly. */
  startPublishing(qos: Qos, intervalMs: number): void;
  /** Messages published so far. */
  readonly published: number;
}

/** 64 bytes, the same for all. */
export const PAYLOAD = Buffer.from('{"temperature":21.34,"humidity":55.1,"battery":3.71,"rssi":-67 }');

/** 11 characters. */
export const clientIdOf = (index: number): string => `crowd-${String(index).padStart(5, '0')}`;
export const topicOf = (index: number): string => `crowd/${String(index).padStart(5, '0')}/telemetry`;

/**
 * Has each member publish once an interval, all of them spread over it evenly, by one wheel for whoever is measured: timers
 * of their own, as MQTTX has them, come to fire together wherever the machine was late once, and then cost less than what
 * is asked for.
 */
export function startWheel<Member>(
  members: readonly Member[],
  intervalMs: number,
  publish: (member: Member) => void,
): void {
  const startMs = performance.now();
  const wheel = new Wheel(members.length, startMs);
  members.forEach((_, index) => wheel.schedule(index, startMs + (index * intervalMs) / members.length));
  const handleDue = (index: number, dueMs: number): void => {
    publish(members[index]);
    wheel.schedule(index, dueMs + intervalMs);
  };
  const turn = (): void => {
    wheel.advance(performance.now(), Infinity, handleDue);
    setTimeout(turn, Math.max(1, wheel.nextMs() - performance.now()));
  };
  turn();
}

/** Opens `count` connections, `width` of them at a time. */
export async function openMany(crowd: Crowd, count: number, width: number): Promise<void> {
  let begun = 0;
  const openNext = async (): Promise<void> => {
    while (begun < count) {
      begun++;
      await crowd.open();
    }
  };
  await Promise.all(Array.from({ length: width }, openNext));
}
