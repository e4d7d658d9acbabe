/**
 * The option --mqtt, as every sub-command that speaks MQTT has it.
 */
import { InvalidArgumentError, Option } from 'commander';
import { V3_1_1, V5 } from '../../src/packets/types.ts';

/** The version that a word on the command line means. */
function parseVersion(word: string): number {
  if (word === '5' || word === '5.0') return V5;
  if (word === '3.1.1' || word === '4') return V3_1_1;
  throw new InvalidArgumentError('It is 5 or 3.1.1.');
}

/** `--mqtt 5|3.1.1`; its value is V5 or V3_1_1, or undefined when it is not given. */
export function mqttOption(description: string): Option {
  return new Option('--mqtt <version>', description).argParser(parseVersion);
}
