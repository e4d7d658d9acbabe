/**
 * `npm run build:moddable`: writes dist/moddable, after the compiler has made the rest of dist, and manifests/typescript.
 */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildModules } from './bundler.ts';
import { LAYERS } from './layers.ts';
import type { Layer } from './layers.ts';
import { writeSourceManifests } from './source-manifests.ts';

/** Their types, for apps in TypeScript: those that the compiler has made of the sources. */
function typesOf(layer: Layer): string | undefined {
  if (layer.entry === undefined) return undefined;
  const from = JSON.stringify(`../${layer.entry.replace(/\.ts$/, '.js')}`);
  return `export * from ${from};\n${layer.hasDefault === true ? `export { default } from ${from};\n` : ''}`;
}

let root = dirname(fileURLToPath(import.meta.url));
while (!existsSync(join(root, 'package.json'))) root = dirname(root);
const directory = join(root, 'dist/moddable');
await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
for (const [path, text] of await buildModules(root)) await writeFile(join(directory, path), text);
for (const layer of LAYERS) {
  const types = typesOf(layer);
  if (types !== undefined) await writeFile(join(directory, `${layer.name}.d.ts`), types);
}
await writeSourceManifests(root);
