/**
 * The firmware files of manifests/firmware as they are, on the device runtime as it ships, in a machine of an ESP32's
 * size, over real TCP against real brokers.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Message } from '../../targets/node/index.ts';
import {
  collect,
  describeEveryBroker,
  freshName,
  textsOf,
  untilCount,
  type Ground,
} from '../brokers/matrix.ts';
import { eventually } from '../support/wait.ts';
import { ROOT } from './bundle.ts';
import { Remote } from './remote.ts';

const STOP_WITH_GOODBYE = 1;

interface Running {
  remote: Remote;
  id: string;
  root: string;
}

/** Flashes a firmware, and waits until it obeys. */
async function flash(
  ground: Ground,
  firmware: string,
  options: Record<string, unknown> = {},
  port = ground.broker.tcpPort,
): Promise<Running> {
  const remote = await Remote.start('test/xs/guest/device-app.ts', {
    uses: ['device'],
    modules: { firmware: join(ROOT, `manifests/firmware/${firmware}.js`) },
    preload: ['firmware'],
  });
  ground.after(() => remote.stop());
  const id = freshName(firmware);
  await remote.call('start', {
    host: 'localhost',
    port,
    id,
    protocolVersion: ground.isV5 ? 5 : 4,
    reconnect: { firstMs: 2, maximumMs: 50 },
    ...options,
  });
  await remote.next('ready');
  return { remote, id, root: `devices/${id}` };
}

function jsonOf(messages: readonly Message[]): any[] {
  return textsOf(messages).map((text) => JSON.parse(text) as unknown);
}

describeEveryBroker('an XS machine with firmware', {}, (ground) => {
  it('tells that it is there, what it measures, and that it leaves', async () => {
    const { remote, id, root } = await flash(ground, 'switch');
    const peer = await ground.connect();
    const status = await collect(peer, `${root}/status`, { qos: 1 });
    const telemetry = await collect(peer, `${root}/telemetry`, { qos: 1 });
    await untilCount(status, 1);
    expect(status[0].retain).toBe(true);
    expect(jsonOf(status)).toMatchObject([
      { state: 'online', reason: 'start', info: { firmware: 'switch', version: '1.0' } },
    ]);
    await peer.publish(`${root}/command/set`, '{"on":true}', { qos: 1 });
    await eventually(
      () => jsonOf(telemetry).some(({ samples }) => samples.some((sample: any) => sample.on === 1)),
      { what: 'that it is on', withinMs: 15_000 },
    );
    for (const message of jsonOf(telemetry)) expect(message).toMatchObject({ device: id });
    await remote.call('stop', STOP_WITH_GOODBYE);
    await untilCount(status, 2);
    expect(jsonOf(status)[1]).toMatchObject({ state: 'offline', reason: 'stopped' });
    expect(remote.all('error')).toEqual([]);
  });

  it('obeys, and says what came of it', async () => {
    const { remote, root } = await flash(ground, 'switch');
    const peer = await ground.connect();
    const replies = await collect(peer, `${root}/reply/+`, { qos: 1 });
    const command = async (name: string, args: string): Promise<any> => {
      const count = replies.length;
      await peer.publish(`${root}/command/${name}`, args, { qos: 1 });
      await untilCount(replies, count + 1);
      expect(replies[count].topicName).toBe(`${root}/reply/${name}`);
      return JSON.parse(replies[count].text());
    };
    expect(await command('set', '{"on":true,"id":7}')).toMatchObject({
      ok: true,
      result: { on: true, was: false },
    });
    expect(await remote.call('isOn')).toBe(true);
    expect(await command('toggle', '')).toMatchObject({ ok: true, result: { on: false } });
    expect(await command('set', '{"on":1}')).toMatchObject({
      ok: false,
      error: { code: 'ERR_BAD_ARGUMENTS' },
    });
    expect(await command('fly', '{}')).toMatchObject({ ok: false });
    expect(remote.all('command')).toEqual([
      ['set', true],
      ['toggle', true],
      ['set', false],
      ['fly', false],
    ]);
    if (ground.isV5) {
      const answer = await peer.request(`${root}/command/report`, '');
      expect(JSON.parse(answer.text())).toMatchObject({ ok: true, result: { on: false, watts: 40 } });
    }
  });

  it('takes configuration, also what was there before it', async () => {
    const peer = await ground.connect();
    const { remote, root } = await flash(ground, 'climate');
    const applied = await collect(peer, `${root}/config/applied`, { qos: 1 });
    const telemetry = await collect(peer, `${root}/telemetry`, { qos: 1 });
    await peer.publish(
      `${root}/config`,
      JSON.stringify({ id: 'fast', batchMs: 200, metrics: { temperature: { everyMs: 100, deadband: 0 } } }),
      { qos: 1, retain: true },
    );
    expect(await remote.next('configuration')).toEqual([true]);
    await eventually(() => jsonOf(applied).some(({ id }) => id === 'fast'), { what: 'what is in force' });
    await untilCount(telemetry, 3);
    const samples = jsonOf(telemetry).flatMap((message) => message.samples as { temperature?: number }[]);
    expect(samples.filter(({ temperature }) => temperature === 20).length).toBeGreaterThan(3);
    await peer.publish(`${root}/config`, '', { qos: 1, retain: true });
    expect(remote.all('error')).toEqual([]);
  });

  it('comes back to a server that was away and knows nothing, and tells all it has read meanwhile', async () => {
    const proxy = await ground.proxy();
    const { remote, root } = await flash(ground, 'switch', {}, proxy.port);
    proxy.refuse(true);
    proxy.cutAll();
    await remote.next('disconnected');
    await ground.broker.restart();
    const peer = await ground.connect();
    const telemetry = await collect(peer, `${root}/telemetry`, { qos: 1 });
    const replies = await collect(peer, `${root}/reply/+`, { qos: 1 });
    proxy.refuse(false);
    await remote.next('ready');
    await peer.publish(`${root}/command/toggle`, '{}', { qos: 1 });
    await untilCount(replies, 1);
    await untilCount(telemetry, 1);
    const sequences = jsonOf(telemetry).map(({ seq }) => seq as number);
    expect([...sequences].sort((a, b) => a - b)).toEqual(sequences);
  });

  it('is told of as lost when its power goes', async () => {
    const { remote, root } = await flash(ground, 'climate', { sessionExpirySeconds: 0, cleanStart: true });
    const status = await collect(await ground.connect(), `${root}/status`, { qos: 1 });
    await untilCount(status, 1);
    await remote.machine.kill();
    await untilCount(status, 2);
    expect(jsonOf(status)[1]).toMatchObject({ state: 'offline', reason: 'lost' });
  });
});
