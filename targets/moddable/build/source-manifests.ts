/**
 * Writes manifests/typescript: manifests that build an app from the TypeScript sources instead of from what ships. Each
 * names all files that one module of LAYERS is made of, under specifiers like their paths, so that their relative imports
 * find one another; and a file of one line that gives the module its own name.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { LAYERS } from './layers.ts';
import type { Layer } from './layers.ts';

/** Of .prettierrc.json. */
const LINE_LENGTH_MAX = 110;

/** The files that `path` is made of, from the root, itself included; those that only types come from are not. */
async function sourcesOf(root: string, path: string, found: Set<string>): Promise<void> {
  if (found.has(path)) return;
  found.add(path);
  const text = await readFile(join(root, path), 'utf8');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const isTypeOnly = ts.isImportDeclaration(statement)
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    const specifier = statement.moduleSpecifier;
    if (isTypeOnly || specifier === undefined || !ts.isStringLiteral(specifier)) continue;
    if (!specifier.text.startsWith('.')) continue;
    const target = relative(root, resolve(root, dirname(path), specifier.text));
    await sourcesOf(root, target.split('\\').join('/'), found);
  }
}

/** JSON as Prettier leaves it: lists that fit on a line are on one. */
function jsonOf(value: object): string {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  return text.replace(/^(.*)\[\n([^\]]*)\n *\](,?)$/gm, (all, head: string, items: string, comma: string) => {
    const line = `${head}[${items.trim().replace(/\n\s*/g, ' ')}]${comma}`;
    return line.length > LINE_LENGTH_MAX ? all : line;
  });
}

/** What the manifest of a layer includes besides, and under which name an app imports it. */
const EXTRAS: Record<string, { include: string[]; specifier?: string; modules?: Record<string, string> }> = {
  'mqtt-client': {
    include: ['../manifest-config.json'],
    specifier: 'embedded:network/mqtt/client',
    modules: { 'mqttclient/config': '../config/mqtt-class' },
  },
  scram: { include: ['../manifest-config.json', '$(MODDABLE)/modules/crypt/digest/manifest.json'] },
  'flash-store': { include: ['$(MODDABLE)/modules/files/preference/manifest.json'] },
  wifi: { include: [] },
};

async function filesOf(root: string, layer: Layer, entry: string): Promise<Map<string, string>> {
  const found = new Set<string>();
  await sourcesOf(root, entry, found);
  const { include, specifier, modules } = EXTRAS[layer.name] ?? { include: ['../manifest-config.json'] };
  const all: Record<string, string> = { [specifier ?? `motemq/${layer.name}`]: `./${layer.name}` };
  for (const path of [...found].sort()) {
    const name = path.replace(/\.ts$/, '');
    all[`motemq/${name}`] = `../../${name}`;
  }
  Object.assign(all, modules);
  const manifest = {
    include: ['./manifest-typescript.json', ...include],
    modules: all,
    preload: Object.keys(all),
  };
  const from = `'motemq/${entry.replace(/\.ts$/, '')}'`;
  const text = await readFile(join(root, entry), 'utf8');
  const what = /^export default /m.test(text) ? '{ default }' : '*';
  return new Map([
    [`manifest-${layer.name}.json`, jsonOf(manifest)],
    [`${layer.name}.ts`, `/** Gives the sources' module its name. */\nexport ${what} from ${from};\n`],
  ]);
}

/** The files of manifests/typescript that are made from the sources, by name. */
export async function sourceManifests(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const layer of LAYERS) {
    if (layer.entry === undefined) continue;
    for (const [name, text] of await filesOf(root, layer, layer.entry)) files.set(name, text);
  }
  return files;
}

/** Writes those that are not as they should be. */
export async function writeSourceManifests(root: string): Promise<void> {
  const directory = join(root, 'manifests/typescript');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of await sourceManifests(root)) {
    const path = join(directory, name);
    const before = await readFile(path, 'utf8').catch(() => undefined);
    if (before !== text) await writeFile(path, text);
  }
}
