/**
 * `motemq encode`: JSON objects, as `motemq decode` prints them, to hex, a line each.
 */
import type { Command } from 'commander';
import { InspectError, encodeObject, toHex } from '../../src/packets/inspect.ts';
import { V5 } from '../../src/packets/types.ts';
import { mqttOption } from './mqtt-option.ts';
import { printError, printLine, readLines } from './stdio.ts';

/** The options as commander gives them. */
export interface EncodeFlags {
  /** V5 or V3_1_1; when it is not given, 5.0, and behind a CONNECT what that says. */
  mqtt?: number;
}

/** An error as it is printed; what is undefined is left out. */
function describe(error: unknown, line: number): object {
  if (error instanceof InspectError) {
    const { code, field, reasonCode, offset, message } = error;
    return { code, line, field: field === '' ? undefined : field, reasonCode, offset, message };
  }
  if (error instanceof SyntaxError) return { code: 'BAD_JSON', line, message: error.message };
  throw error;
}

/** Encodes JSON texts and prints hex, up to the first error. */
async function encode(texts: Iterable<string> | AsyncIterable<string>, flags: EncodeFlags): Promise<void> {
  let protocolVersion = flags.mqtt ?? V5;
  let line = 0;
  for await (const text of texts) {
    line++;
    if (text.trim() === '') continue;
    let hex: string;
    try {
      const object = JSON.parse(text) as Record<string, unknown>;
      hex = toHex(encodeObject(object, { protocolVersion }));
      // As decode does: what follows a CONNECT is in its version.
      const version = object['type'] === 'CONNECT' ? object['protocolVersion'] : undefined;
      if (flags.mqtt === undefined && version !== undefined) protocolVersion = version as number;
    } catch (error) {
      await printError(describe(error, line));
      return;
    }
    await printLine(hex);
  }
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('encode')
    .summary('turn JSON, as decode prints it, into MQTT packets in hex')
    .description(
      'Prints a line of hex for each JSON object. One that makes no packet, or a packet that the standard rules out, ' +
        'ends it with exit status 1 and a last line {"error": {"code", "line", "field", "message", …}}.',
    )
    .argument('[json...]', 'the objects; from standard input, a line each, when there are none or -')
    .addOption(
      mqttOption('what to make of them (5 or 3.1.1; default: 5, and behind a CONNECT what that says)'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ motemq encode '{"type": "PUBLISH", "topicName": "a", "payload": "6869"}'
  $ motemq decode - < capture.hex | motemq encode
  $ echo '{"type": "CONNECT", "clientId": "mote", "keepAlive": 60}' | motemq encode --mqtt 3.1.1`,
    )
    .action(async (texts: string[], flags: EncodeFlags) => {
      const isStandardInput = texts.length === 0 || (texts.length === 1 && texts[0] === '-');
      await encode(isStandardInput ? readLines() : texts, flags);
    });
}
