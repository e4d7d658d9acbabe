/**
 * A firmware file, loaded and looked through: what a fleet has to know of it before any device runs it. Its import of
 * `motemq/device` is this package's, wherever the file lies.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as module from 'node:module';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkDefinition, type DeviceDefinition } from '../../../src/device/index.ts';
import { FleetError } from '../failure.ts';
import { runSimulate, type Simulate } from './simulate.ts';
import { SimulatedBoard, simulatedFunctions } from './simulated-io.ts';

export interface Firmware {
  /** Absolute. */
  path: string;
  /** Without its folder. */
  file: string;
  definition: DeviceDefinition<object>;
  /** What the file itself simulates with. */
  simulate: Simulate | undefined;
}

/** The modules that a file finds by name. */
const DEVICE = 'motemq/device';

type ResolveHook = (specifier: string, context: unknown, next: (...args: unknown[]) => unknown) => unknown;
/** Node has them from 22.15 on. */
type RegisterHooks = (hooks: { resolve: ResolveHook }) => void;

let isHooked = false;

/** From now on `motemq/device` is the runtime that fleets run, for every module of this process. */
function hookResolution(): void {
  // From the sources, whoever compiles them on the way resolves them, too.
  if (isHooked || !import.meta.url.endsWith('.js')) return;
  isHooked = true;
  const url = new URL('../../../src/device/index.js', import.meta.url).href;
  const { registerHooks } = module as { registerHooks?: RegisterHooks };
  if (registerHooks !== undefined) {
    registerHooks({
      resolve: (specifier, context, next) =>
        specifier === DEVICE ? { url, shortCircuit: true } : next(specifier, context),
    });
    return;
  }
  // Before, hooks live in a thread of their own, and come as a module.
  const text = `export async function resolve(specifier, context, next) {
    if (specifier === ${JSON.stringify(DEVICE)}) return { url: ${JSON.stringify(url)}, shortCircuit: true };
    return next(specifier, context);
  }`;
  module.register(`data:text/javascript,${encodeURIComponent(text)}`);
}

/** The line where the engine cannot read the file, undefined if that can be read: an error of import() does not say. */
function syntaxLine(path: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ['--check', '--input-type=module', '-'], {
    input: readFileSync(path),
    encoding: 'utf8',
  });
  return /^\[stdin\]:(\d+)$/m.exec(stderr)?.[1];
}

/** `climate.js:12: Unexpected token '{'`, as far as it is known where. */
function importFailure(path: string, error: unknown): FleetError {
  const file = basename(path);
  if (!(error instanceof Error)) return wrong(`${file}: ${String(error)}`);
  const [, frame] = error.stack?.split(`${pathToFileURL(path).href}:`) ?? [];
  const line = error instanceof SyntaxError ? syntaxLine(path) : /^\d+/.exec(frame ?? '')?.[0];
  return wrong(`${file}${line === undefined ? '' : `:${line}`}: ${error.message}`);
}

function wrong(why: string): FleetError {
  return new FleetError(why, 'firmware');
}

/** Loads a file and checks what it exports. Rejects with a FleetError that says what is wrong with it. */
export async function loadFirmware(path: string): Promise<Firmware> {
  const absolute = resolve(path);
  const file = basename(path);
  if (!existsSync(absolute)) throw wrong(`there is no file ${path}`);
  if (/\.[cm]?tsx?$/.test(path)) throw wrong(`${file} must be JavaScript: an ES module`);
  hookResolution();
  let exported: { default?: unknown; simulate?: unknown };
  try {
    exported = (await import(pathToFileURL(absolute).href)) as typeof exported;
  } catch (error) {
    throw importFailure(absolute, error);
  }
  const { default: definition, simulate } = exported;
  if (definition === undefined)
    throw wrong(`${file} has no default export, which is to be what defineDevice returns`);
  if (simulate !== undefined && typeof simulate !== 'function') {
    throw wrong(`${file} exports simulate, which is to be a function (index, random)`);
  }
  try {
    checkDefinition(definition);
  } catch (error) {
    throw wrong(`${file}: ${(error as Error).message}`);
  }
  return {
    path: absolute,
    file,
    definition: definition as DeviceDefinition<object>,
    simulate: simulate as Simulate | undefined,
  };
}

/** What V8 says when something is called that is not there. */
const NO_FUNCTION = /^(?:.*\.)?(\w+) is not a function$/;

/**
 * Reads every metric once, as a device would. Throws a FleetError when the firmware calls what its simulated board does
 * not have: every reading would fail like that one, and the run show nothing.
 */
export function tryFirmware({ file, definition, simulate }: Firmware, seed: number): void {
  let io: object;
  try {
    io = simulate === undefined ? new SimulatedBoard(seed, 0, Date.now) : runSimulate(simulate, seed, 0);
  } catch (error) {
    throw wrong(`${file}: ${(error as Error).message}`);
  }
  const metrics = Object.entries(definition.metrics ?? {});
  const calls: [string, () => unknown][] = metrics.map(([name, metric]) => [name, () => metric.read(io)]);
  if (definition.status !== undefined) calls.push(['status', () => definition.status?.(io)]);
  for (const [what, call] of calls) {
    try {
      call();
    } catch (error) {
      const name = NO_FUNCTION.exec((error as Error).message)?.[1];
      // Other errors are a sensor's, and readings like any other.
      if (name === undefined) continue;
      const has =
        simulate === undefined
          ? `the simulated board has ${simulatedFunctions().join(', ')}; the file may export simulate(index, random)`
          : 'that is what its simulate() is to return';
      throw wrong(`${file}: ${what} calls ${name}(), which is not there: ${has}`);
    }
  }
}
