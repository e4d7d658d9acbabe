/**
 * Worlds in real time: devices with their stores in files, over real sockets and a proxy each, against Mosquitto and our own
 * broker in processes that are killed and started again. Every kind of fault there can be befalls them; the people who
 * watch worlds on virtual time watch these, too.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  findMosquitto,
  mosquittoServer,
  processServer,
  type RealServer,
} from '../../sim/world/real/real-server.ts';
import { runAgainst, type RealResult } from '../../sim/world/real/run-against.ts';
import { drawEveryKind, PLAYABLE } from '../../sim/world/real/scale.ts';
import { formatSchedule } from '../../sim/world/schedule.ts';
import { DURATION_MS_DEFAULT } from '../../sim/world/world.ts';
import { bundleForNode, type NodeBundle } from '../support/node-bundle.ts';
import { freePort } from '../support/wait.ts';

const SCRIPT = fileURLToPath(new URL('broker-process.mjs', import.meta.url));
const SEED = 1;
const DEVICES = 5;
const SECONDS = 20;
/** A world that goes wrong tells so itself, before this. */
const TIMEOUT_MS = 150_000;

let bundle: NodeBundle;
let folder = '';

beforeAll(async () => {
  bundle = await bundleForNode('test/brokers/broker-process-entry.ts');
  folder = mkdtempSync(join(tmpdir(), 'motemq-worlds-'));
});

afterAll(() => {
  bundle.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function startable(name: 'mosquitto' | 'motemq'): Promise<RealServer> {
  const port = await freePort();
  if (name === 'mosquitto') {
    const program = findMosquitto();
    if (program === undefined) throw new Error('mosquitto is not installed');
    return mosquittoServer(program, port, folder);
  }
  const state = join(folder, 'motemq');
  const args = [SCRIPT, bundle.url, String(port), state];
  return processServer({ name, program: process.execPath, args, port, folder: state });
}

/** What helps to find out why; nothing when all is well. */
function failureOf({ seed, violations, tail, faults }: RealResult): string {
  if (violations.length === 0) return '';
  const what = violations.map(({ atMs, rule, text }) => `${atMs} ${rule}: ${text}`);
  const schedule = formatSchedule({ seed, devices: DEVICES, durationMs: DURATION_MS_DEFAULT, faults }, '');
  return [...what, '', ...tail, '', schedule].join('\n');
}

describe.each(['mosquitto', 'motemq'] as const)('worlds over sockets, against %s', (name) => {
  it(
    'keeps every promise whatever befalls devices, network and broker',
    { timeout: TIMEOUT_MS },
    async () => {
      const faults = drawEveryKind(SEED, DEVICES, DURATION_MS_DEFAULT, PLAYABLE);
      const server = await startable(name);
      const result = await runAgainst({ server, seed: SEED, devices: DEVICES, seconds: SECONDS, faults });
      expect(failureOf(result)).toBe('');
      const missing = PLAYABLE.filter((kind) => !(result.injected[kind] > 0));
      expect(missing).toEqual([]);
      expect(result.connections).toBeGreaterThan(2 * DEVICES);
      expect(result.powerCuts).toBeGreaterThan(0);
      expect(result.arrivals).toBeGreaterThan(100);
    },
  );
});
