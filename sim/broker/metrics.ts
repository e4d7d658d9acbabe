/**
 * What a broker counts, over HTTP, as Prometheus reads it.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { hostAndPort } from './addresses.ts';
import type { Counters, Gauges } from './counters.ts';
import { LIMIT_NAMES } from './limits.ts';
import { listenError } from './listeners.ts';

/** What has numbers. */
export interface MetricsSource {
  readonly counters: Counters;
  gauges(): Gauges;
}

/** Metrics that can be fetched. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

type Numbers = { [Name in keyof Counters]: Counters[Name] extends number ? Name : never }[keyof Counters];

/** Counters without labels: name, what it says, where it comes from. */
const COUNTERS: [name: string, help: string, from: Numbers][] = [
  ['motemq_connections_opened_total', 'Network connections accepted.', 'connectionsOpened'],
  ['motemq_takeovers_total', 'Connections whose session went to another connection.', 'takeovers'],
  ['motemq_violations_total', 'Packets that broke the standard.', 'violations'],
  ['motemq_received_bytes_total', 'Bytes received, without TCP, TLS and WebSocket.', 'bytesReceived'],
  ['motemq_sent_bytes_total', 'Bytes sent, without TCP, TLS and WebSocket.', 'bytesSent'],
  ['motemq_packets_received_total', 'MQTT packets received.', 'packetsReceived'],
  ['motemq_packets_sent_total', 'MQTT packets sent.', 'packetsSent'],
  ['motemq_messages_received_total', 'PUBLISH packets received.', 'publishReceived'],
  ['motemq_messages_sent_total', 'PUBLISH packets sent.', 'publishSent'],
  ['motemq_messages_unmatched_total', 'Messages that matched no subscription.', 'publishUnmatched'],
  [
    'motemq_messages_refused_total',
    'Messages that a client was not authorised to publish.',
    'publishRefused',
  ],
  ['motemq_wills_published_total', 'Wills published.', 'willsPublished'],
  ['motemq_sessions_expired_total', 'Sessions that expired.', 'sessionsExpired'],
  ['motemq_authentication_failures_total', 'Authentications that failed.', 'authenticationFailures'],
];

/** Counters with one label: name, what it says, the label, and where each of its values comes from. */
const LABELLED: [name: string, help: string, label: string, from: Record<string, Numbers>][] = [
  [
    'motemq_connects_total',
    'CONNECT packets answered.',
    'result',
    { accepted: 'connectsAccepted', refused: 'connectsRefused' },
  ],
  [
    'motemq_disconnects_total',
    'Connections of clients that ended: normal with DISCONNECT 0x00, other without.',
    'kind',
    { normal: 'disconnectsNormal', other: 'disconnectsOther' },
  ],
  [
    'motemq_messages_dropped_total',
    'Messages dropped on their way to one session.',
    'reason',
    {
      queue_full: 'droppedQueueFull',
      expired: 'droppedExpired',
      too_large: 'droppedTooLarge',
      qos0: 'droppedQos0',
    },
  ],
];

/** Gauges: name, what it says, where it comes from. */
const GAUGES: [name: string, help: string, from: keyof Gauges][] = [
  ['motemq_connections', 'Clients connected.', 'connections'],
  ['motemq_sessions', 'Sessions, connected or kept.', 'sessions'],
  ['motemq_subscriptions', 'Subscriptions of all sessions.', 'subscriptions'],
  ['motemq_retained_messages', 'Retained messages.', 'retainedMessages'],
  ['motemq_retained_bytes', 'Bytes of retained messages.', 'retainedBytes'],
  ['motemq_queued_messages', 'Messages waiting in sessions.', 'queuedMessages'],
  ['motemq_queued_bytes', 'Bytes of messages waiting in sessions.', 'queuedBytes'],
  ['motemq_inflight_messages', 'QoS 1 and 2 messages sent and not yet acknowledged.', 'inflight'],
];

/** The metrics of `source`, read when they are asked for; gauges, which it has to count, by `gauges`. */
function createRegistry(source: MetricsSource, gauges: () => Gauges): Registry {
  const registers = [new Registry()];
  for (const [name, help, from] of COUNTERS) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(source.counters[from]);
      },
    });
  }
  for (const [name, help, label, from] of LABELLED) {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [value, counter] of Object.entries(from)) {
          this.inc({ [label]: value }, source.counters[counter]);
        }
      },
    });
  }
  new Counter({
    name: 'motemq_limit_hits_total',
    help: 'How often each limit was reached.',
    labelNames: ['limit'],
    registers,
    collect() {
      this.reset();
      for (const name of LIMIT_NAMES) this.inc({ limit: name }, source.counters.limitHits[name]);
    },
  });
  for (const [name, help, from] of GAUGES) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(gauges()[from]);
      },
    });
  }
  new Gauge({
    name: 'motemq_connections_maximum',
    help: 'The most clients that were connected at the same time.',
    registers,
    collect() {
      this.set(source.counters.connectionsMaximum);
    },
  });
  addProcess(registers);
  return registers[0];
}

/** The process, under the names that every Prometheus client gives it. */
function addProcess(registers: Registry[]): void {
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process was started, since 1970.',
    registers,
    collect() {
      this.set(performance.timeOrigin / 1000);
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1_000_000);
    },
  });
}

/** Serves them at /metrics. Rejects when the port cannot be had, with an error for people that has a `code`. */
export async function startMetrics(
  source: MetricsSource,
  host: string,
  port: number,
): Promise<MetricsServer> {
  let gauges = source.gauges();
  const registry = createRegistry(source, () => gauges);
  const readMetrics = (): Promise<string> => {
    gauges = source.gauges();
    return registry.metrics();
  };
  const server = createServer((request, response) => {
    answer(readMetrics, registry.contentType, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(`http://${hostAndPort(host, port)}/metrics`, error)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  readMetrics: () => Promise<string>,
  contentType: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
  } else if (path === '/metrics') {
    const text = await readMetrics();
    response.writeHead(200, { 'Content-Type': contentType }).end(text);
  } else {
    response.writeHead(path === '/' ? 200 : 404, { 'Content-Type': 'text/plain' });
    response.end('A motemq broker. Its metrics are at /metrics.\n');
  }
}
