/**
 * What the machine of a device finds and what of it a board has in flash: the modules that ship for boards, the firmware
 * file, and the guest that runs it. Knows nothing of machines.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetError } from '../failure.ts';

/** Files by specifier. */
export type ModulePaths = Readonly<Record<string, string>>;

/** What runs, and is in no flash. */
export const GUEST_MAIN = 'fleet/main';

/** In this order: what configures the board goes first. */
export const PRELOADED = ['motemq/config/mqtt', 'motemq/device', 'fleet/firmware', 'fleet/guest'];

/** The root of the package: this file lies in it as a source, or in its `dist`. */
function packageRoot(): string {
  const up = import.meta.url.endsWith('.js') ? '../../../../' : '../../../';
  return fileURLToPath(new URL(up, import.meta.url));
}

/** The firmware that fleets run when they are told an engine and no file. */
export function defaultFirmware(): string {
  return join(packageRoot(), 'manifests/firmware/climate.js');
}

/**
 * All modules of a machine for the firmware at `firmwarePath`; `others` are files in place of those that are built, or
 * besides them. Throws a FleetError when one is missing.
 */
export function machineModules(firmwarePath: string, others: ModulePaths): ModulePaths {
  const root = packageRoot();
  const shipped = (name: string): string => join(root, 'dist/moddable', name);
  const guest = (name: string): string => join(root, 'dist/sim/fleet/firmware', name);
  const modules: Record<string, string> = {
    'motemq/session': shipped('session.js'),
    'motemq/line': shipped('line.js'),
    'motemq/device': shipped('device.js'),
    'motemq/config/mqtt': join(root, 'manifests/config/mqtt.js'),
    'motemq/system-resolver': join(root, 'manifests/config/system-resolver.js'),
    'fleet/guest': guest('guest.js'),
    [GUEST_MAIN]: guest('guest-main.js'),
    ...others,
    'fleet/firmware': firmwarePath,
  };
  modules['fleet/device'] = modules['motemq/device'];
  for (const path of Object.values(modules)) {
    if (!existsSync(path)) throw new FleetError(`there is no ${path}: it takes \`npm run build\``, 'engine');
  }
  return modules;
}
