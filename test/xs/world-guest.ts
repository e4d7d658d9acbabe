/**
 * Worlds for an XS machine, built from the sources as they are: their devices run the modules that ship for boards, byte for
 * byte, and everything else in them is bundled into one file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import type { XsWorldsOptions } from '../../sim/world/two-engines.ts';
import { ROOT, bundle } from './bundle.ts';
import { shippedModules } from './shipped.ts';

/** What devices stand on, from the bottom up. */
const LAYERS = ['motemq/session', 'motemq/line', 'motemq/core', 'motemq/flash-store'];

/** The client of the devices, and their store on flash, are those that ship. */
const shipped: Plugin = {
  name: 'shipped',
  setup(host) {
    host.onResolve({ filter: /\/src\/callbacks\/[a-z-]+\.ts$/ }, () => ({
      path: 'motemq/core',
      external: true,
    }));
    host.onResolve({ filter: /\/targets\/moddable\/flash-store\.ts$/ }, () => ({
      path: 'motemq/flash-store',
      external: true,
    }));
  },
};

export interface XsWorldsBuild extends XsWorldsOptions {
  /** The bundle's text: everything but what ships. */
  text: string;
}

/** Builds the engine, the modules that ship and the rest of a world. */
export async function buildXsWorlds(): Promise<XsWorldsBuild> {
  const guest = await bundle('world', {
    entryPoints: [join(ROOT, 'sim/world/xs-guest.ts')],
    plugins: [shipped],
  });
  const modules = await shippedModules();
  return {
    worker: await prepareXsEngine(),
    guest,
    preloaded: Object.fromEntries(LAYERS.map((name) => [name, modules[name]])),
    text: readFileSync(guest, 'utf8'),
  };
}
