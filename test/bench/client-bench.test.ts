/**
 * The bench of clients, for a few milliseconds: that each contender does what it is measured at, and that no key of the
 * result is missing. No time is judged.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBare } from '../../bench/client/bare.ts';
import { Feeder } from '../../bench/client/feeder.ts';
import { openOurs } from '../../bench/client/ours.ts';
import type { Peer, PeerTarget, Qos } from '../../bench/client/peer.ts';
import { openTheirs } from '../../bench/client/theirs.ts';
import { Broker } from '../../sim/broker/broker.ts';
import { eventually } from '../support/wait.ts';

const MAIN = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));

let broker: Broker;

beforeAll(async () => {
  broker = await Broker.start();
});

afterAll(() => broker.stop());

const OPENERS: [string, (target: PeerTarget) => Promise<Peer>][] = [
  ['ours', openOurs],
  ['theirs', openTheirs],
  ['a bare socket', openBare],
];

function targetOf(name: string): PeerTarget {
  return {
    port: broker.tcpPort!,
    clientId: name.replaceAll(' ', '-'),
    topicName: `t/${name}`,
    payloadByteLength: 64,
  };
}

describe.each(OPENERS)('%s', (name, open) => {
  it.each([0, 1, 2] as const)('publishes what it says it did, QoS %i', async (qos: Qos) => {
    const target = targetOf(`${name} ${qos}`);
    const peer = await open(target);
    const before = broker.counters.publishReceived;
    const count = await peer.publish(qos, 5, 50);
    expect(count % 50).toBe(0);
    expect(count).toBeGreaterThanOrEqual(50);
    // One more for the bare socket to make its alias known, one at QoS 0 to know that the server has all.
    const more = (qos === 0 ? 1 : 0) + (name === 'a bare socket' ? 1 : 0);
    expect(broker.counters.publishReceived - before).toBe(count + more);
    await peer.close();
  });

  it.each([0, 1] as const)('receives every message, QoS %i', async (qos: Qos) => {
    const target = targetOf(`${name} receives ${qos}`);
    const peer = await open(target);
    let received = 0;
    const feeder = await Feeder.open(target.port, target.topicName, qos, 64);
    await peer.subscribe(qos, 3, (count) => {
      received += count;
      feeder.handleProgress(received);
    });
    const count = Feeder.roundUp(7001);
    expect(count).toBe(7250);
    feeder.start(count);
    await eventually(() => received >= count, { what: 'all messages' });
    expect(received).toBe(count);
    feeder.close();
    await peer.close();
  });
});

describe('npm run bench', () => {
  const directory = mkdtempSync(join(tmpdir(), 'motemq-bench-'));

  afterAll(() => rmSync(directory, { recursive: true }));

  const run = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);

  it('writes every key of the clients', async () => {
    const file = join(directory, 'figures.json');
    const svg = join(directory, 'figures.svg');
    await run('--only', 'client', '--quick', '--json', file, '--plot', svg);
    const { client, run: where } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, any>;
    for (const name of ['publish0', 'publish1', 'publish2', 'receive0', 'receive1']) {
      expect(client[name].cpuRatio, name).toBeGreaterThan(0);
      expect(client[name].vsSocket, name).toBeGreaterThan(0);
      expect(client[name].calls.ours.bytesWritten, name).toBeGreaterThanOrEqual(0);
    }
    expect(where.node).toBe(process.version);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg[^]*<\/svg>\n$/);
  }, 60_000);

  it('writes every key of the connections', async () => {
    const file = join(directory, 'connections.json');
    await run('--only', 'connection', '--quick', '--json', file);
    const { connection } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, any>;
    expect(connection.connectVsSocket).toBeGreaterThan(0);
    // So few connections may fit into memory that is there already: the sign is the machine's.
    expect(typeof connection.extraMemoryRatio).toBe('number');
    expect(Object.keys(connection.kinds)).toEqual(['bare', 'driver', 'client', 'theirs']);
  }, 60_000);

  it('says what there is, and what there is not', async () => {
    const { stdout } = await run('--help');
    expect(stdout).toContain('--only NAME');
    await expect(run('--only', 'nothing')).rejects.toThrow('there is no bench nothing');
  });
});
