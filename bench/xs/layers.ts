/**
 * Bytes of XS byte code of what ships for a board, layer by layer and module by module. Knows no budget.
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import { XsMachine } from '../../sim/xs/machine.ts';

/** The root of the package, from the sources as from dist. */
function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export const ROOT = findRoot();
const SHIPPED = join(ROOT, 'dist', 'moddable');

interface Part {
  name: string;
  text: string;
}

export interface Layer {
  name: string;
  codeBytes: number;
  modules: { name: string; codeBytes: number }[];
}

/** The pieces of a bundle, each headed by a comment that names the file it was made of, without imports and exports. */
function partsOf(bundle: string): Part[] {
  const parts = new Map<string, Part>();
  let part: Part | undefined;
  const code = bundle.replace(/^import [^;]*;$/gm, '').replace(/^export (\{[^}]*\}|\*)[^;]*;$/gm, '');
  for (const line of code.split('\n')) {
    const head = /^\/\/ ((?:src|targets)\/.*)\.ts$/.exec(line);
    if (head !== null) {
      const name = head[1];
      part = parts.get(name) ?? { name, text: '' };
      parts.set(name, part);
    } else if (part !== undefined) part.text += `${line}\n`;
  }
  return [...parts.values()];
}

/** Has XS compile each text. What it does when it runs is of no interest. */
async function compile(texts: Part[], worker: string): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'motemq-sizes-'));
  const machine = await XsMachine.start({ worker });
  try {
    const sizes: number[] = [];
    for (const [i, { text }] of texts.entries()) {
      const path = join(folder, `part-${i}.js`);
      // Not called: its imports need not be there.
      writeFileSync(path, text);
      await machine.import(path).catch(() => undefined);
      sizes.push(machine.codeBytes.get(path) ?? 0);
    }
    return sizes;
  } finally {
    await machine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Measures every layer in dist/moddable. */
export async function measureLayers(): Promise<Layer[]> {
  const worker = await prepareXsEngine({ onProgress: (text) => process.stderr.write(`${text}\n`) });
  const names = readdirSync(SHIPPED)
    .filter((name) => name.endsWith('.js'))
    .map((name) => name.slice(0, -3));
  const layers: Layer[] = [];
  for (const name of names) {
    const bundle = readFileSync(join(SHIPPED, `${name}.js`), 'utf8');
    const parts = partsOf(bundle);
    const [codeBytes, ...modules] = await compile([{ name, text: bundle }, ...parts], worker);
    layers.push({
      name,
      codeBytes,
      modules: parts.map((part, i) => ({ name: part.name, codeBytes: modules[i] })),
    });
  }
  return layers.sort((a, b) => a.name.localeCompare(b.name));
}
