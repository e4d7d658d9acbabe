/**
 * Whole fleets of devices that run firmware on Node's sockets: against the embedded broker, and against one behind a
 * proxy that cuts and loses.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { FleetError, runFleet, type FleetOptions } from '../../../../sim/fleet/index.ts';
import { connect } from '../../../../targets/node/index.ts';
import { startAedes, type RunningBroker } from '../../../support/brokers.ts';
import { PACKET_TYPE, packetType, startFaultProxy, type FaultProxy } from '../../../support/fault-proxy.ts';
import { BUSY, FirmwareFiles } from './files.ts';

const files = new FirmwareFiles();
afterAll(() => files.remove());

const busy = files.define('busy.js', BUSY);
const SMALL: FleetOptions = { firmware: busy, devices: 10, durationSeconds: 1, seed: 7, rampPerSecond: 0 };

let broker: RunningBroker | undefined;
let proxy: FaultProxy | undefined;

async function startBroker(): Promise<string> {
  broker = await startAedes();
  return `mqtt://127.0.0.1:${broker.tcpPort}`;
}

/** aedes behind a proxy; the collector is connection 0. */
async function startBrokerBehindProxy(): Promise<{ proxy: FaultProxy; url: string }> {
  await startBroker();
  proxy = await startFaultProxy({ targetPort: broker!.tcpPort, record: false });
  return { proxy, url: `mqtt://127.0.0.1:${proxy.port}` };
}

afterEach(async () => {
  await proxy?.close();
  await broker?.stop();
  proxy = undefined;
  broker = undefined;
});

function isTelemetry(bytes: Uint8Array): boolean {
  return packetType(bytes) === PACKET_TYPE.PUBLISH && Buffer.from(bytes).includes('"seq":');
}

describe('a fleet with firmware', () => {
  it('accounts for every message, birth and sample', async () => {
    const result = await runFleet(SMALL);
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
    const { sent } = result.totals;
    // Twenty a second from each; how many fit is up to the machine.
    expect(sent).toBeGreaterThan(50);
    expect(result.totals).toMatchObject({ acknowledged: sent, delivered: sent, lost: 0, unexpected: 0 });
    expect(result.latency?.count).toBe(sent);
    expect(result.connections).toMatchObject({ connects: 10, births: 10, wills: 0, refused: 0, failures: 0 });
    expect(result.options).toEqual({
      devices: 10,
      durationSeconds: 1,
      qos: 1,
      topic: 'devices/{id}/telemetry',
      rampPerSecond: 0,
      seed: 7,
    });
    const { samples, errors, ...firmware } = result.firmware!;
    expect(firmware).toMatchObject({
      file: 'busy.js',
      id: 'busy',
      format: 'json',
      engine: 'node',
      dropped: 0,
    });
    expect(firmware).not.toHaveProperty('machines');
    expect([samples, errors]).toEqual([sent, 0]);
    expect(result.bytes.wireOut).toBeGreaterThan(sent * 80);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it.each([
    ['json', 0],
    ['cbor', 0],
    ['cbor', 1],
    ['json', 2],
    ['cbor', 2],
  ])('reads %s at QoS %i, under a root of the firmware', async (format, qos) => {
    const name = `${format}-${qos}`;
    const path = files.define(
      `${name}.js`,
      `id: '${name}', root: 'plant/unit {id}/{id}', format: '${format}', qos: ${qos}, batchSamples: 3,
       metrics: { a: { everyMs: 40, read: () => 1 }, b: { everyMs: 40, read: () => 0.5 } }`,
    );
    const result = await runFleet({ ...SMALL, firmware: path, durationSeconds: 0.5 });
    expect(result.verdict).toMatchObject({ ok: true, reasons: [] });
    const { sent } = result.totals;
    expect(sent).toBeGreaterThan(10);
    expect(result.totals).toMatchObject({ delivered: sent, acknowledged: qos === 0 ? 0 : sent });
    expect(result.firmware!.samples).toBeGreaterThan(2 * sent);
    expect(result.options).toMatchObject({ qos, topic: 'plant/unit {id}/{id}/telemetry' });
  });

  it('sends what waits for a batch at the end, and says that nothing else came due', async () => {
    const path = files.define(
      'slow.js',
      "id: 'slow', batchMs: 3600000, metrics: { t: { everyMs: 100, read: (board) => board.temperature() } }",
    );
    const result = await runFleet({ ...SMALL, firmware: path, durationSeconds: 0.3 });
    expect(result.verdict.ok).toBe(true);
    expect(result.verdict.remarks.join()).toContain('No batch came due in this time');
    expect(result.totals).toMatchObject({ sent: 10, delivered: 10 });
    expect(result.firmware).toMatchObject({ flushed: 10 });
    expect(result.firmware!.samples).toBeGreaterThanOrEqual(20);
  });

  it('has nothing against firmware without metrics', async () => {
    const path = files.define('deaf.js', "id: 'deaf', commands: { on: () => 1 }");
    const result = await runFleet({ ...SMALL, firmware: path, durationSeconds: 0.1 });
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
    expect(result.connections).toMatchObject({ births: 10 });
  });

  it('uses what the file itself simulates, by index', async () => {
    const path = files.define(
      'own.js',
      "id: 'own', metrics: { t: { everyMs: 50, digits: 0, read: (io) => io.value } }",
      'export const simulate = (index, random) => ({ value: 1000 * index + Math.floor(random()) });',
    );
    const { proxy: through, url } = await startBrokerBehindProxy();
    const seen = new Map<string, string>();
    through.onPacket('toServer', (bytes) => {
      const telemetry = /"device":"(own-\d+)".*"t":(\d+)/.exec(Buffer.from(bytes).toString('latin1'));
      if (telemetry !== null) seen.set(telemetry[1], telemetry[2]);
      return 'pass';
    });
    await runFleet({ ...SMALL, url, firmware: path, devices: 3, mqttVersion: '3.1.1', durationSeconds: 0.2 });
    expect(Object.fromEntries(seen)).toEqual({ 'own-00001': '0', 'own-00002': '1000', 'own-00003': '2000' });
  });

  it('gives devices another name', async () => {
    const result = await runFleet({ ...SMALL, id: 'line 7', devices: 2, durationSeconds: 0.2 });
    expect(result.outliers.byLatency.map((device) => device.clientId).sort()).toEqual([
      'line 7-00001',
      'line 7-00002',
    ]);
  });

  it('loses nothing when devices are cut in the middle, and sees their wills', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    const verdicts = ['cut', 'cutInside', 'cutAfter'] as const;
    const cut = new Set<number>();
    let count = 0;
    through.onPacket('toServer', (bytes, connection) => {
      if (!isTelemetry(bytes) || cut.size === verdicts.length || cut.has(connection)) return 'pass';
      count += 1;
      // By then all are in, and their births acknowledged.
      if (count < 100) return 'pass';
      cut.add(connection);
      return verdicts[cut.size - 1];
    });
    const result = await runFleet({ ...SMALL, url, mqttVersion: '3.1.1', durationSeconds: 1.5 });
    expect(result.verdict).toMatchObject({ ok: true, reasons: [] });
    expect(result.totals.delivered).toBe(result.totals.sent);
    expect(result.connections).toMatchObject({
      connects: 13,
      reconnects: 3,
      failures: 3,
      births: 13,
      wills: 3,
    });
    expect(result.events.map((event) => event.text)).toContain('all 10 devices are back');
  });

  it('sees what a broker loses', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    let count = 0;
    through.onPacket('toClient', (bytes, connection) => {
      if (connection !== 0 || !isTelemetry(bytes)) return 'pass';
      count += 1;
      return count % 10 === 0 ? 'drop' : 'pass';
    });
    const result = await runFleet({ ...SMALL, url, mqttVersion: '3.1.1', drainSeconds: 0.2 });
    const { sent, delivered, lost, lostAcknowledged } = result.totals;
    expect(result.verdict.ok).toBe(false);
    expect(lost).toBe(Math.floor(count / 10));
    expect([delivered, lostAcknowledged]).toEqual([sent - lost, lost]);
  });

  it('leaves nothing behind on the server, and does not take other devices for its own', async () => {
    const url = await startBroker();
    const observer = await connect(url, { protocol: '3.1.1', clientId: 'observer' });
    // Somebody else's device, in the middle of it.
    let others = 0;
    const result = await runFleet(
      { ...SMALL, url, mqttVersion: '3.1.1', durationSeconds: 0.5 },
      {
        handleProgress({ phase }) {
          if (phase !== 'running' || others > 0) return;
          others += 1;
          void observer.publish('devices/other-00001/telemetry', '{"device":"other-00001","seq":0}', {
            qos: 1,
          });
          void observer.publish('devices/busy-1/status', '{"state":"online"}', { qos: 1 });
        },
      },
    );
    expect(others).toBe(1);
    expect(result.totals).toMatchObject({ unexpected: 0, lost: 0 });
    expect(result.connections).toMatchObject({ births: 10 });
    const left: string[] = [];
    await observer.subscribe('#', { qos: 1 }, (message) => left.push(message.topicName));
    await observer.publish('end', 'x', { qos: 1 });
    await expect.poll(() => left).toContain('end');
    expect(left).toEqual(['end']);
    // A session that was kept would hold the subscription to commands, and say that it is there.
    const again = await connect(url, { protocol: '3.1.1', clientId: 'busy-00001', cleanStart: false });
    expect(again.connack?.sessionPresent).toBe(false);
    await Promise.all([observer.disconnect(), again.disconnect()]);
  });

  it('counts commands that others send, and errors of sensors', async () => {
    const url = await startBroker();
    const path = files.define(
      'able.js',
      `id: 'able', commands: { add: (args) => args.a + args.b },
       metrics: { t: { everyMs: 50, read: () => { throw new Error('no answer'); } } }`,
    );
    const commander = await connect(url, { protocol: '3.1.1' });
    const replies: unknown[] = [];
    await commander.subscribe('devices/+/reply/#', { qos: 1 }, (message) => replies.push(message.json()));
    let asked = 0;
    const result = await runFleet(
      { ...SMALL, url, firmware: path, mqttVersion: '3.1.1', durationSeconds: 0.5 },
      {
        handleProgress({ phase }) {
          if (phase !== 'running' || asked > 0) return;
          asked = 2;
          void commander.publish('devices/able-00003/command/add', '{"a":1,"b":2}', { qos: 1 });
          void commander.publish('devices/able-00004/command/nothing', '', { qos: 1 });
        },
      },
    );
    await commander.disconnect();
    expect(result.connections).toMatchObject({ commandsSent: 0, commandsReceived: asked });
    expect(replies).toEqual(
      expect.arrayContaining([{ ok: true, result: 3 }, expect.objectContaining({ ok: false })]),
    );
    const events = result.events.map((event) => event.text).join('\n');
    expect(events).toContain('able-00004: the command nothing failed');
    expect(events).toContain('10 devices: ERR_READ: no answer');
    expect(result.firmware!.errors).toBeGreaterThan(10);
    expect(result.verdict.remarks.join()).toMatch(/Devices told of \d+ errors/);
  });

  it('stops early, sends what waits, and reports', async () => {
    const controller = new AbortController();
    const result = await runFleet(
      { ...SMALL, durationSeconds: 600, signal: controller.signal },
      {
        handleProgress(snapshot) {
          expect(snapshot.firmware).toMatch(/^busy\.js on Node( · [\d.]+ k?B a device)?$/);
          if (snapshot.delivered > 20) controller.abort();
        },
      },
    );
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: ['The run was stopped early.'] });
    expect(result.totals.delivered).toBe(result.totals.sent);
  });

  it.each<[FleetOptions, RegExp]>([
    [{ intervalMs: 100 }, /^intervalMs: devices that run firmware do as the firmware says/],
    [{ qos: 1 }, /^qos: devices that run firmware/],
    [{ topic: 'a/%c' }, /^topic: devices that run firmware/],
    [{ keepAliveSeconds: 5 }, /^keepAliveSeconds: devices that run firmware/],
    [{ id: 'a/b' }, /^id: must be text without/],
    [{ firmware: undefined, id: 'a' }, /^id: it is for devices that run firmware/],
    [{ firmware: '/nowhere.js' }, /^firmware: there is no file/],
    [{ engine: 'jerry' as 'xs' }, /^engine: must be node or xs/],
    [{ engine: 'xs', url: 'ws://localhost' }, /^url: the machines of XS have no WebSocket/],
  ])('refuses %j', async (wrong, message) => {
    const running = runFleet({ ...SMALL, ...wrong });
    await expect(running).rejects.toThrow(FleetError);
    await expect(running).rejects.toThrow(message);
  });

  it('refuses firmware whose devices would share their topics, before anything is connected', async () => {
    const path = files.define('shared.js', "id: 'shared', root: 'plant'");
    await expect(runFleet({ ...SMALL, firmware: path })).rejects.toThrow(
      /^firmware: its root must have \{id\}/,
    );
  });

  it('runs a climate sensor when it is told an engine and no file', async () => {
    const result = await runFleet({ engine: 'node', devices: 2, durationSeconds: 0.2, seed: 7 });
    expect(result.firmware).toMatchObject({
      file: 'climate.js',
      id: 'climate-1',
      engine: 'node',
      samples: 6,
    });
  });
});
