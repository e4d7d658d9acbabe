/**
 * The sources as they are now, bundled for a Node process of its own, packages left where they are: such a test needs no
 * build, and never sees an old one. Knows nothing of what the code does.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Inside the tree, for packages are looked for from where a file lies. */
const CACHE = join(ROOT, 'node_modules/.cache');

export interface NodeBundle {
  /** URL of the module. */
  readonly url: string;
  remove(): void;
}

/** Bundles `entry`, a path from the root of the repository, with everything of ours that it imports. */
export async function bundleForNode(entry: string): Promise<NodeBundle> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'bundle-'));
  await build({
    absWorkingDir: ROOT,
    entryPoints: { main: entry },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
  });
  return {
    url: pathToFileURL(join(folder, 'main.mjs')).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
