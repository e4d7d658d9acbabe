/**
 * Fleets against Mosquitto: 5.0 with topic aliases at QoS 2, connections that are cut, a broker that restarts, TLS,
 * WebSocket and passwords.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runFleet, type FleetOptions } from '../../sim/fleet/index.ts';
import { findMosquitto, PASSWORD, startMosquitto, USERNAME, type RunningBroker } from '../support/brokers.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';

const OPTIONS: FleetOptions = {
  devices: 100,
  intervalMs: 100,
  durationSeconds: 2,
  seed: 7,
  rampPerSecond: 0,
};

describe.skipIf(findMosquitto() === undefined)('a fleet on mosquitto', () => {
  let broker: RunningBroker;
  let url: string;

  beforeAll(async () => {
    broker = await startMosquitto({ maxTopicAlias: 10, persistence: true, extraLines: ['sys_interval 1'] });
    url = `mqtt://127.0.0.1:${broker.tcpPort}`;
  });
  afterAll(() => broker.stop());

  it('delivers exactly once at QoS 2 on 5.0, with aliases', async () => {
    const result = await runFleet({
      ...OPTIONS,
      url,
      qos: 2,
      topic: 'a/rather/long/topic/%c/of/a/device/%i',
    });
    expect(result.verdict).toEqual({ ok: true, reasons: [], remarks: [] });
    expect(result.totals).toMatchObject({ sent: 2000, acknowledged: 2000, delivered: 2000, duplicated: 0 });
    expect(result.protocol).toMatchObject({ version: '5.0', topicAliases: true, topicAliasMaximum: 10 });
    expect(result.broker.name).toMatch(/^mosquitto \d/);
    const { wireOut, outWithoutAliases, savedByAliasesRatio } = result.bytes;
    expect(outWithoutAliases).toBeGreaterThan(wireOut);
    expect(savedByAliasesRatio).toBeGreaterThan(0.15);
    expect(result.connections).toMatchObject({ births: 100, wills: 0, refused: 0, failures: 0 });
    expect(result.connections.commandsAnswered).toBe(result.connections.commandsSent);
  });

  it.each([
    [1, '5.0'],
    [2, '5.0'],
    [1, '3.1.1'],
    [2, '3.1.1'],
  ] as const)('keeps the promise of QoS %i on %s while every connection is cut', async (qos, mqttVersion) => {
    const proxy: FaultProxy = await startFaultProxy({ targetPort: broker.tcpPort, record: false });
    try {
      let cuts = 0;
      const result = await runFleet(
        { ...OPTIONS, url: `mqtt://127.0.0.1:${proxy.port}`, qos, mqttVersion, durationSeconds: 3 },
        {
          handleProgress({ phase, elapsedMs }) {
            if (phase !== 'running' || elapsedMs < 1000 * (cuts + 0.5) || cuts === 2) return;
            cuts += 1;
            proxy.cutAll();
          },
        },
      );
      expect(cuts).toBe(2);
      expect(result.verdict.reasons).toEqual([]);
      expect(result.totals.delivered).toBe(result.totals.sent);
      expect(result.connections.reconnects).toBeGreaterThanOrEqual(190);
    } finally {
      await proxy.close();
    }
  });

  it('outlives a restart of the broker', async () => {
    let restarted: Promise<void> | undefined;
    const result = await runFleet(
      { ...OPTIONS, url, durationSeconds: 4 },
      {
        handleProgress({ phase, elapsedMs }) {
          if (phase === 'running' && elapsedMs > 1000) restarted ??= broker.restart();
        },
      },
    );
    await restarted;
    expect(result.verdict.reasons).toEqual([]);
    expect(result.totals).toMatchObject({ lost: 0 });
    expect(result.connections.reconnects).toBe(100);
    expect(result.events.map((event) => event.text)).toContain('all 100 devices are back');
  });

  it('runs over TLS, WebSocket, and with a password', async () => {
    const { tlsPort, wsPort, wssPort, passwordPort, caFile } = broker;
    const ca = readFileSync(caFile, 'utf8');
    const ways: [FleetOptions, string][] = [
      [{ url: `mqtts://localhost:${tlsPort}`, ca }, 'TLS'],
      [{ url: `mqtts://127.0.0.1:${tlsPort}`, insecure: true }, 'TLS'],
      [{ url: `ws://127.0.0.1:${wsPort}` }, 'WebSocket'],
      [{ url: `wss://localhost:${wssPort}`, ca }, 'WebSocket over TLS'],
      [{ url: `mqtt://${USERNAME}:${PASSWORD}@127.0.0.1:${passwordPort}`, topic: 'x/%u/%c/t' }, 'TCP'],
    ];
    for (const [way, transport] of ways) {
      const result = await runFleet({ ...OPTIONS, ...way, devices: 10, durationSeconds: 0.3 });
      expect(result.verdict).toMatchObject({ ok: true });
      expect(result.protocol.transport).toBe(transport);
      expect(result.broker.url).not.toContain(PASSWORD);
    }
    const wrong = { url: `mqtt://127.0.0.1:${passwordPort}`, userName: USERNAME, password: 'wrong' };
    await expect(runFleet({ ...OPTIONS, ...wrong })).rejects.toThrow(/refused: Not authorized \(0x87\)/);
    await expect(runFleet({ ...OPTIONS, url: `mqtts://localhost:${tlsPort}` })).rejects.toThrow(/TLS failed/);
  });
});
