/**
 * A publisher that is killed again and again, its in-flight state in a file: everything it had accepted arrives, and at
 * QoS 2 exactly once.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../targets/node/index.ts';
import { findMosquitto, startMosquitto } from '../support/brokers.ts';
import type { RunningBroker } from '../support/brokers.ts';
import { eventually } from '../support/wait.ts';

const PUBLISHER = fileURLToPath(new URL('power-cut-publisher.mjs', import.meta.url));
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const KILLS = 5;
const MESSAGES_A_LIFE = 400;

let folder = '';
let broker: RunningBroker | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-power-'));
  if (findMosquitto() !== undefined) broker = await startMosquitto({ maxQueuedMessages: 0 });
  else if (process.env['CI'] !== undefined) throw new Error('Mosquitto is missing');
});

afterAll(async () => {
  await broker?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the publisher until it has printed enough, then kills it without warning; resolves to what it printed. */
function livesShort(args: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PUBLISHER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.length > MESSAGES_A_LIFE * 8) child.kill('SIGKILL');
    });
    child.on('error', reject);
    // The last line may have been cut: what it stands for was accepted all the same, but not said so.
    child.on('close', () => resolve(text.split('\n').slice(0, -1)));
  });
}

function drains(args: string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PUBLISHER, ...args, 'drain'], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', resolve);
  });
}

describe('a publisher that is killed, its session in a file', () => {
  it.each(['5.0', '3.1.1'] as const)(
    'MQTT %s: what it accepted arrives exactly once at QoS 2 [MQTT-4.1.0-1]',
    async (protocol) => {
      if (broker === undefined) {
        console.warn('Mosquitto is not installed: power cuts were not tried');
        return;
      }
      const url = `mqtt://127.0.0.1:${broker.tcpPort}`;
      const received = new Map<string, number>();
      const subscriber = await connect(url, { protocol });
      await subscriber.subscribe('power/cut', { qos: 2 }, (message) => {
        received.set(message.text(), (received.get(message.text()) ?? 0) + 1);
      });
      const args = [DIST, url, protocol, join(folder, `session-${protocol}.log`)];
      const accepted: string[] = [];
      for (let life = 0; life < KILLS; life++) accepted.push(...(await livesShort(args)));
      expect(await drains(args), 'records left in the store').toBe(0);
      await eventually(() => accepted.every((id) => received.has(id)), {
        what: 'every accepted message',
        withinMs: 20_000,
      });
      expect(accepted.length).toBeGreaterThan(KILLS * 100);
      expect([...received].filter(([, count]) => count > 1)).toEqual([]);
      await subscriber.disconnect();
    },
    60_000,
  );
});
