/**
 * Bundles the layers. Within a layer constants are written where they are used, and code that no layer needs is left out:
 * byte code of about three quarters of that of the separate files. Names stay as they are, for the debugger.
 */
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import ts from 'typescript';
import { chainAssignments, freeze, importsOf, joinImports, writePlainly } from './bundled-text.ts';
import { LAYERS } from './layers.ts';
import type { Layer } from './layers.ts';
import { CONSTANTS, LAYER, contentsOf, moveConstants } from './source-text.ts';
import type { Contents } from './source-text.ts';

const HEADER =
  '/* motemq, Apache-2.0. Built from TypeScript; the sources say why and cite the standard: see src/ and targets/. */\n';

/** Makes the modules of `layers` from the sources below `root`. */
class Builder {
  root: string;
  layers: Layer[];
  contents = new Map<string, Contents>();
  /** Names that layers above ask of each layer. */
  wanted = new Map<string, Set<string>>();
  /** Which layer has bundled a file. */
  holders = new Map<string, string>();

  constructor(root: string, layers: Layer[]) {
    this.root = root;
    this.layers = layers;
    for (const layer of layers) this.wanted.set(layer.name, new Set());
  }

  async readContents(): Promise<void> {
    const files = ts.sys.readDirectory(join(this.root, 'src'), ['.ts']);
    files.push(...ts.sys.readDirectory(join(this.root, 'targets/moddable'), ['.ts']));
    for (const path of files) {
      this.contents.set(resolve(path), contentsOf(path, await readFile(path, 'utf8')));
    }
  }

  contentsAt(path: string): Contents {
    return this.contents.get(path) ?? { names: [], passedOn: [], stars: [], constants: new Map() };
  }

  /** The path from the root, with `/`. */
  pathOf(path: string): string {
    return relative(this.root, path).split('\\').join('/');
  }

  ownerOf(path: string): Layer | undefined {
    const name = this.pathOf(path).replace(/\.ts$/, '');
    let owner: Layer | undefined;
    let longest = 0;
    for (const layer of this.layers) {
      for (const one of layer.owns) {
        const begins = one.endsWith('-') ? one : `${one}/`;
        if (one.length <= longest || (name !== one && !name.startsWith(begins))) continue;
        owner = layer;
        longest = one.length;
      }
    }
    return owner;
  }

  /** What the files of a layer export, constants apart. */
  namesOf(layer: string): string[] {
    const names = new Set<string>();
    for (const [path, found] of this.contents) {
      if (this.ownerOf(path)?.name !== layer) continue;
      for (const name of found.names) if (name !== 'default' && !found.constants.has(name)) names.add(name);
    }
    return [...names];
  }

  /** The text that a layer is bundled from: its own exports, and what the layers above want. */
  entryText(layer: Layer): string {
    const own = layer.entry === undefined ? [] : this.contentsAt(join(this.root, layer.entry)).names;
    const lines = layer.entry === undefined ? [] : [`export * from "./${layer.entry}";`];
    if (layer.hasDefault === true) lines.push(`export { default } from "./${layer.entry}";`);
    for (const name of [...(this.wanted.get(layer.name) ?? [])].sort()) {
      if (own.includes(name)) continue;
      const homes = [...this.contents]
        .filter(([path, found]) => found.names.includes(name) && this.ownerOf(path) === layer)
        .map(([path]) => path);
      if (homes.length !== 1) {
        throw new Error(`${layer.name}: ${name} is exported by ${homes.length} files: ${homes.join(', ')}`);
      }
      lines.push(`export { ${name} } from "./${this.pathOf(homes[0])}";`);
    }
    return lines.join('\n');
  }

  plugin(layer: Layer): Plugin {
    const index = this.layers.indexOf(layer);
    return {
      name: 'layers',
      setup: (host) => {
        host.onResolve({ filter: new RegExp(`^${CONSTANTS}:`) }, ({ path }) => ({
          path: path.slice(CONSTANTS.length + 1),
          namespace: CONSTANTS,
          sideEffects: false,
        }));
        host.onLoad({ filter: /./, namespace: CONSTANTS }, ({ path }) => ({
          contents: [...this.contentsAt(path).constants]
            .map(([name, text]) => `export const ${name} = ${text};`)
            .join('\n'),
        }));
        // What is no path is Moddable's, or the app's.
        host.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
          kind === 'entry-point' ? undefined : { path, external: true, sideEffects: false },
        );
        host.onResolve({ filter: /^[./]/ }, ({ path, resolveDir, importer }) => {
          const target = resolve(resolveDir, path);
          const owner = this.ownerOf(target);
          if (owner === undefined || owner === layer) return { path: target, sideEffects: false };
          if (this.layers.indexOf(owner) > index) {
            const text = `${importer} imports ${path}: ${layer.name} is below ${owner.name}, and imports run down`;
            return { errors: [{ text }] };
          }
          return { path: owner.name, namespace: LAYER, sideEffects: false };
        });
        host.onLoad({ filter: /./, namespace: LAYER }, ({ path }) => ({
          // A statement for each, so that those that nobody uses are dropped.
          contents: this.namesOf(path)
            .map((name) => `export { ${name} } from "motemq/${path}";`)
            .join('\n'),
        }));
        host.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
          contents: moveConstants(path, await readFile(path, 'utf8'), (one) => this.contentsAt(one)),
          loader: 'ts',
        }));
      },
    };
  }

  /** The module of one layer; those above it must be built before. */
  async buildLayer(layer: Layer): Promise<string> {
    const result = await build({
      absWorkingDir: this.root,
      stdin: { contents: this.entryText(layer), resolveDir: this.root, sourcefile: `${layer.name}-entry.js` },
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'neutral',
      target: 'es2022',
      minifySyntax: true,
      charset: 'utf8',
      legalComments: 'none',
      plugins: [this.plugin(layer)],
      tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
      logLevel: 'warning',
    });
    for (const { inputs } of Object.values(result.metafile.outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        if (bytesInOutput === 0 || !path.endsWith('.ts') || path.startsWith(`${CONSTANTS}:`)) continue;
        const other = this.holders.get(path);
        if (other !== undefined)
          throw new Error(`${path} is in both ${other} and ${layer.name}: say whose it is`);
        this.holders.set(path, layer.name);
      }
    }
    const text = HEADER + joinImports(freeze(writePlainly(chainAssignments(result.outputFiles[0].text))));
    for (const [specifier, names] of importsOf(text)) {
      const wanted = this.wanted.get(specifier.replace(/^motemq\//, ''));
      if (specifier.startsWith('motemq/')) for (const name of names) wanted?.add(name);
    }
    return text;
  }
}

/** The modules that ship, by their path below dist/moddable. */
export async function buildModules(root: string, layers = LAYERS): Promise<Map<string, string>> {
  const builder = new Builder(root, layers);
  await builder.readContents();
  const modules = new Map<string, string>();
  for (const layer of [...layers].reverse()) {
    modules.set(`${layer.name}.js`, await builder.buildLayer(layer));
  }
  return modules;
}
