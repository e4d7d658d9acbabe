/**
 * Compiles assembly/ with the AssemblyScript compiler. For the build and for tests: nothing that ships imports it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** What is used of the compiler. Its own declarations bring globals along, which would be those of all files here. */
interface Compiler {
  readonly version: string;
  createMemoryStream(): { toString(): string };
  main(flags: readonly string[], host: object): Promise<{ error: Error | null }>;
}

const COMPILER = 'assemblyscript/asc';
const { default: asc } = (await import(COMPILER)) as { default: Compiler };

/**
 * No runtime, no data, no memory of its own, and nothing that it imports but that memory. SIMD and the engine's own copy
 * are in every engine that has WebAssembly since 2023; where they are not, the module does not instantiate.
 */
const FLAGS = [
  ...['--runtime', 'stub', '--importMemory', '--noExportMemory', '--initialMemory', '1'],
  ...['--enable', 'simd', '--enable', 'bulk-memory', '-O3', '--noAssert', '--use', 'abort='],
];

/** The sources by name: what the binary depends on, with the flags. */
export function readAssembly(directory: string): Map<string, string> {
  const names = readdirSync(directory).filter((name) => name.endsWith('.ts'));
  return new Map(names.sort().map((name) => [name, readFileSync(`${directory}/${name}`, 'utf8')]));
}

/** Everything that decides what the binary is, as one text. */
export function describeInputs(directory: string): string {
  return JSON.stringify([FLAGS, asc.version, ...readAssembly(directory)]);
}

/** The binary of the sources in `directory`. Throws what the compiler says when it does not compile. */
export async function compileAssembly(directory: string): Promise<Uint8Array> {
  const sources = readAssembly(directory);
  let binary: Uint8Array | undefined;
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(['index.ts', '--outFile', 'codec.wasm', ...FLAGS], {
    readFile: (name: string) => sources.get(basename(name)) ?? null,
    writeFile: (_name: string, contents: string | Uint8Array) => {
      if (typeof contents !== 'string') binary = contents;
    },
    listFiles: () => [],
    stderr,
  });
  if (error !== null || binary === undefined)
    throw new Error(`${error?.message ?? ''}\n${stderr.toString()}`);
  return binary;
}
