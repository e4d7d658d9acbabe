/**
 * The contract of the ECMA-419 MQTT client class, in a machine of an ESP32's size: every scenario that runs on Node, over
 * the machine's own sockets.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ESP32_HEAP } from '../../sim/xs/machine.ts';
import { afterIo, withDeadline } from '../support/wait.ts';
import { closing } from '../targets/moddable/contract/closing.ts';
import { connecting } from '../targets/moddable/contract/connecting.ts';
import { five } from '../targets/moddable/contract/five.ts';
import { reading } from '../targets/moddable/contract/reading.ts';
import type { Scenario } from '../targets/moddable/contract/stage.ts';
import { writing } from '../targets/moddable/contract/writing.ts';
import { startPlace } from '../targets/moddable/contract-servers.ts';
import { Remote } from './remote.ts';

const ALL: Record<string, Scenario[]> = { connecting, writing, reading, closing, five };
const SCENARIO_MS_MAX = 15_000;

/** What an application has to ask for that wants payloads of 16 KB whole: once as it makes them, once in the outbox. */
const ROOMY_HEAP = { ...ESP32_HEAP, chunkBytes: 3 * ESP32_HEAP.chunkBytes };

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function run(room: string, scenario: Scenario): Promise<void> {
  const place = await startPlace(scenario.server);
  undo.push(() => place.close());
  const heap = scenario.name.includes('16 KB') ? ROOMY_HEAP : ESP32_HEAP;
  const remote = await Remote.start(
    'test/xs/guest/contract-app.ts',
    { uses: ['core', 'mqtt-client'], heap },
    { later: (one) => void afterIo().then(() => one.call('turn').catch(() => undefined)) },
  );
  undo.push(() => remote.stop());
  await remote.call('run', room, scenario.name, place.port);
  const finished = Promise.all([remote.next('finished'), place.finished]);
  const refused = Promise.resolve(place.finished).then(() => new Promise<never>(() => {}));
  const failed = remote.next('failure').then(([why]) => Promise.reject(new Error(String(why))));
  const ended = remote.machine.ended.then((error) => Promise.reject(error ?? new Error('it was stopped')));
  for (const one of [failed, ended]) one.catch(() => undefined);
  await withDeadline(Promise.race([finished, refused, failed, ended]), SCENARIO_MS_MAX, 'the scenario');
  await afterIo();
  await remote.call('close');
  expect(remote.all('failure')).toEqual([]);
}

describe.each(Object.keys(ALL))('XS: %s', (room) => {
  for (const scenario of ALL[room]) it(scenario.name, () => run(room, scenario));
});
