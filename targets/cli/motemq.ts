/**
 * The `motemq` command: its sub-commands are a file each, which parse flags and call the library.
 */
import { Command } from 'commander';
import { packageVersion } from '../node/package-version.ts';
import { endQuietlyOnEpipe } from './stdio.ts';

const program = new Command('motemq')
  .description(
    'MQTT 5.0 and 3.1.1 for small devices: look into packets, talk to a broker, be one, run a fleet, flash a board.',
  )
  .version(packageVersion())
  // Behind a sub-command -V is that one's.
  .enablePositionalOptions()
  .showHelpAfterError('(motemq --help, or motemq COMMAND --help, says more)')
  .addHelpText(
    'after',
    `
Examples:
  $ motemq decode 30 06 00 01 61 00 68 69
  $ motemq encode '{"type": "PINGREQ"}'`,
  );

/** The one that is asked for is loaded alone: who publishes one message should not wait for the fleet to be read. */
const commands: Record<string, (() => Promise<{ register(program: Command): void }>) | undefined> = {
  broker: () => import('./broker.ts'),
  decode: () => import('./decode.ts'),
  doctor: () => import('./doctor.ts'),
  encode: () => import('./encode.ts'),
  flash: () => import('./flash.ts'),
  fleet: () => import('./fleet.ts'),
  passwd: () => import('./passwd.ts'),
  pub: () => import('./pub.ts'),
  sim: () => import('./sim.ts'),
  sub: () => import('./sub.ts'),
};
const asked = commands[process.argv[2]];
for (const load of asked === undefined ? Object.values(commands) : [asked]) {
  const command = await load?.();
  command?.register(program);
}

endQuietlyOnEpipe();
await program.parseAsync();
