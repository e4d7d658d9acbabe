/**
 * The engine XS for `motemq sim`: builds it where it is not there yet, starts a machine for worlds, and says in words what
 * went wrong with that. Knows nothing of what happens in a world.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { XsEngineError, prepareXsEngine } from '../../sim/xs/engine.ts';
import { XsMachineError } from '../../sim/xs/machine.ts';
import { XsWorlds, runOnBoth, type XsWorldsOptions } from '../../sim/world/two-engines.ts';
import type { WorldOptions, WorldResult } from '../../sim/world/world.ts';
import { CommandError } from './exit-status.ts';

/** What runs in the machine, and that beside it that it imports: only what is built can. */
const GUEST = new URL('../../sim/world/xs-guest.js', import.meta.url);

async function findEngine(stderr: NodeJS.WritableStream): Promise<XsWorldsOptions> {
  const guest = fileURLToPath(GUEST);
  if (!existsSync(guest))
    throw new CommandError(`--engine: there is no ${guest}: it takes \`npm run build\``);
  try {
    const onProgress = (text: string): void => void stderr.write(`${text}, once\n`);
    return { worker: await prepareXsEngine({ onProgress }), guest };
  } catch (error) {
    if (error instanceof XsEngineError) throw new CommandError(`--engine: ${error.message}`);
    throw error;
  }
}

/** Starts a machine. Throws a CommandError where there can be none. */
export async function startXsWorlds(surroundings: {
  readonly stderr: NodeJS.WritableStream;
  readonly xs?: XsWorldsOptions | undefined;
}): Promise<XsWorlds> {
  return XsWorlds.start(surroundings.xs ?? (await findEngine(surroundings.stderr)));
}

/** Runs a world on XS and here; what is not the same is a violation. Throws a CommandError when the machine ends over it. */
export async function runOnEngines(worlds: XsWorlds, options: WorldOptions): Promise<WorldResult> {
  try {
    return await runOnBoth(worlds, options);
  } catch (error) {
    if (!(error instanceof XsMachineError)) throw error;
    throw new CommandError(`--engine: the machine ended in seed ${options.seed}: ${error.message}`);
  }
}
