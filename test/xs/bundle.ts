/**
 * Bundles TypeScript for XS machines, and keeps what it writes in a folder that is gone when the process is. Knows
 * nothing of what the code does.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let folder: string | undefined;

/** A folder for what is built, one for this process. */
export function outputFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'motemq-xs-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

/**
 * Bundles one module with everything it imports, constants written where they are used. Returns the path of the file,
 * which is called `name`. `options` are added to, or replace, the usual ones.
 */
export async function bundle(name: string, options: BuildOptions): Promise<string> {
  const outfile = join(outputFolder(), `${name}.js`);
  await build({
    absWorkingDir: ROOT,
    bundle: true,
    outfile,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    minifySyntax: true,
    charset: 'utf8',
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
    ...options,
  });
  return outfile;
}

/** Writes a module as it is. Returns its path. */
export function writeModule(name: string, text: string): string {
  const path = join(outputFolder(), `${name}.js`);
  writeFileSync(path, text);
  return path;
}
