/**
 * Fleets of XS machines: firmware on the engine, the board and the sockets of an ESP32, from the sources as they are.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FleetError, runFleet, type FleetOptions, type FleetResult } from '../../sim/fleet/index.ts';
import { connect } from '../../targets/node/index.ts';
import { FirmwareFiles } from '../sim/fleet/firmware/files.ts';
import { findMosquitto, startAedes, startMosquitto, type RunningBroker } from '../support/brokers.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { bundle, ROOT, writeModule } from './bundle.ts';
import { shippedModules } from './shipped.ts';

const files = new FirmwareFiles();
let options: FleetOptions;
let broker: RunningBroker | undefined;
let proxy: FaultProxy | undefined;

beforeAll(async () => {
  const guest = await bundle('fleet-guest', {
    entryPoints: [join(ROOT, 'sim/fleet/firmware/guest.ts')],
    external: ['fleet/*'],
  });
  const modules = {
    ...(await shippedModules()),
    'fleet/guest': guest,
    'fleet/main': writeModule('fleet-main', "import { start } from 'fleet/guest';\nstart();\n"),
  };
  options = { engine: 'xs', devices: 3, durationSeconds: 1, seed: 7, modules };
});
afterAll(() => files.remove());

afterEach(async () => {
  await proxy?.close();
  await broker?.stop();
  proxy = undefined;
  broker = undefined;
});

async function startBroker(): Promise<string> {
  broker = await startAedes();
  return `mqtt://127.0.0.1:${broker.tcpPort}`;
}

describe('a fleet of XS machines', () => {
  it.each([
    ['json', 1],
    ['cbor', 2],
    ['json', 0],
  ])('accounts for every message, and tells what machines used: %s at QoS %i', async (format, qos) => {
    const id = `${format}-${qos}`;
    const firmware = files.define(
      `${id}.js`,
      `id: '${id}', format: '${format}', qos: ${qos}, batchSamples: 2, metrics: {
        t: { everyMs: 100, digits: 2, read: (board) => board.temperature() },
        pin: { everyMs: 100, read: (board) => board.pin(4) },
      }`,
    );
    const result = await runFleet({ ...options, firmware });
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
    const { sent } = result.totals;
    expect(sent).toBeGreaterThan(15);
    expect(result.totals).toMatchObject({
      delivered: sent,
      acknowledged: qos === 0 ? 0 : sent,
      unexpected: 0,
    });
    expect(result.latency?.count).toBe(sent);
    expect(result.connections).toMatchObject({ connects: 3, births: 3, wills: 0, failures: 0 });
    expect(result.firmware).toMatchObject({
      file: `${id}.js`,
      id,
      format,
      engine: 'xs',
      errors: 0,
      dropped: 0,
    });
    expect(result.firmware!.samples).toBe(2 * sent);
    expect(result.bytes.wireOut).toBeGreaterThan(sent * 60);
    expect(result.bytes.wireIn).toBeGreaterThan(0);
    const machines = result.firmware!.machines!;
    expect(machines).toMatchObject({ count: 3, died: 0, slotsMax: 2048, chunkBytesMax: 32_768 });
    // A session with all its buffers, and room for as much again.
    expect(machines.slots.median).toBeGreaterThan(400);
    expect(machines.slots.max).toBeLessThan(1200);
    expect(machines.chunkBytes.max).toBeLessThan(16_384);
    for (const { median, max } of [
      machines.slotsPeak,
      machines.chunkBytesPeak,
      machines.computronsPerSecond,
    ]) {
      expect(max).toBeGreaterThanOrEqual(median);
    }
    expect(machines.slotsPeak.median).toBeGreaterThanOrEqual(machines.slots.median);
    expect(machines.slotsPeak.max).toBeLessThanOrEqual(2048);
    expect(machines.chunkBytesPeak.max).toBeLessThanOrEqual(32_768);
    expect(machines.computronsPerSecond.median).toBeGreaterThan(1000);
  });

  it('reads the same in a machine as on Node, by the board and by the file’s own simulation', async () => {
    const url = await startBroker();
    const observer = await connect(url, { protocol: '3.1.1' });
    const rows = new Map<string, unknown>();
    await observer.subscribe('devices/+/telemetry', { qos: 1 }, (message) => {
      const { device, samples } = message.json() as { device: string; samples: { age: number }[] };
      const { age: _, ...values } = samples[0];
      if (!rows.has(device)) rows.set(device, values);
    });
    const metrics = `metrics: {
      a: { everyMs: 60000, digits: 3, read: (board) => board.a?.() ?? board.temperature() },
      b: { everyMs: 60000, digits: 3, read: (board) => board.b?.() ?? board.humidity() },
    }`;
    const simulate = `export const simulate = (index, random) => {
      const number = random();
      return { a: () => index, b: () => number };
    };`;
    for (const [name, more] of [
      ['board', ''],
      ['own', simulate],
    ] as const) {
      const firmware = files.define(`same-${name}.js`, `id: 'same', ${metrics}`, more);
      const read: unknown[] = [];
      for (const engine of ['xs', 'node'] as const) {
        rows.clear();
        await runFleet({ ...options, firmware, engine, url, mqttVersion: '3.1.1', durationSeconds: 0.5 });
        read.push(Object.fromEntries([...rows].sort()));
      }
      expect(Object.keys(read[0] as object)).toEqual(['same-00001', 'same-00002', 'same-00003']);
      expect(read[0]).toEqual(read[1]);
    }
    await observer.disconnect();
  });

  it('comes back when every connection is cut, and loses nothing', async () => {
    await startBroker();
    proxy = await startFaultProxy({ targetPort: broker!.tcpPort, record: false });
    const through = proxy;
    const firmware = files.define('cut.js', "id: 'cut', metrics: { t: { everyMs: 50, read: () => 1 } }");
    let cuts = 0;
    const result = await runFleet(
      {
        ...options,
        firmware,
        url: `mqtt://127.0.0.1:${proxy.port}`,
        mqttVersion: '3.1.1',
        durationSeconds: 3,
      },
      {
        handleProgress({ phase, elapsedMs }) {
          if (phase !== 'running' || elapsedMs < 500 || cuts > 0) return;
          cuts += 1;
          through.cutAll();
        },
      },
    );
    expect(result.verdict.reasons).toEqual([]);
    expect(result.totals.delivered).toBe(result.totals.sent);
    expect(result.connections).toMatchObject({ reconnects: 3, failures: 3 });
    expect(result.events.map(({ text }) => text)).toContain('all 3 devices are back');
  });

  it('names machines whose memory is full, goes on with the others, and fails', async () => {
    const firmware = files.define(
      'leaky.js',
      `id: 'leaky', metrics: { t: { everyMs: 50, read(board) {
        if (board.isLeaky) for (let i = 0; i < 100; i++) board.kept.push({ i });
        return board.kept.length;
      } } }`,
      'export const simulate = (index) => ({ kept: [], isLeaky: index === 1 });',
    );
    const result = await runFleet({ ...options, firmware });
    expect(result.verdict.ok).toBe(false);
    expect(result.verdict.reasons).toEqual(['1 machine ended by itself: leaky-00002: memory full.']);
    expect(result.firmware!.machines).toMatchObject({ count: 3, died: 1 });
    expect(result.events).toContainEqual(
      expect.objectContaining({ kind: 'error', text: 'the machine of leaky-00002 ended: memory full' }),
    );
    const { byLatency } = result.outliers;
    expect(byLatency.find(({ clientId }) => clientId === 'leaky-00003')?.sent).toBeGreaterThan(5);
  });

  it('ends at once when no machine is left', async () => {
    const firmware = files.define(
      'all.js',
      "id: 'all', metrics: { t: { everyMs: 50, read(board) { for (let i = 0; i < 100; i++) board.kept.push({ i }); } } }",
      'export const simulate = () => ({ kept: [] });',
    );
    const result = await runFleet({ ...options, firmware, durationSeconds: 600 });
    expect(result.verdict.reasons[0]).toMatch(/^Nothing was sent/);
    expect(result.verdict.reasons[1]).toMatch(/^3 machines ended by themselves: /);
  });

  it('says in one sentence why firmware does not even start', async () => {
    const firmware = files.define(
      'early.js',
      "id: 'early', metrics: { t: { everyMs: 50, read: () => 1 } }",
      'export const simulate = () => Array.from({ length: 3000 }, (_, i) => ({ i }));',
    );
    const running = runFleet({ ...options, firmware });
    await expect(running).rejects.toThrow(FleetError);
    await expect(running).rejects.toThrow(
      /^the machine of early-0000\d ended before it was connected: memory full$/,
    );
  });

  it('tells what firmware says, does and misses', async () => {
    const url = await startBroker();
    const firmware = files.define(
      'talks.js',
      `id: 'talks', metrics: { t: { everyMs: 100, read(board) { if (board.display) return 2; return 1; } } },
       commands: { relay(args, board) { board.setRelay(args.on); trace('relay ' + board.relay() + '\\n'); return board.pin(3); } }`,
    );
    const commander = await connect(url, { protocol: '3.1.1' });
    const replies: unknown[] = [];
    await commander.subscribe('devices/+/reply/#', { qos: 1 }, (message) => replies.push(message.json()));
    let asked = false;
    const result = await runFleet(
      { ...options, firmware, url, mqttVersion: '3.1.1' },
      {
        handleProgress({ phase, firmware: text }) {
          if (phase !== 'running' || asked) return;
          asked = true;
          expect(text).toMatch(/^talks\.js on XS/);
          void commander.publish('devices/talks-00002/command/relay', '{"on":true}', { qos: 1 });
          void commander.publish('devices/talks-00002/command/nothing', '', { qos: 1 });
        },
      },
    );
    await commander.disconnect();
    expect(replies).toContainEqual({ ok: true, result: expect.any(Number) });
    const events = result.events.map(({ text }) => text);
    expect(events).toContain('talks-00002: relay true');
    expect(events).toContain('talks-00002: the command nothing failed');
    expect(events).toContain('3 devices: the simulated board has no display');
    expect(result.connections.commandsReceived).toBe(2);
    expect(result.verdict.ok).toBe(true);
  });

  it.skipIf(findMosquitto() === undefined)('uses aliases on 5.0, and TLS where the URL says so', async () => {
    broker = await startMosquitto({ maxTopicAlias: 10 });
    const { tcpPort, tlsPort, caFile } = broker;
    const firmware = files.define(
      'five.js',
      "id: 'five', root: 'a/rather/long/way/to/{id}', metrics: { t: { everyMs: 50, read: () => 1 } }",
    );
    const ways: [FleetOptions, string][] = [
      [{ url: `mqtt://127.0.0.1:${tcpPort}` }, 'TCP'],
      [{ url: `mqtts://localhost:${tlsPort}`, ca: readFileSync(caFile, 'utf8') }, 'TLS'],
    ];
    for (const [way, transport] of ways) {
      const result = await runFleet({ ...options, ...way, firmware });
      expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
      expect(result.protocol).toMatchObject({ version: '5.0', transport, topicAliases: true });
      expect(result.bytes.savedByAliasesRatio).toBeGreaterThan(0.15);
      expect(result.connections).toMatchObject({ births: 3, wills: 0 });
    }
    const untrusted = runFleet({ ...options, firmware, url: `mqtts://localhost:${tlsPort}` });
    await expect(untrusted).rejects.toThrow(/TLS failed/);
  });

  it('is there in the package as it is built, with a firmware file that lies anywhere', async () => {
    const firmware = files.define(
      'built.js',
      "id: 'built', metrics: { t: { everyMs: 50, read: (board) => board.light() } }",
    );
    const words = ['fleet', '--engine', 'xs', '--firmware', firmware, '-c', '2', '-d', '0.5', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'bin/motemq.js'), ...words]);
    const result = JSON.parse(stdout) as FleetResult;
    expect(result.verdict.ok).toBe(true);
    expect(result.firmware).toMatchObject({
      file: 'built.js',
      engine: 'xs',
      machines: { count: 2, died: 0 },
    });
  });

  it('stops early and reports', async () => {
    const firmware = files.define('long.js', "id: 'long', metrics: { t: { everyMs: 100, read: () => 1 } }");
    const controller = new AbortController();
    const result = await runFleet(
      { ...options, firmware, durationSeconds: 600, signal: controller.signal },
      {
        handleProgress(snapshot) {
          if (snapshot.delivered > 5) controller.abort();
        },
      },
    );
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: ['The run was stopped early.'] });
  });
});
