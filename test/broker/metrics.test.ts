/**
 * The metrics of a broker, as Prometheus fetches them.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { Counters } from '../../sim/broker/counters.ts';
import { Broker } from '../../sim/broker/index.ts';
import { LIMIT_NAMES } from '../../sim/broker/limits.ts';
import { startMetrics, type MetricsServer } from '../../sim/broker/metrics.ts';
import { connect } from '../../targets/node/index.ts';

const HOST = '127.0.0.1';
const GAUGES = {
  connections: 1,
  sessions: 2,
  subscriptions: 3,
  retainedMessages: 4,
  retainedBytes: 5,
  queuedMessages: 6,
  queuedBytes: 7,
  inflight: 8,
};

let server: MetricsServer | undefined;
afterEach(() => server?.close());

/** Each sample by its name with its labels. */
function samplesOf(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ [^ ]*$/, ''), Number(/[^ ]*$/.exec(line))]));
}

describe('metrics', () => {
  it('are every counter and every gauge, as they are when they are asked for', async () => {
    const counters = new Counters();
    server = await startMetrics({ counters, gauges: () => GAUGES }, HOST, 0);
    const url = `http://${HOST}:${server.port}/metrics`;
    const fetchSamples = async () => samplesOf(await (await fetch(url)).text());
    expect((await fetchSamples())['motemq_messages_received_total']).toBe(0);

    // A number of its own for each, so that none can stand in another's place.
    let next = 100;
    const numbers = counters as unknown as Record<string, number>;
    const names = Object.keys(counters).filter((name) => name !== 'limitHits');
    for (const name of names) numbers[name] = next++;
    for (const name of LIMIT_NAMES) counters.limitHits[name] = next++;
    const samples = await fetchSamples();
    expect(await fetchSamples()).toMatchObject({ motemq_messages_received_total: counters.publishReceived });
    expect(samples).toMatchObject({
      motemq_messages_received_total: counters.publishReceived,
      motemq_messages_sent_total: counters.publishSent,
      'motemq_connects_total{result="refused"}': counters.connectsRefused,
      'motemq_messages_dropped_total{reason="queue_full"}': counters.droppedQueueFull,
      'motemq_limit_hits_total{limit="connectionsMax"}': counters.limitHits.connectionsMax,
      motemq_connections: 1,
      motemq_inflight_messages: 8,
    });
    const told = new Set(Object.values(samples));
    const untold = [...names, ...Object.keys(GAUGES)].filter(
      (name) => !told.has(numbers[name] ?? GAUGES[name as keyof typeof GAUGES]),
    );
    expect(untold).toEqual([]);
    for (const name of LIMIT_NAMES) expect(told).toContain(counters.limitHits[name]);
  });

  it('are text that Prometheus reads, with the process beside', async () => {
    server = await startMetrics({ counters: new Counters(), gauges: () => GAUGES }, HOST, 0);
    const response = await fetch(`http://${HOST}:${server.port}/metrics?a=b`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    expect(text).toContain('# HELP motemq_connections Clients connected.\n# TYPE motemq_connections gauge\n');
    expect(text).toContain('# TYPE motemq_messages_received_total counter\n');
    expect(samplesOf(text)['process_resident_memory_bytes']).toBeGreaterThan(1_000_000);
  });

  it.each([
    ['GET', '/', 200, 'Its metrics are at /metrics.'],
    ['GET', '/favicon.ico', 404, 'Its metrics are at /metrics.'],
    ['POST', '/metrics', 405, ''],
    ['HEAD', '/metrics', 200, ''],
  ])('%s %s is answered with %i', async (method, path, status, text) => {
    server = await startMetrics({ counters: new Counters(), gauges: () => GAUGES }, HOST, 0);
    const response = await fetch(`http://${HOST}:${server.port}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(text);
  });

  it('are those of a broker that was started with a port for them', async () => {
    const broker = await Broker.start({ metricsPort: 0 });
    try {
      const client = await connect(broker.url);
      await client.publish('a', 'x', { qos: 1 });
      const samples = samplesOf(await (await fetch(broker.metricsUrl ?? '')).text());
      expect(samples).toMatchObject({ motemq_connections: 1, motemq_messages_received_total: 1 });
      await client.disconnect();
    } finally {
      await broker.stop();
    }
  });
});
