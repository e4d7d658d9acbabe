/**
 * A device's life on its status topic: birth, will, goodbye, sleep; what it keeps over all that, and what it asks of
 * the server.
 */
import { describe, expect, it } from 'vitest';
import { STOP_AND_ERASE, STOP_SILENTLY, STOP_WITH_GOODBYE, defineDevice } from '../../src/device/index.ts';
import type { DeviceDefinition } from '../../src/device/index.ts';
import { DeviceBench, MemoryStore } from './device-bench.ts';
import type { BenchOptions } from './device-bench.ts';

const text = (hex: string | undefined): unknown => JSON.parse(Buffer.from(hex ?? '', 'hex').toString());

function bench(
  more: Partial<DeviceDefinition<object>> = {},
  options: BenchOptions = {},
): DeviceBench<object> {
  const definition = defineDevice({
    id: 'g-1',
    metrics: { t: { everyMs: 1000, read: () => 20 } },
    commands: { led: () => ({}) },
    ...more,
  });
  return new DeviceBench(definition, {}, options);
}

describe('CONNECT', () => {
  it('has the id, the will, and a session that lasts', () => {
    const it = bench({ keepAliveSeconds: 30 }, { userName: 'u', password: 'p' }).start();
    const { willPayload, ...connect } = it.connect();
    expect(connect).toMatchObject({
      clientId: 'g-1',
      cleanStart: false,
      keepAlive: 30,
      userName: 'u',
      properties: { sessionExpiryInterval: 3600 },
      willTopic: 'devices/g-1/status',
      willQos: 1,
      willRetain: true,
      willProperties: { willDelayInterval: 5 },
    });
    expect(text(willPayload)).toEqual({ state: 'offline', reason: 'lost' });
  });

  it('is as the definition says', () => {
    const it = bench({ root: 'plant/{id}/v1', sessionExpirySeconds: 60, willDelaySeconds: 0 }).start();
    expect(it.connect()).toMatchObject({
      willTopic: 'plant/g-1/v1/status',
      properties: { sessionExpiryInterval: 60 },
      willProperties: { willDelayInterval: 0 },
    });
  });

  it('is as the host says', () => {
    const options = { id: 'fleet-7', root: 'fleet/{id}', keepAliveSeconds: 0, sessionExpirySeconds: 9 };
    const it = bench({ keepAliveSeconds: 30 }, { ...options, retain: false, statusQos: 0 }).start();
    expect(it.connect()).toMatchObject({
      clientId: 'fleet-7',
      keepAlive: 0,
      properties: { sessionExpiryInterval: 9 },
      willTopic: 'fleet/fleet-7/status',
      willQos: 0,
      willRetain: false,
    });
    expect(it.published('status')).toMatchObject([{ qos: 0, retain: false }]);
  });

  it('starts clean where nothing can be kept', () => {
    expect(bench({ sessionExpirySeconds: 0 }).start().connect().cleanStart).toBe(true);
    // QoS 2 without a store: packet identifiers of another life would pass for duplicates.
    expect(bench({ qos: 2 }).start().connect().cleanStart).toBe(true);
    expect(bench({ qos: 2 }, { store: new MemoryStore() }).start().connect().cleanStart).toBe(false);
    expect(bench({}, { cleanStart: true }).start().connect().cleanStart).toBe(true);
  });

  it('of 3.1.1 has nothing that only 5.0 has', () => {
    const it = bench({ messageExpirySeconds: 5, willDelaySeconds: 3 }, { protocolVersion: 4 }).start();
    expect(it.connect()).toMatchObject({ cleanStart: false, willRetain: true });
    expect(it.connect().properties).toBeUndefined();
    expect(it.telemetry()).toHaveLength(1);
  });

  it('fits whatever the password is', () => {
    const it = bench({}, { userName: 'u'.repeat(300), password: 'p'.repeat(2000) }).start();
    expect(it.connect().password).toHaveLength(4000);
  });
});

describe('birth', () => {
  it('is retained, and tells what the firmware has to tell', () => {
    const board = { version: '1.2' };
    const definition = defineDevice({ id: 'g', status: (io: typeof board) => ({ version: io.version }) });
    const it = new DeviceBench(definition, board).start();
    const [birth] = it.published('status');
    expect(birth).toMatchObject({ qos: 1, retain: true });
    expect(JSON.parse(birth.payload.toString())).toEqual({
      state: 'online',
      reason: 'start',
      info: { version: '1.2' },
    });
  });

  it('comes before telemetry, and again after each connection', () => {
    const it = bench().start();
    const topics = it.sent().flatMap((packet) => (packet.type === 'PUBLISH' ? [packet.topicName] : []));
    expect(topics).toEqual(['devices/g-1/status', 'devices/g-1/config/applied', 'devices/g-1/telemetry']);
    it.json('status');
    it.cut().restore().advance(5000);
    expect(it.json('status')).toEqual([{ state: 'online', reason: 'return' }]);
    expect(it.published('config/applied')).toHaveLength(1);
  });

  it('goes without what the firmware failed to tell', () => {
    const it = bench({
      status() {
        throw new Error('no flash');
      },
    }).start();
    expect(it.json('status')).toEqual([{ state: 'online', reason: 'start' }]);
    expect(it.toldOf('error')).toEqual([['ERR_STATUS', 'no flash']]);
  });

  it('goes without what is no JSON', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const it = bench({ status: () => circle }).start();
    expect(it.json('status')).toEqual([{ state: 'online', reason: 'start' }]);
    expect(it.toldOf('error')).toMatchObject([['ERR_STATUS', expect.any(String)]]);
  });

  it('is not retained where the server cannot', () => {
    const it = bench();
    it.connack = { properties: { retainAvailable: 0, maximumQos: 0 } };
    expect(it.start().published('status')).toMatchObject([{ qos: 0, retain: false }]);
  });

  it('waits for room', () => {
    const store = new MemoryStore();
    let isFull = false;
    const put = store.put.bind(store);
    store.put = (...args) => !isFull && put(...args);
    const it = bench({}, { store });
    isFull = true;
    it.start();
    expect(it.published('status')).toEqual([]);
    isFull = false;
    it.advance(1000);
    expect(it.json('status')).toHaveLength(1);
    expect(it.json('config/applied')).toHaveLength(1);
    expect(it.telemetry().length).toBeGreaterThan(0);
  });
});

describe('subscriptions', () => {
  it('are those there is a use for', () => {
    const filters = (device: DeviceBench<any>): unknown =>
      device
        .start()
        .sent()
        .flatMap((packet) => (packet.type === 'SUBSCRIBE' ? packet.subscriptions : []))
        .map(({ topicFilter, qos }) => [topicFilter, qos]);
    expect(filters(bench())).toEqual([
      ['devices/g-1/command/+', 1],
      ['devices/g-1/config', 1],
    ]);
    expect(filters(bench({}, { commandQos: 2 }))).toEqual([
      ['devices/g-1/command/+', 2],
      ['devices/g-1/config', 2],
    ]);
    expect(filters(new DeviceBench(defineDevice({ id: 'g' }), {}))).toEqual([]);
  });

  it('make a device ready, again after each connection, with SUBACK or without', () => {
    const it = bench().start();
    expect(it.toldOf('ready')).toHaveLength(1);
    it.connack = { sessionPresent: true };
    it.cut().restore().advance(3000);
    expect(it.toldOf('ready')).toHaveLength(1);
    it.connack = { sessionPresent: false };
    it.cut().restore().advance(3000);
    expect(it.toldOf('ready')).toHaveLength(1);
    const without = new DeviceBench(defineDevice({ id: 'g' }), {}).start();
    expect(without.toldOf('ready')).toHaveLength(1);
  });

  it('are asked for in a new life although the server has the session', () => {
    const it = bench();
    it.connack = { sessionPresent: true };
    it.start();
    expect(it.sent().map(({ type }) => type)).toContain('SUBSCRIBE');
    expect(it.toldOf('ready')).toHaveLength(1);
  });

  it('that are refused are told', () => {
    const it = bench();
    it.suback = [1, 0x87];
    it.start();
    expect(it.toldOf('error').map(([code]) => code)).toEqual(['ERR_SUBSCRIBE']);
    expect(it.toldOf('ready')).toHaveLength(1);
    const unsupported = bench();
    unsupported.connack = { properties: { wildcardSubscriptionAvailable: 0 } };
    const told = unsupported.start().toldOf('error');
    expect(told.map(([code]) => code)).toEqual(['ERR_SUBSCRIBE']);
  });
});

describe('stop', () => {
  it('with a goodbye says so, and disconnects', () => {
    const it = bench().start();
    it.json('status');
    it.sent();
    it.device.stop(STOP_WITH_GOODBYE);
    it.advance(60_000);
    expect(it.json('status')).toEqual([{ state: 'offline', reason: 'stopped' }]);
    expect(it.sent().map(({ type }) => type)).toEqual(['PUBLISH', 'DISCONNECT']);
    expect(it.isUp).toBe(false);
    expect(it.timerCount).toBe(0);
    expect(it.toldOf('disconnected')).toEqual([[1]]);
  });

  it('can be followed by a start', () => {
    const it = bench().start();
    it.device.stop(STOP_WITH_GOODBYE);
    it.advance(5000);
    it.telemetry();
    it.json('status');
    it.start();
    expect(it.telemetry()).toMatchObject([{ seq: 1, ts: 5000 }]);
    expect(it.json('status')).toEqual([{ state: 'online', reason: 'return' }]);
    expect(it.sent().filter(({ type }) => type === 'SUBSCRIBE')).toHaveLength(2); // the session was lost
  });

  it('silently leaves it to the will, and is for good', () => {
    const it = bench().start();
    it.sent();
    it.device.stop(STOP_SILENTLY);
    it.advance(60_000);
    expect(it.sent()).toEqual([]);
    expect(it.isUp).toBe(false);
    expect(it.timerCount).toBe(0);
    it.start();
    expect(it.openings).toBe(1);
  });

  it('with nothing left behind clears what is retained, and ends the session', () => {
    const it = bench().start();
    it.sent();
    it.device.stop(STOP_AND_ERASE);
    it.advance(0);
    expect(it.sent()).toMatchObject([
      { type: 'PUBLISH', topicName: 'devices/g-1/config/applied', retain: true, payload: '' },
      { type: 'PUBLISH', topicName: 'devices/g-1/status', retain: true, payload: '' },
      { type: 'DISCONNECT', properties: { sessionExpiryInterval: 0 } },
    ]);
    const older = bench({}, { protocolVersion: 4 }).start();
    older.device.stop(STOP_AND_ERASE);
    expect(older.sent().at(-1)).toEqual({ type: 'DISCONNECT' });
  });

  it('works while there is no connection', () => {
    const it = bench();
    it.isReachable = false;
    it.start().advance(100);
    it.device.stop(STOP_WITH_GOODBYE);
    it.advance(600_000);
    expect(it.timerCount).toBe(0);
    expect(it.device.samples.count).toBe(1);
  });

  it('may be called while messages go out, and the rest stays', () => {
    const it = bench({ batchSamples: 60 }, { payloadBytes: 250 }).start();
    it.device.owner.handleSent = () => it.device.stop(STOP_WITH_GOODBYE);
    it.advance(60_000);
    expect(it.device.outstanding.count).toBe(1);
    expect(it.device.samples.count).toBeGreaterThan(30);
  });

  it('may be called by the firmware itself', () => {
    const it: DeviceBench<object> = bench({
      commands: {
        off() {
          it.device.stop(STOP_WITH_GOODBYE);
          return 'bye';
        },
      },
    }).start();
    it.sent();
    it.message('devices/g-1/command/off').advance(5000);
    expect(it.sent().map(({ type }) => type)).toContain('DISCONNECT');
    expect(it.isUp).toBe(false);
    expect(it.timerCount).toBe(0);
  });
});

describe('idle', () => {
  it('is a device whose server has everything', () => {
    const it = bench();
    expect(it.device.isIdle()).toBe(false);
    it.start();
    expect(it.device.isIdle()).toBe(true);
    expect(it.device.nextSampleInMs()).toBe(1000);
    expect(it.toldOf('idle').at(-1)).toEqual([1000]);
    it.isAcknowledging = false;
    it.advance(1250);
    expect(it.device.isIdle()).toBe(false);
    expect(it.toldOf('idle')).toEqual([]);
    const packetId = it.published('telemetry').at(-1)!.packetId!;
    it.server({ type: 'PUBACK', packetId }).advance(0);
    expect(it.device.isIdle()).toBe(true);
    expect(it.device.nextSampleInMs()).toBe(750);
    expect(it.toldOf('idle')).toEqual([[750]]);
  });

  it('is told after each reading that there was nothing to tell of', () => {
    const metrics = { t: { everyMs: 1000, deadband: 1, read: () => 20 } };
    const it = bench({ metrics }).start();
    it.toldOf('idle');
    it.advance(3000);
    expect(it.toldOf('idle')).toEqual([[1000], [1000], [1000]]);
  });

  it('is not one with samples in a batch, or without a connection', () => {
    const it = bench({ batchSamples: 3 }).start();
    expect(it.device.isIdle()).toBe(false);
    it.advance(2000);
    expect(it.device.isIdle()).toBe(true);
    it.cut();
    expect(it.device.isIdle()).toBe(false);
  });

  it('reads nothing for ever without metrics', () => {
    const it = new DeviceBench(defineDevice({ id: 'g', commands: { a: () => 1 } }), {}).start();
    expect(it.device.nextSampleInMs()).toBe(Infinity);
    expect(it.toldOf('idle')).toEqual([[Infinity]]);
  });
});

describe('sleep', () => {
  it('is announced, and keeps the session', () => {
    const it = bench({ sessionExpirySeconds: 7200 }).start();
    it.json('status');
    it.sent();
    it.device.sleep(600_000);
    it.advance(0);
    expect(it.json('status')).toEqual([{ state: 'sleeping', reason: 'sleep', ms: 600_000 }]);
    expect(it.sent().at(-1)).toEqual({ type: 'DISCONNECT' });
    expect(it.timerCount).toBe(0);
  });

  it('costs no message that a store has: another life sends it, under its identifier', () => {
    const store = new MemoryStore();
    const first = bench({}, { store }).start();
    first.isAcknowledging = false;
    first.advance(2000);
    expect(store.size).toBeGreaterThan(0);
    const unacknowledged = first.published('telemetry').slice(1);
    expect(unacknowledged).toHaveLength(2);
    first.device.sleep(60_000);
    const sequence = first.device.telemetry.sequence;

    const second = bench({}, { store, sequence });
    second.connack = { sessionPresent: true };
    second.start();
    const again = second.published('telemetry');
    expect(again.slice(0, 2)).toEqual(unacknowledged);
    expect(JSON.parse(again[2].payload.toString())).toMatchObject({ seq: 3 });
    expect(second.toldOf('published')).toEqual([[3, 0, 0]]);
    second.advance(1000);
    expect(store.size).toBe(0);
    expect(second.device.isIdle()).toBe(true);
  });

  it('of a device with too little room for what is stored is told', () => {
    const store = new MemoryStore();
    const first = bench({}, { store, inflightMax: 8 }).start();
    first.isAcknowledging = false;
    first.advance(8000);
    const errors = bench({}, { store, inflightMax: 1, outboxBytes: 500 }).toldOf('error');
    expect(errors).toEqual([['ERR_RESTORE', 'messages were left out: NO_SPACE']]);
  });
});

describe('an owner that throws', () => {
  it('is not the end of the device', () => {
    const it = bench();
    it.device.owner.handleSent = () => {
      throw new Error('full of books');
    };
    for (let n = 0; n < 5; n++) expect(() => it.start().advance(1000)).toThrow('full of books');
    delete it.device.owner.handleSent;
    it.advance(3000);
    expect(it.telemetry().map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe('a host that reconnects by itself', () => {
  it('is left to do so', () => {
    const it = bench({}, { reconnect: false }).start();
    it.cut().restore().advance(600_000);
    expect(it.openings).toBe(1);
    expect(it.toldOf('disconnected')).toEqual([[4]]);
    it.device.connect();
    it.advance(0);
    expect(it.openings).toBe(2);
    expect(it.toldOf('connected')).toHaveLength(2);
  });
});
