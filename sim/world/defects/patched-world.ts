/**
 * Builds a world with a defect in it, in memory: the sources as they are now, but for the defect's changes. Nothing that
 * ships is made this way.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { applyEdit, type Defect, type Edit } from './defect.ts';

/** What runs the seeds, in a thread of its own. */
const ENTRY = 'sim/world/defects/trial-worker.ts';

/** The repository: this file may lie in it as a source, or built. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}

/** A file of the repository, from its root, as text. */
export function readSource(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Makes the changes while the files are read. */
function patching(edits: readonly Edit[]): Plugin {
  const paths = new Map(edits.map((edit) => [join(ROOT, edit.file), edit.file]));
  return {
    name: 'defect',
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = paths.get(path);
        if (file === undefined) return undefined;
        const own = edits.filter((edit) => edit.file === file);
        return { contents: own.reduce(applyEdit, readSource(file)), loader: 'ts' };
      });
    },
  };
}

/** The program of a worker that looks for `defect`, or for whatever it finds where nothing was changed. */
export async function buildTrial(defect: Defect | null): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
    plugins: [patching(defect?.edits ?? [])],
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
  });
  return outputFiles[0].text;
}
