/**
 * The simulated board as firmware in a machine finds it: its functions ask the fleet. Made while modules are preloaded,
 * so that they lie in flash as a driver does; a reading leaves some slots of garbage, as a driver's would.
 */
import { ask, post, settings } from './guest-host.ts';
import type { ToldText } from './guest-protocol.ts';

function remote(name: string): (...args: unknown[]) => unknown {
  return (...args) => ask(args.length === 0 ? name : name + JSON.stringify(args));
}

/** XS says "no function" and not which: whatever the board does not have is looked for here, and told. */
const nothing: object = new Proxy(
  {},
  {
    get(_, name: string | symbol): undefined {
      if (typeof name !== 'string') return;
      const text: ToldText = { missing: name };
      post(JSON.stringify(text));
    },
  },
);

export const board = Object.create(nothing) as Record<string, unknown>;
board['version'] = 'simulated';
for (const name of settings.functions) board[name] = remote(name);
