/**
 * `npm run bench:xs -- [--json FILE]`: what a client costs on the XS engine, in a machine of the size of an ESP32's: the
 * modules that ship, built from the sources as they are. Computrons, slots and bytes are counts, the same in every run and
 * on every machine.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import { ESP32_HEAP, XsMachine } from '../../sim/xs/machine.ts';
import { buildModules } from '../../targets/moddable/build/bundler.ts';

/** The sources, from here or from dist. */
const ROOT = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../' : '../../', import.meta.url),
);
/** A slot of a board's heap; here it has twice as many bytes. */
const BOARD_SLOT_BYTES = 16;

interface Measurement {
  name: string;
  computrons?: number;
  slots: number;
  chunkBytes: number;
}

/** What the guest stands on; all of it is preloaded, as a board has it in flash. */
const LAYERS_USED = ['session', 'line', 'core'];

/** What the guest imports of the sources it gets from what ships. */
const shipped: Plugin = {
  name: 'shipped',
  setup(host) {
    host.onResolve({ filter: /\/targets\/moddable\/core\.ts$/ }, () => ({
      path: 'motemq/core',
      external: true,
    }));
  },
};

async function bundleGuest(outfile: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['bench/xs/guest.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    minifySyntax: true,
    plugins: [shipped],
    logLevel: 'error',
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
  });
}

async function run(): Promise<Record<string, number>> {
  const worker = await prepareXsEngine({ onProgress: (text) => process.stderr.write(`${text}\n`) });
  const folder = mkdtempSync(join(tmpdir(), 'motemq-bench-'));
  try {
    const guest = join(folder, 'guest.js');
    await bundleGuest(guest);
    const modules: Record<string, string> = {};
    for (const [file, text] of await buildModules(ROOT)) {
      const path = join(folder, file);
      writeFileSync(path, text);
      modules[`motemq/${file.replace(/\.js$/, '')}`] = path;
    }
    const measurements = new Map<string, Measurement>();
    const machine = await XsMachine.start({
      worker,
      heap: ESP32_HEAP,
      virtualMs: 0,
      preload: LAYERS_USED.map((name) => `motemq/${name}`),
      modules,
      onMessage: (bytes) => {
        const measurement = JSON.parse(Buffer.from(bytes).toString()) as Measurement;
        measurements.set(measurement.name, measurement);
      },
    });
    await machine.import(guest);
    await machine.post(new Uint8Array(0));
    let codeBytes = 0;
    for (const name of LAYERS_USED) codeBytes += machine.codeBytes.get(modules[`motemq/${name}`]) ?? 0;
    await machine.stop();

    const of = (name: string): Measurement => {
      const measurement = measurements.get(name);
      if (measurement === undefined) throw new Error(`${name} was not measured`);
      return measurement;
    };
    const [publish, receive, connected] = ['publish', 'receive', 'connected'].map(of);
    return {
      publishComputrons: publish.computrons ?? 0,
      publishSlots: publish.slots,
      publishChunkBytes: publish.chunkBytes,
      publishSessionComputrons: of('publishSession').computrons ?? 0,
      receiveComputrons: receive.computrons ?? 0,
      receiveSlots: receive.slots,
      receiveChunkBytes: receive.chunkBytes,
      stubWriteComputrons: of('socketWrite').computrons ?? 0,
      stubReadComputrons: of('socketRead').computrons ?? 0,
      heapBytes: connected.slots * BOARD_SLOT_BYTES + connected.chunkBytes,
      codeBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const xs = await run();
for (const [name, value] of Object.entries(xs)) {
  process.stdout.write(`${name.padEnd(26)} ${String(value).padStart(7)}\n`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ xs }, null, 2)}\n`);
