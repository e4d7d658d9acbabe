/**
 * What a broker tells of itself under `$SYS/broker/`: the topics of Mosquitto, which tools know, as far as they have a
 * meaning here. Who may read them and how often they are published is decided elsewhere.
 */
import type { Counters, Gauges } from './counters.ts';

/** Topic Names with their payloads. `version` is motemq's. */
export function sysValues(
  counters: Counters,
  gauges: Gauges,
  startedMs: number,
  nowMs: number,
  version: string,
): [topicName: string, text: string][] {
  const { connections, sessions } = gauges;
  const dropped =
    counters.droppedQueueFull + counters.droppedExpired + counters.droppedTooLarge + counters.droppedQos0;
  const values: [string, string | number][] = [
    ['version', `motemq version ${version}`],
    ['uptime', `${Math.floor((nowMs - startedMs) / 1000)} seconds`],
    ['clients/connected', connections],
    ['clients/disconnected', Math.max(0, sessions - connections)],
    ['clients/expired', counters.sessionsExpired],
    ['clients/maximum', counters.connectionsMaximum],
    ['clients/total', sessions],
    // Packets of every type are Mosquitto's "messages"; PUBLISH packets its "publish/messages".
    ['messages/received', counters.packetsReceived],
    ['messages/sent', counters.packetsSent],
    ['publish/messages/received', counters.publishReceived],
    ['publish/messages/sent', counters.publishSent],
    ['publish/messages/dropped', dropped],
    ['bytes/received', counters.bytesReceived],
    ['bytes/sent', counters.bytesSent],
    ['subscriptions/count', gauges.subscriptions],
    ['retained messages/count', gauges.retainedMessages],
    ['messages/inflight', gauges.inflight],
    // As there, both what waits and what is retained.
    ['store/messages/count', gauges.queuedMessages + gauges.retainedMessages],
    ['store/messages/bytes', gauges.queuedBytes + gauges.retainedBytes],
  ];
  return values.map(([name, value]) => [`$SYS/broker/${name}`, String(value)]);
}
