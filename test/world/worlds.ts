/**
 * What tests of campaigns are built from: made-up results, and the thread of a campaign, built from the sources as they are.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Fault } from '../../sim/world/faults.ts';
import type { WorldResult } from '../../sim/world/world.ts';

/** A result without a violation, and without anything else that is not in `changes`. */
export function resultOf(seed: number, changes: Partial<WorldResult> = {}): WorldResult {
  return {
    seed,
    violations: [],
    hash: '0123456789abcdef',
    tail: [],
    faults: [],
    virtualMs: 3_600_000,
    messages: 0,
    arrivals: 0,
    duplicates: 0,
    packets: 0,
    powerCuts: 0,
    storeWrites: 0,
    ...changes,
  };
}

/** A result that breaks a rule when all of `faults` are past. */
export function brokenResult(seed: number, faults: readonly Fault[], rule = 'made-up-rule'): WorldResult {
  const atMs = Math.max(10_000, ...faults.map((fault) => fault.atMs)) + 1000;
  return resultOf(seed, {
    virtualMs: atMs,
    faults,
    violations: [{ atMs, rule, text: `d0.7 did what ${rule} forbids` }],
    tail: ['10000 d0 connects', `${atMs} VIOLATION ${rule}: d0.7 did what ${rule} forbids`],
  });
}

/** Bundles the thread of a campaign into a folder that is gone when the process is. */
export async function buildWorker(): Promise<URL> {
  const folder = mkdtempSync(join(tmpdir(), 'motemq-world-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'campaign-worker.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../../sim/world/campaign-worker.ts', import.meta.url))],
    bundle: true,
    outfile,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
  });
  return pathToFileURL(outfile);
}
