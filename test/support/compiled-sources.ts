/**
 * The sources as they are now, compiled for processes of their own: such a test needs no build, and never sees an old
 * one.
 */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));

export interface CompiledSources {
  /** URL of the directory that stands for src/, with a `/` at its end. */
  readonly url: string;
  remove(): Promise<void>;
}

/** Compiles the files of src/ itself and of its directories `rooms`. */
export async function compileSources(rooms: readonly string[]): Promise<CompiledSources> {
  const directory = await mkdtemp(join(tmpdir(), 'motemq-compiled-'));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
  const { config } = ts.readConfigFile(join(SOURCES, '../tsconfig.json'), ts.sys.readFile) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, SOURCES);
  options.noEmit = false;
  // One file at a time is compiled without its package.json, which would say that it is a module.
  options.module = ts.ModuleKind.ESNext;
  const isNeeded = (name: string): boolean => {
    const [room, file] = name.split('/');
    return name.endsWith('.ts') && (file === undefined || rooms.includes(room));
  };
  const names = await readdir(SOURCES, { recursive: true });
  for (const name of names.map((one) => one.replaceAll('\\', '/')).filter(isNeeded)) {
    const source = await readFile(join(SOURCES, name), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: options, fileName: name });
    const file = join(directory, name.replace(/\.ts$/, '.js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, outputText);
  }
  return {
    url: pathToFileURL(join(directory, '/')).href,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
