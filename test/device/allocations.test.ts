/**
 * A device allocates nothing while it reads and sends: over three hundred thousand readings of three metrics there is
 * not one garbage collection. Collections are counted, not timed, in a process of their own.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSources } from '../support/compiled-sources.ts';
import type { CompiledSources } from '../support/compiled-sources.ts';

const SCRIPT = fileURLToPath(new URL('./allocations-loop.mjs', import.meta.url));

interface Counted {
  rounds: number;
  count: number;
  isUp: boolean;
  sent: number;
  published: number;
  dropped: number;
}

let compiled: CompiledSources;

beforeAll(async () => {
  compiled = await compileSources(['wire', 'packets', 'session', 'device']);
});

afterAll(() => compiled.remove());

async function count(traffic: string): Promise<Counted> {
  // Without inlining, what is handed over must be small integers to cost nothing: no luck with the optimiser. With a
  // small nursery, four bytes a round would be seen.
  const args = ['--no-turbo-inlining', '--max-semi-space-size=1', SCRIPT, compiled.url, traffic];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Counted;
}

describe('three hundred thousand rounds', () => {
  it.each([
    ['in JSON, QoS 0', 'json'],
    ['in CBOR', 'cbor'],
    ['at QoS 1, acknowledged', 'qos1'],
    ['in batches', 'batch'],
    ['of readings that are mostly not told', 'deadband'],
    ['without a connection', 'offline'],
  ])('%s collect no garbage', { timeout: 60_000 }, async (_, traffic) => {
    const counted = await count(traffic);
    expect(counted).toMatchObject({ rounds: 300_000, count: 0, isUp: traffic !== 'offline' });
    if (traffic === 'offline') expect(counted.dropped).toBeGreaterThan(300_000);
    else expect(counted.sent).toBeGreaterThan(60_000);
    if (traffic === 'qos1' || traffic === 'batch') expect(counted.published).toBe(counted.sent);
  });

  it('that make one object each would be seen', { timeout: 60_000 }, async () => {
    expect((await count('control')).count).toBeGreaterThan(0);
  });
});
