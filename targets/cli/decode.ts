/**
 * `motemq decode`: MQTT packets in hex to JSON, a line each.
 */
import { Option, type Command } from 'commander';
import { decodeObjects } from '../../src/packets/inspect.ts';
import { MALFORMED_PACKET } from '../../src/packets/reason-codes.ts';
import { FROM_ANYONE, FROM_CLIENT, FROM_SERVER, V5 } from '../../src/packets/types.ts';
import { HexReader } from './hex-reader.ts';
import { mqttOption } from './mqtt-option.ts';
import { printError, printLine, readStandardInput } from './stdio.ts';

/** The options as commander gives them. */
export interface DecodeFlags {
  /** V5 or V3_1_1; when it is not given, 5.0, and behind a CONNECT what that says. */
  mqtt?: number;
  from?: 'client' | 'server';
}

const SENDERS = { client: FROM_CLIENT, server: FROM_SERVER };

/** Decodes hex that comes in pieces and prints what it finds, up to the first error. */
async function decode(text: Iterable<string> | AsyncIterable<string>, flags: DecodeFlags): Promise<void> {
  const reader = new HexReader();
  const sender = flags.from ? SENDERS[flags.from] : FROM_ANYONE;
  let protocolVersion = flags.mqtt ?? V5;

  /** Prints the packets that are whole; false when one is wrong. */
  const printPackets = async (): Promise<boolean> => {
    const decoded = decodeObjects(reader.bytes(), {
      protocolVersion,
      sender,
      followsConnect: flags.mqtt === undefined,
    });
    for (const packet of decoded.packets) await printLine(JSON.stringify(packet));
    reader.take(decoded.consumed);
    protocolVersion = decoded.protocolVersion;
    if (!decoded.error) return true;
    const { code, reasonCode, offset, message } = decoded.error;
    const packetOffset = offset - decoded.consumed;
    const inputOffset = reader.taken + packetOffset;
    await printError({
      code,
      reasonCode,
      offset: inputOffset,
      ...(packetOffset === inputOffset ? {} : { packetOffset }),
      message,
    });
    return false;
  };

  for await (const piece of text) {
    const isHex = reader.push(piece);
    if (!(await printPackets())) return;
    if (!isHex) break;
  }
  reader.finish();
  if (reader.error) {
    const { offset, character, message } = reader.error;
    await printError({ code: 'BAD_HEX', reasonCode: MALFORMED_PACKET, offset, character, message });
    return;
  }
  const rest = reader.bytes().length;
  if (rest === 0) return;
  await printError({
    code: 'TRUNCATED_PACKET',
    reasonCode: MALFORMED_PACKET,
    offset: reader.taken + rest,
    ...(reader.taken === 0 ? {} : { packetOffset: rest }),
    message: 'the input ends before the packet does',
  });
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('decode')
    .summary('turn MQTT packets in hex into JSON')
    .description(
      'Prints one JSON object a line for each packet. Whatever the standard rules out ends it with exit status 1 ' +
        'and a last line {"error": {"code", "reasonCode", "offset", "message"}}; offset counts bytes from the start ' +
        'of the input.',
    )
    .argument(
      '[hex...]',
      'the bytes; white space, colons and 0x may stand between them; - for standard input',
    )
    .addOption(mqttOption('what the bytes are (5 or 3.1.1; default: 5, and behind a CONNECT what that says)'))
    .addOption(new Option('--from <side>', 'who sent them, to check that too').choices(['client', 'server']))
    .addHelpText(
      'after',
      `
Examples:
  $ motemq decode 30 06 00 01 61 00 68 69
  $ motemq decode --mqtt 3.1.1 0x2002 0x0000
  $ xxd -p capture.bin | motemq decode --from client -`,
    )
    .action(async (words: string[], flags: DecodeFlags) => {
      const isStandardInput = words.length === 0 || (words.length === 1 && words[0] === '-');
      await decode(isStandardInput ? readStandardInput() : [words.join(' ')], flags);
    });
}
