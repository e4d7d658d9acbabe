/**
 * The `motemq` command: its sub-commands are a file each, which parse flags and call the library.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { register as registerDecode } from './decode.ts';
import { register as registerEncode } from './encode.ts';
import { register as registerFleet } from './fleet.ts';
import { register as registerPub } from './pub.ts';
import { endQuietlyOnEpipe } from './stdio.ts';
import { register as registerSub } from './sub.ts';

/** The version that package.json names; it is found above this file, in the sources as in the build. */
function packageVersion(): string {
  for (const up of ['../..', '../../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // The other one, then.
    }
  }
  return 'unknown';
}

const program = new Command('motemq')
  .description('MQTT 5.0 and 3.1.1 for small devices: look into packets, talk to a broker, run a fleet.')
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
registerDecode(program);
registerEncode(program);
registerFleet(program);
registerPub(program);
registerSub(program);

endQuietlyOnEpipe();
await program.parseAsync();
