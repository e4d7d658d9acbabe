/**
 * A connected session allocates nothing per message: over a million messages of each kind there is not one garbage
 * collection. Collections are counted, not timed, in a process of their own.
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
  compiled = await compileSources(['wire', 'packets', 'session']);
});

afterAll(() => compiled.remove());

async function count(traffic: string): Promise<{ rounds: number; count: number; isUp: boolean }> {
  // Without inlining, what is returned must be small integers to cost nothing: no luck with the optimiser.
  const args = ['--no-turbo-inlining', SCRIPT, compiled.url, traffic];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as { rounds: number; count: number; isUp: boolean };
}

describe('a million rounds', () => {
  it.each([
    ['of publishing QoS 0', 'qos0'],
    ['of publishing QoS 1, acknowledged', 'qos1'],
    ['of publishing QoS 2, completed', 'qos2'],
    ['of publishing in pieces', 'pieces'],
    ['of receiving QoS 0, 1 and 2', 'receive'],
    ['of pinging', 'ping'],
  ])('%s collect no garbage', { timeout: 60_000 }, async (_, traffic) => {
    expect(await count(traffic)).toMatchObject({ rounds: 1_000_000, count: 0, isUp: true });
  });

  it('that make one object each would be seen', { timeout: 60_000 }, async () => {
    expect((await count('control')).count).toBeGreaterThan(0);
  });
});
