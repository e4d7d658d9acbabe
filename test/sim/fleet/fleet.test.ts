/**
 * Whole fleets, small ones: against the embedded broker, and against one behind a proxy that cuts and loses.
 */
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { FleetError, runFleet, type FleetOptions, type FleetResult } from '../../../sim/fleet/index.ts';
import { startAedes, type RunningBroker } from '../../support/brokers.ts';
import { PACKET_TYPE, packetType, startFaultProxy, type FaultProxy } from '../../support/fault-proxy.ts';

const BIN = fileURLToPath(new URL('../../../bin/motemq.js', import.meta.url));

const SMALL: FleetOptions = { devices: 20, intervalMs: 50, durationSeconds: 1, seed: 7, rampPerSecond: 0 };

let broker: RunningBroker | undefined;
let proxy: FaultProxy | undefined;

/** aedes behind a proxy; the collector is connection 0. */
async function startBrokerBehindProxy(): Promise<{ proxy: FaultProxy; url: string }> {
  broker = await startAedes();
  proxy = await startFaultProxy({ targetPort: broker.tcpPort, record: false });
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

/** Loses every tenth telemetry message on its way to the collector. */
function loseSome(through: FaultProxy): void {
  let count = 0;
  through.onPacket('toClient', (bytes, connection) => {
    if (connection !== 0 || !isTelemetry(bytes)) return 'pass';
    count += 1;
    return count % 10 === 0 ? 'drop' : 'pass';
  });
}

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command as a person would; `onError` gets what it says on standard error as it comes. */
function run(words: string[], onError: (text: string, stop: () => void) => void = () => {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, 'fleet', ...words]);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onError(text, () => child.kill('SIGINT'));
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

describe('runFleet', () => {
  it.each([0, 1, 2])('accounts for every message at QoS %i on the embedded broker', async (qos) => {
    const result = await runFleet({ ...SMALL, qos });
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
    expect(result.totals).toEqual({
      sent: 400,
      resent: 0,
      acknowledged: qos === 0 ? 0 : 400,
      unacknowledged: qos === 0 ? 400 : 0,
      delivered: 400,
      lost: 0,
      lostAcknowledged: 0,
      overtaken: 0,
      duplicated: 0,
      outOfOrder: 0,
      unexpected: 0,
    });
    expect(result.connections).toMatchObject({ connects: 20, reconnects: 0, refused: 0, failures: 0 });
    expect(result.connections).toMatchObject({ births: 20, wills: 0 });
    const { commandsSent, commandsReceived, commandsAnswered } = result.connections;
    expect(commandsSent).toBeGreaterThan(0);
    expect([commandsReceived, commandsAnswered]).toEqual([commandsSent, commandsSent]);
    expect(result.latency?.count).toBe(400);
    expect(result.broker).toMatchObject({ embedded: true, name: expect.stringMatching(/^motemq \d/) });
    expect(result.protocol).toMatchObject({ version: '5.0', topicAliases: true });
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    expect([sum(result.timeline.sent), sum(result.timeline.delivered)]).toEqual([400, 400]);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('says so when it cannot send all that is due', async () => {
    const result = await runFleet({ ...SMALL, devices: 300, intervalMs: 1, durationSeconds: 0.5 });
    const leftOut = /^([\d,]+) readings left out/.exec(result.verdict.remarks.join())?.[1] ?? '';
    expect(result.totals.sent + Number(leftOut.replaceAll(',', ''))).toBe(150_000);
    expect(result.totals.lost).toBe(0);
  });

  it('loses nothing when devices are cut in the middle', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    // One before it was sent, one within, one once the broker has it.
    const verdicts = ['cut', 'cutInside', 'cutAfter'] as const;
    const cut = new Set<number>();
    through.onPacket('toServer', (bytes, connection) => {
      if (!isTelemetry(bytes) || cut.size === verdicts.length || cut.has(connection)) return 'pass';
      cut.add(connection);
      return verdicts[cut.size - 1];
    });
    const result = await runFleet({ ...SMALL, url, mqttVersion: '3.1.1' });
    expect(result.verdict).toMatchObject({ ok: true, reasons: [] });
    expect(result.totals).toMatchObject({ sent: 400, acknowledged: 400, delivered: 400, lost: 0 });
    expect(result.connections).toMatchObject({ connects: 23, reconnects: 3, failures: 3, wills: 3 });
    expect(result.events.map((event) => event.text)).toContain('all 20 devices are back');
  });

  it('loses nothing while the collector is away', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    let count = 0;
    through.onPacket('toClient', (bytes, connection) => {
      if (connection === 0 && isTelemetry(bytes)) count += 1;
      return count === 100 && connection === 0 ? 'cutInside' : 'pass';
    });
    const result = await runFleet({ ...SMALL, url, mqttVersion: '3.1.1' });
    expect(result.verdict).toMatchObject({ ok: true, reasons: [] });
    expect(result.totals.delivered).toBe(result.totals.sent);
    expect(result.events.map((event) => event.text)).toContain('the collector is back');
  });

  it('sees what a broker loses', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    loseSome(through);
    const result = await runFleet({ ...SMALL, url, mqttVersion: '3.1.1', drainSeconds: 0.2 });
    expect(result.verdict.ok).toBe(false);
    expect(result.totals).toMatchObject({ sent: 400, delivered: 360, lost: 40, lostAcknowledged: 40 });
    expect(result.verdict.reasons[0]).toContain('40 messages of 400 lost at QoS 1');
    expect(result.outliers.byLost.length).toBeGreaterThan(0);
  });

  it('goes on with 3.1.1 where 5.0 is not spoken, unless 5.0 was asked for', async () => {
    broker = await startAedes();
    const url = `mqtt://127.0.0.1:${broker.tcpPort}`;
    const options = { ...SMALL, url, durationSeconds: 0.2 };
    const result = await runFleet(options);
    expect(result.protocol.version).toBe('3.1.1');
    expect(result.events.map((event) => event.text).join()).toContain('does not speak MQTT 5.0');
    await expect(runFleet({ ...options, mqttVersion: '5.0' })).rejects.toThrow(FleetError);
  });

  it('stops early, drains, and reports', async () => {
    const controller = new AbortController();
    const result = await runFleet(
      { ...SMALL, durationSeconds: 600, signal: controller.signal },
      {
        handleProgress(snapshot) {
          if (snapshot.delivered > 50) controller.abort();
        },
      },
    );
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: ['The run was stopped early.'] });
    expect(result.totals.delivered).toBe(result.totals.sent);
    expect(result.elapsedMs).toBeLessThan(10_000);
  });

  it('says the same for the same seed', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    const runs: string[][] = [];
    through.onPacket('toServer', (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      const telemetry = /"device":"(.*?)","seq":(\d+),"ts":[\d.]+(,.*?)(,"host"|}$)/.exec(text);
      if (telemetry !== null) runs.at(-1)?.push(`${telemetry[1]} ${telemetry[2]} ${telemetry[3]}`);
      return 'pass';
    });
    for (let count = 0; count < 2; count++) {
      runs.push([]);
      await runFleet({ ...SMALL, url, mqttVersion: '3.1.1', durationSeconds: 0.5 });
    }
    expect(runs[0]).toHaveLength(200);
    expect(runs[0].sort()).toEqual(runs[1].sort());
  });

  it('tells in one sentence why it cannot begin', async () => {
    const silent = createServer((socket) => socket.resume().end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    broker = await startAedes();
    const cases: [FleetOptions, RegExp][] = [
      [{ url: `mqtt://127.0.0.1:${port}` }, /closed the connection without an answer/],
      [{ url: `mqtt://127.0.0.1:${broker.passwordPort}` }, /refused: not authorized \(0x05\)/],
      [{ url: `mqtts://127.0.0.1:${broker.tlsPort}` }, /TLS failed: .*--cafile/],
    ];
    for (const [options, message] of cases) {
      await expect(runFleet({ ...SMALL, ...options })).rejects.toThrow(message);
    }
    silent.close();
    await new Promise((resolve) => silent.once('close', resolve));
    await expect(runFleet({ ...SMALL, url: `mqtt://127.0.0.1:${port}` })).rejects.toThrow(
      /connection refused/,
    );
  });
});

describe('motemq fleet', () => {
  const words = ['-c', '5', '-I', '50', '-d', '0.5', '--ramp', '0'];

  it('prints JSON and nothing else on standard output', async () => {
    const { status, stdout, stderr } = await run([...words, '--json']);
    const result = JSON.parse(stdout) as FleetResult;
    expect(status, stderr).toBe(0);
    expect(result.totals).toMatchObject({ sent: 50, delivered: 50 });
    expect(stderr).toContain('embedded broker (motemq');
  });

  it('ends with status 1 when something was lost', async () => {
    const { proxy: through, url } = await startBrokerBehindProxy();
    loseSome(through);
    const { status, stdout } = await run([...words, '-L', url, '-V', '3.1.1', '--drain', '0.2']);
    expect(status).toBe(1);
    expect(stdout).toContain(' FAIL ');
    expect(stdout).toContain('5 messages of 50 lost at QoS 1');
  });

  it('reports after Ctrl-C', async () => {
    const { status, stdout } = await run(['-c', '5', '-I', '50', '-d', '600'], (text, stop) => {
      if (text.includes('sending for')) stop();
    });
    expect(status).toBe(0);
    expect(stdout).toContain(' PASS ');
    expect(stdout).toContain('The run was stopped early.');
  });

  it.each([
    [['-c', 'many'], "option '-c, --devices <count>'"],
    [['-q', '3'], '--qos: must be from 0 to 2'],
    [['-t', 'a/#'], '--topic:'],
    [['-I', '0'], '--interval: must be'],
    [['-V', '6'], 'Allowed choices are'],
    [['--cafile', '/nowhere/ca.pem'], '--cafile: ENOENT'],
    [['--report', '/nowhere/report.html'], 'ENOENT'],
    [['-L', 'mqtt://127.0.0.1:1'], '127.0.0.1:1: connection refused'],
  ])('refuses %j in one line', async (wrong, message) => {
    const { status, stdout, stderr } = await run(wrong);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });
});
