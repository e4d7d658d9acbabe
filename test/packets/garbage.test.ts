/**
 * Nothing is allocated per packet: over five million packets written and read there is not one garbage collection.
 * Collections are counted, not timed, in a process of their own.
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
const SCRIPT = fileURLToPath(new URL('./garbage-loop.mjs', import.meta.url));

let directory = '';

/** Compiles the core as it is now, so that the test needs no build and never sees an old one. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'motemq-garbage-'));
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
    /^(\w+|(wire|packets)\/[\w-]+)\.ts$/.test(name.replaceAll('\\', '/'));
  for (const name of names.filter(isNeeded)) {
    const source = await readFile(join(SOURCES, name), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: options, fileName: name });
    const file = join(directory, name.replace(/\.ts$/, '.js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, outputText);
  }
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function countCollections(...mode: string[]): Promise<{ packets: number; count: number }> {
  const url = pathToFileURL(join(directory, '/')).href;
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, url, ...mode]);
  return JSON.parse(stdout) as { packets: number; count: number };
}

describe('writing and reading five million packets', () => {
  it('collects no garbage', { timeout: 60_000 }, async () => {
    expect(await countCollections()).toMatchObject({ packets: 5_000_000, count: 0 });
  });

  it('would be seen to, if each packet made one object', { timeout: 60_000 }, async () => {
    expect((await countCollections('control')).count).toBeGreaterThan(0);
  });
});
