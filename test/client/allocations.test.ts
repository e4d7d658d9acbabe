/**
 * `Topic.publish` allocates nothing: over half a million messages there is not one garbage collection. Collections are
 * counted, not timed, in a process of their own, over a platform and a transport that allocate nothing either.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSources } from '../support/compiled-sources.ts';
import type { CompiledSources } from '../support/compiled-sources.ts';

const SCRIPT = fileURLToPath(new URL('./allocations-loop.mjs', import.meta.url));

let compiled: CompiledSources;

beforeAll(async () => {
  compiled = await compileSources(['wire', 'packets', 'session', 'client']);
});

afterAll(() => compiled.remove());

async function count(traffic: string): Promise<{ count: number; bytesOut: number; isConnected: boolean }> {
  // Without inlining, what is returned must be small integers to cost nothing: no luck with the optimiser.
  const args = ['--no-turbo-inlining', SCRIPT, compiled.url, traffic];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as { count: number; bytesOut: number; isConnected: boolean };
}

describe('half a million messages by topic().publish', () => {
  it.each([
    ['of QoS 0', 'qos0'],
    ['of QoS 0 with properties', 'properties'],
    ['of QoS 1, acknowledged', 'qos1'],
  ])('%s collect no garbage', { timeout: 60_000 }, async (_, traffic) => {
    const result = await count(traffic);
    expect(result).toMatchObject({ count: 0, isConnected: true });
    expect(result.bytesOut).toBeGreaterThan(500_000 * 64);
  });

  it('that make one object each would be seen', { timeout: 60_000 }, async () => {
    expect((await count('control')).count).toBeGreaterThan(0);
  });
});
