/**
 * A machine with the modules that ship for Moddable, built from the sources as they are, and one application, all of it
 * preloaded as a board has it in flash; what configures a board is what manifests/ has for it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import { ESP32_HEAP, XsMachine, type XsMachineOptions } from '../../sim/xs/machine.ts';
import { buildModules } from '../../targets/moddable/build/bundler.ts';
import { ROOT, bundle, outputFolder, writeModule } from './bundle.ts';

/** Modules of manifests/ that every application with sockets includes. */
const CONFIGURATION = {
  'motemq/config/mqtt': join(ROOT, 'manifests/config/mqtt.js'),
  'motemq/system-resolver': join(ROOT, 'manifests/config/system-resolver.js'),
};

let layers: Promise<Record<string, string>> | undefined;

async function writeLayers(): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const [file, text] of await buildModules(ROOT)) {
    const path = join(outputFolder(), `layer-${file}`);
    writeFileSync(path, text);
    paths[`motemq/${file.replace(/\.js$/, '')}`] = path;
  }
  return paths;
}

/** Paths of the modules that ship, by specifier. */
export function shippedModules(): Promise<Record<string, string>> {
  return (layers ??= writeLayers());
}

/** An import of the file that a layer begins with is an import of what ships of it. */
const shipped: Plugin = {
  name: 'shipped',
  setup(host) {
    host.onResolve({ filter: /\/targets\/moddable\/[a-z-]+\.ts$/ }, ({ path }) => ({
      path: path.replace(/^.*\/([a-z-]+)\.ts$/, 'motemq/$1'),
      external: true,
    }));
    host.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path, external: true },
    );
  },
};

/** Bundles an application in TypeScript (a path from the root). Returns its path. */
export function bundleApplication(path: string): Promise<string> {
  const name = path.replace(/^.*\//, 'app-').replace(/\.ts$/, '');
  return bundle(name, { entryPoints: [join(ROOT, path)], plugins: [shipped] });
}

export interface ShippedOptions extends Partial<XsMachineOptions> {
  /** Layers that the application imports; those they stand on come by themselves. */
  uses: readonly string[];
}

/**
 * Starts a machine of an ESP32's size with the application of this path (from the root; TypeScript, or JavaScript as it
 * is), whose default export is called to start it.
 */
export async function startShipped(application: string, options: ShippedOptions): Promise<XsMachine> {
  const { uses, modules, preload, ...others } = options;
  const machine = await XsMachine.start({
    worker: await prepareXsEngine(),
    heap: ESP32_HEAP,
    modules: {
      ...CONFIGURATION,
      ...(await shippedModules()),
      application: application.endsWith('.ts')
        ? await bundleApplication(application)
        : join(ROOT, application),
      main: writeModule('main-shipped', "import start from 'application';\nstart();\n"),
      ...modules,
    },
    preload: [
      'motemq/config/mqtt',
      ...uses.map((name) => `motemq/${name}`),
      ...(preload ?? []),
      'application',
    ],
    ...others,
  });
  await machine.import('main');
  return machine;
}
