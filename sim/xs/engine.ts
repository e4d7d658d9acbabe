/**
 * Gets a worker with the XS engine: from the cache, or built there from the engine's sources, which are those of one
 * pinned npm package, and from the C files beside this one. Knows nothing of what machines run.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir, cpus } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package whose XS sources are compiled, and the digest of its archive: another one is not taken. */
const PACKAGE = '@agoric/xsnap@0.15.0';
const INTEGRITY = 'ZBm4DZxbtfacxMHVVdJjZi0Y8zOxN77vpu1WwI5RWfPkaRh0aHkz/dVdTGKXalDNzWfz183lljKxlxl3/h0n+A==';

const FLAGS = [
  '-O2',
  '-w',
  '-fno-common',
  '-DINCLUDE_XSPLATFORM',
  '-DXSPLATFORM="platform.h"',
  '-DmxMetering=1',
  '-DmxNoConsole=1',
  '-DmxBoundsCheck=1',
  '-DmxParse=1',
  '-DmxRun=1',
  '-DmxSloppy=1',
  '-DmxRegExp=1',
  '-DmxRegExpUnicodePropertyEscapes=1',
  '-DmxStringNormalize=1',
  '-DmxMinusZero=1',
];
/** Not needed by a worker that takes no snapshots. */
const LEFT_OUT = ['xsSnapshot.c'];

/** The engine cannot be built here; the message says what is missing. */
export class XsEngineError extends Error {
  override name = 'XsEngineError';
}

export interface PrepareOptions {
  /** Told in words what is being done, when it takes a while. */
  onProgress?: ((text: string) => void) | undefined;
  /** Where workers are kept; default `$XDG_CACHE_HOME/motemq` or `~/.cache/motemq`. */
  cacheDirectory?: string | undefined;
}

/** The folder of the worker's own C sources, beside this file or, from a build, in the package. */
function sourceDirectory(): string {
  const beside = fileURLToPath(new URL('./engine/', import.meta.url));
  if (existsSync(join(beside, 'worker.c'))) return beside;
  return fileURLToPath(new URL('../../../sim/xs/engine/', import.meta.url));
}

interface Outcome {
  status: number | null;
  output: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, output });
    });
  });
}

async function mustRun(command: string, args: readonly string[], cwd: string, why: string): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await run(command, args, cwd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new XsEngineError(`${why}: there is no "${command}" here`);
  }
  if (outcome.status !== 0) {
    throw new XsEngineError(
      `${why}: "${command}" ended with ${String(outcome.status)}\n${outcome.output.slice(-2000)}`,
    );
  }
}

/** Brings the package's archive into `directory`, checks it, and unpacks it. Returns the folder of XS. */
async function fetchSources(directory: string): Promise<string> {
  await mustRun('npm', ['pack', '--silent', PACKAGE], directory, `cannot get the sources of XS (${PACKAGE})`);
  const archive = readdirSync(directory).find((name) => name.endsWith('.tgz'));
  if (archive === undefined) throw new XsEngineError(`cannot get the sources of XS (${PACKAGE})`);
  const digest = createHash('sha512')
    .update(readFileSync(join(directory, archive)))
    .digest('base64');
  if (digest !== INTEGRITY) throw new XsEngineError(`the archive of ${PACKAGE} is not the one expected`);
  await mustRun('tar', ['-xzf', archive], directory, 'cannot unpack the sources of XS');
  return join(directory, 'package', 'moddable', 'xs');
}

/** Compiles everything in `directory`, as many files at once as there are processors. Returns the worker's path. */
async function compile(xs: string, own: string, directory: string, compiler: string): Promise<string> {
  const sources = readdirSync(join(xs, 'sources'))
    .filter((name) => name.endsWith('.c') && !LEFT_OUT.includes(name))
    .map((name) => join(xs, 'sources', name))
    .concat(['worker.c', 'host.c'].map((name) => join(own, name)));
  const includes = ['includes', 'platforms', 'sources'].map((name) => `-I${join(xs, name)}`);
  const objects = sources.map((source) => join(directory, basename(source, '.c') + '.o'));
  const why = 'cannot compile the XS engine (it takes a C compiler: Debian has it as gcc)';
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < sources.length) {
      const i = next++;
      const args = [...FLAGS, ...includes, `-I${own}`, '-c', sources[i], '-o', objects[i]];
      await mustRun(compiler, args, directory, why);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, cpus().length) }, work));
  const worker = join(directory, 'worker');
  await mustRun(compiler, [...objects, '-lm', '-ldl', '-lpthread', '-o', worker], directory, why);
  return worker;
}

/** What a built worker depends on, as a name. */
function keyOf(own: string, compiler: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(own).sort()) hash.update(name).update(readFileSync(join(own, name)));
  hash.update(
    JSON.stringify([PACKAGE, INTEGRITY, FLAGS, LEFT_OUT, compiler, process.arch, process.platform]),
  );
  return hash.digest('hex').slice(0, 16);
}

/**
 * The path of a worker with the XS engine. Builds it when it is not in the cache: that takes `npm`, `tar` and a C
 * compiler (`$CC`, else `cc`), a download of 0.7 MB and about ten seconds. Rejects with an XsEngineError that says what is
 * missing. Several processes may ask at once.
 */
export async function prepareXsEngine(options: PrepareOptions = {}): Promise<string> {
  const compiler = process.env.CC ?? 'cc';
  const own = sourceDirectory();
  const cache =
    options.cacheDirectory ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'motemq');
  const home = join(cache, `xs-${keyOf(own, compiler)}`);
  const worker = join(home, 'worker');
  if (existsSync(worker)) return worker;
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'building-'));
  try {
    options.onProgress?.('getting the sources of the XS engine');
    const xs = await fetchSources(directory);
    options.onProgress?.('compiling the XS engine');
    const built = await compile(xs, own, directory, compiler);
    mkdirSync(home, { recursive: true });
    renameSync(built, worker);
    return worker;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
