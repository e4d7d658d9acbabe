/**
 * What `motemq sub` prints of a message: the payload, with -v the topic too, or what -F or --json says.
 */
import { UsageError } from './exit-status.ts';
import { FormatError, MessageFormat } from './format.ts';
import { jsonLine, type Moment, type PrintableMessage } from './message-json.ts';

/** The flags that decide, as commander gives them. */
export interface PrintFlags {
  F?: string;
  json?: true;
  verbose?: true;
  /** No line end. */
  N?: true;
  pretty?: true;
}

export type Printer = (message: PrintableMessage, moment: Moment) => Uint8Array;

/** Makes the function that turns a message into what is printed; `warn` gets what is wrong with a message. */
export function makePrinter(flags: PrintFlags, warn: (line: string) => void): Printer {
  const lineEnd = Buffer.from(flags.N ? '' : '\n');
  const { F: formatText, json, verbose, pretty } = flags;
  if (json && (formatText !== undefined || verbose)) {
    throw new UsageError('--json cannot be used together with -F or -v');
  }
  if (json) return (message, moment) => Buffer.concat([Buffer.from(jsonLine(message, moment)), lineEnd]);
  if (formatText !== undefined) {
    const format = parseFormat(formatText, warn, pretty === true);
    return (message, moment) => Buffer.concat([format.print(message, moment), lineEnd]);
  }
  return ({ topicName, payload }) => {
    const topic = verbose ? Buffer.from(`${topicName} `) : Buffer.alloc(0);
    if (payload.length > 0) return Buffer.concat([topic, payload, lineEnd]);
    // As in mosquitto_sub an empty payload is no line, and with -N not even a topic.
    return verbose && !flags.N ? Buffer.from(`${topicName} (null)\n`) : Buffer.alloc(0);
  };
}

function parseFormat(text: string, warn: (line: string) => void, pretty: boolean): MessageFormat {
  try {
    return new MessageFormat(text, { warn, pretty });
  } catch (error) {
    if (error instanceof FormatError) throw new UsageError(`-F: ${error.message}`);
    throw error;
  }
}
