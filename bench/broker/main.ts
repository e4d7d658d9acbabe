/**
 * `npm run bench:broker -- [--json FILE]`: our broker beside aedes and Mosquitto in one run, in turns, each in a process of
 * its own under the same load: one publisher to one subscriber and to a hundred, QoS 0 and 1, payloads of 64 bytes. Prints
 * messages published a second, the broker's processor time for each message delivered, and the ratios (larger is better
 * for us).
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median, spread } from '../measure.ts';
import { startMosquitto, startNodeBroker, type BenchedBroker } from './brokers.ts';
import { runLoad, type Load, type LoadResult } from './load.ts';

const ROUNDS = 3;
const ROUND_MS = 2000;

const LOADS: Record<string, Load> = {
  pubsub0: { protocolVersion: 4, qos: 0, subscribers: 1, window: 4000, burst: 400 },
  pubsub1: { protocolVersion: 4, qos: 1, subscribers: 1, window: 800, burst: 200 },
  fanout0: { protocolVersion: 4, qos: 0, subscribers: 100, window: 200, burst: 20 },
  fanout1: { protocolVersion: 4, qos: 1, subscribers: 100, window: 100, burst: 10 },
  pubsub0v5: { protocolVersion: 5, qos: 0, subscribers: 1, window: 4000, burst: 400 },
  fanout1v5: { protocolVersion: 5, qos: 1, subscribers: 100, window: 100, burst: 10 },
};

const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });

/** Ours first: the others are compared with it. aedes speaks 3.1.1 alone. */
async function startAll(load: Load): Promise<BenchedBroker[]> {
  const brokers = [await startNodeBroker('motemq')];
  if (load.protocolVersion === 4) brokers.push(await startNodeBroker('aedes'));
  const mosquitto = await startMosquitto();
  if (mosquitto !== undefined) brokers.push(mosquitto);
  else console.log('mosquitto is not installed: it is not compared with');
  return brokers;
}

async function measureLoad(load: Load): Promise<Map<string, LoadResult[]>> {
  const brokers = await startAll(load);
  const results = new Map<string, LoadResult[]>(brokers.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < brokers.length; turn++) {
      const { name, port, cpuMs } = brokers[(round + turn) % brokers.length];
      results.get(name)?.push(await runLoad(port, cpuMs, load, ROUND_MS));
    }
  }
  for (const broker of brokers) await broker.stop();
  return results;
}

function rate(results: LoadResult[]): number {
  return median(results.map(({ perSecond }) => perSecond));
}

const report: Record<string, Record<string, number>> = {};
for (const [name, load] of Object.entries(LOADS)) {
  if (values.only !== undefined && values.only !== name) continue;
  const version = load.protocolVersion === 5 ? '5.0' : '3.1.1';
  console.log(
    `\n${name}: MQTT ${version}, QoS ${load.qos}, 1 publisher -> ${load.subscribers}, 64-byte payloads`,
  );
  const results = await measureLoad(load);
  const ours = rate(results.get('motemq') ?? []);
  const figures: Record<string, number> = { perSecond: Math.round(ours) };
  for (const [broker, rounds] of results) {
    const perSecond = rate(rounds);
    const cpu = median(rounds.map(({ cpuMicroseconds }) => cpuMicroseconds));
    const noise = spread(rounds.map((round) => round.perSecond));
    const ratio = ours / perSecond;
    console.log(
      `  ${broker.padEnd(20)} ${Math.round(perSecond).toLocaleString('en').padStart(9)} messages/s` +
        `  ±${(noise * 100).toFixed(0).padStart(2)} %  ${cpu.toFixed(2).padStart(7)} µs of its processor a delivery` +
        (broker === 'motemq' ? '' : `  ours: ${ratio.toFixed(2)} times its rate`),
    );
    if (broker === 'motemq') continue;
    figures[broker === 'aedes' ? 'vsAedes' : 'vsMosquitto'] = Number(ratio.toFixed(2));
  }
  report[name] = figures;
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ broker: report }, null, 2)}\n`);
}
process.exit();
