/**
 * What a broker counts: plain numbers that only grow, and gauges computed when asked. `$SYS` topics, metrics and tests
 * read them; nothing decides by them.
 */
import { LIMIT_NAMES, type LimitName } from './limits.ts';

export class Counters {
  /** Network connections accepted, CONNECTs that led to a CONNACK of success, and those refused. */
  connectionsOpened = 0;
  connectsAccepted = 0;
  connectsRefused = 0;
  /** The most clients that were connected at the same time. */
  connectionsMaximum = 0;
  /** Connections that ended with DISCONNECT 0x00, with any other end. */
  disconnectsNormal = 0;
  disconnectsOther = 0;
  /** Connections whose session went to another connection. */
  takeovers = 0;
  /** Packets that broke the standard. */
  violations = 0;
  bytesReceived = 0;
  bytesSent = 0;
  packetsReceived = 0;
  packetsSent = 0;
  /** PUBLISH packets, of any QoS, retransmissions included. */
  publishReceived = 0;
  publishSent = 0;
  /** Messages that matched no subscription; that a client was not authorised to publish. */
  publishUnmatched = 0;
  publishRefused = 0;
  /** Messages dropped on their way to one session: queue full, expired, larger than its Maximum Packet Size. */
  droppedQueueFull = 0;
  droppedExpired = 0;
  droppedTooLarge = 0;
  /** QoS 0 messages that found their client's network busy and no room in the queue, or no client at all. */
  droppedQos0 = 0;
  willsPublished = 0;
  sessionsExpired = 0;
  authenticationFailures = 0;
  /** How often each limit was reached. */
  readonly limitHits: Record<LimitName, number> = Object.fromEntries(
    LIMIT_NAMES.map((name) => [name, 0]),
  ) as Record<LimitName, number>;
}

/** How much there is of something now. */
export interface Gauges {
  /** Clients that are connected. */
  connections: number;
  /** Connected or kept. */
  sessions: number;
  subscriptions: number;
  retainedMessages: number;
  retainedBytes: number;
  /** Messages that wait in sessions; a message counts once for each. */
  queuedMessages: number;
  queuedBytes: number;
  /** QoS 1 and 2 messages on their way to clients, not yet acknowledged. */
  inflight: number;
}
