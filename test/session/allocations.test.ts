/**
 * A connected session allocates nothing per message: over a million messages of each kind there is not one garbage
 * collection. Collections are counted, not timed, in a process of their own.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
const SCRIPT = fileURLToPath(new URL('./allocations-loop.mjs', import.meta.url));

let directory = '';

/** Compiles the core as it is now, so that the test needs no build and never sees an old one. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'motemq-allocations-'));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
  const { config } = ts.readConfigFile(join(SOURCES, '../tsconfig.json'), ts.sys.readFile) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, SOURCES);
  options.noEmit = false;
  // One file at a time is compiled without its package.json, which would say that it is a module.
  options.module = ts.ModuleKind.ESNext;
  const names = await readdir(SOURCES, { recursive: true });
  const isNeeded = (name: string): boolean =>
    /^(\w+|(wire|packets|session)\/[\w-]+)\.ts$/.test(name.replaceAll('\\', '/'));
  for (const name of names.filter(isNeeded)) {
    const source = await readFile(join(SOURCES, name), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: options, fileName: name });
    const file = join(directory, name.replace(/\.ts$/, '.js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, outputText);
  }
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function count(traffic: string): Promise<{ rounds: number; count: number; isUp: boolean }> {
  const url = pathToFileURL(join(directory, '/')).href;
  // Without inlining, what is returned must be small integers to cost nothing: no luck with the optimiser.
  const args = ['--no-turbo-inlining', SCRIPT, url, traffic];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as { rounds: number; count: number; isUp: boolean };
}

describe('a million rounds', () => {
  it.each([
    ['of publishing QoS 0', 'qos0'],
    ['of publishing QoS 1, acknowledged', 'qos1'],
    ['of publishing QoS 2, completed', 'qos2'],
    ['of receiving QoS 0, 1 and 2', 'receive'],
    ['of pinging', 'ping'],
  ])('%s collect no garbage', { timeout: 60_000 }, async (_, traffic) => {
    expect(await count(traffic)).toMatchObject({ rounds: 1_000_000, count: 0, isUp: true });
  });

  it('that make one object each would be seen', { timeout: 60_000 }, async () => {
    expect((await count('control')).count).toBeGreaterThan(0);
  });
});
