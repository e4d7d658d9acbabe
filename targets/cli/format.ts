/**
 * mosquitto_sub's -F: a format string parsed once, and messages printed by it. Widths count bytes, as C's printf does.
 * Knows nothing of where the output goes.
 */
import { toHex } from '../../src/packets/inspect.ts';
import { utf8SequenceLength } from '../../src/wire/utf8.ts';
import { mosquittoJson, type Moment, type PrintableMessage } from './message-json.ts';
import { strftime, zoneOffset } from './strftime.ts';

/** A format string that means nothing; `message` says why. */
export class FormatError extends Error {
  override name = 'FormatError';
}

/** What a format leaves to its user. */
export interface FormatOptions {
  /** Whether %j and %J go over several lines. */
  readonly pretty?: boolean | undefined;
  /** Gets a line when a message has not what %J wants. */
  readonly warn: (line: string) => void;
}

/** What stands between `%` and the letter. */
interface Field {
  readonly isLeft: boolean;
  readonly filler: ' ' | '0';
  readonly width: number;
  /** -1 when not given. */
  readonly precision: number;
}

type Piece = Buffer | ((message: PrintableMessage, moment: Moment, options: FormatOptions) => Buffer);
type Conversion = (message: PrintableMessage, field: Field, moment: Moment, options: FormatOptions) => Buffer;

/** A width beyond which nobody's terminal goes, and memory might. */
const WIDTH_MAX = 65535;
const NOTHING = Buffer.alloc(0);
const ESCAPES: Record<string, string> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function blank(filler: string, width: number): Buffer {
  return Buffer.alloc(Math.max(0, width), filler);
}

function printNumber(value: number | undefined, field: Field): Buffer {
  if (value === undefined) return blank(field.filler, field.width);
  const digits = String(value);
  return Buffer.from(field.isLeft ? digits.padEnd(field.width) : digits.padStart(field.width, field.filler));
}

/** At most `byteLengthMax` bytes from the front, and no half of a character. */
function cut(bytes: Buffer, byteLengthMax: number): Buffer {
  if (bytes.length <= byteLengthMax) return bytes;
  let end = 0;
  while (end < byteLengthMax) {
    const next = end + (bytes[end] < 0x80 ? 1 : utf8SequenceLength(bytes, end, bytes.length) || 1);
    if (next > byteLengthMax) break;
    end = next;
  }
  return bytes.subarray(0, end);
}

function printText(value: string, field: Field): Buffer {
  const whole = Buffer.from(value);
  const bytes = field.precision < 0 ? whole : cut(whole, field.precision);
  const padding = blank(' ', field.width - bytes.length);
  return field.isLeft ? Buffer.concat([bytes, padding]) : Buffer.concat([padding, bytes]);
}

/** A payload's width is its greatest length too: what a byte takes is `bytesEach` characters. */
function printPayload(payload: Uint8Array, field: Field, bytesEach: 1 | 2, isUpperCase: boolean): Buffer {
  const { width } = field;
  const shown = width === 0 ? payload : payload.subarray(0, Math.floor(width / bytesEach));
  let bytes = Buffer.from(shown.buffer, shown.byteOffset, shown.length);
  if (bytesEach === 2) {
    const digits = toHex(shown);
    bytes = Buffer.from(isUpperCase ? digits.toUpperCase() : digits);
  }
  const missing = width - bytes.length;
  if (field.isLeft) return Buffer.concat([bytes, blank(' ', missing)]);
  return Buffer.concat([blank(field.filler, missing), bytes]);
}

function printJson(
  message: PrintableMessage,
  moment: Moment,
  { pretty = false, warn }: FormatOptions,
  isPayloadJson: boolean,
): Buffer {
  const json = mosquittoJson(message, moment, { isPayloadJson, pretty });
  if (json !== undefined) return Buffer.from(json);
  warn(`the payload on topic ${message.topicName} is not valid JSON`);
  return NOTHING;
}

const CONVERSIONS: Record<string, Conversion> = {
  '%': () => Buffer.from('%'),
  A: ({ properties }, field) => printNumber(properties.topicAlias, field),
  C: ({ properties }, field) => {
    const { contentType } = properties;
    return contentType === undefined ? blank(' ', field.width) : printText(contentType, field);
  },
  D: ({ properties }) => Buffer.from(properties.correlationData ?? NOTHING),
  E: ({ properties }, field) => printNumber(properties.messageExpiryInterval, field),
  F: ({ properties }, field) => printNumber(properties.payloadFormatIndicator, field),
  I: (_message, field, { date }) =>
    printText(`${strftime('F', date)}T${strftime('T', date)}${zoneOffset(date)}`, field),
  j: (message, _field, moment, options) => printJson(message, moment, options, false),
  J: (message, _field, moment, options) => printJson(message, moment, options, true),
  l: ({ payload }, field) => printNumber(payload.length, field),
  m: ({ packetId }, field) => printNumber(packetId ?? 0, field),
  p: ({ payload }, field) => printPayload(payload, field, 1, false),
  P: ({ properties }) =>
    Buffer.from((properties.userProperties ?? []).map(([key, value]) => `${key}:${value}`).join(' ')),
  q: ({ qos }) => Buffer.from(String(qos)),
  r: ({ retain }) => Buffer.from(retain ? '1' : '0'),
  R: ({ properties }, field) => {
    const { responseTopic } = properties;
    return responseTopic === undefined ? NOTHING : printText(responseTopic, field);
  },
  S: ({ properties }, field) => printNumber(properties.subscriptionIdentifiers?.[0], field),
  t: ({ topicName }, field) => printText(topicName, field),
  U: (_message, _field, moment) => Buffer.from(`${strftime('s', moment.date)}.${nanoseconds(moment)}`),
  x: ({ payload }, field) => printPayload(payload, field, 2, false),
  X: ({ payload }, field) => printPayload(payload, field, 2, true),
};

function nanoseconds(moment: Moment): string {
  return String(moment.nanoseconds).padStart(9, '0');
}

/** Flags, a width, a precision and a letter; what is missing at the end is missing in the format. */
const FIELD = /%(-?)(0?)(\d*)(?:\.(\d*))?([^]?)/uy;

/** Parses what begins with the `%` at `at`. */
function parseField(text: string, at: number): { piece: Piece; end: number } {
  FIELD.lastIndex = at;
  const found = FIELD.exec(text);
  if (!found || found[5] === '') throw new FormatError('incomplete format specifier');
  const [whole, minus, zero, digits, precision, letter] = found;
  if (!Object.hasOwn(CONVERSIONS, letter)) throw new FormatError(`invalid format specifier '${letter}'`);
  const width = Number(digits);
  if (width > WIDTH_MAX) throw new FormatError(`a field width of more than ${WIDTH_MAX}`);
  const field: Field = {
    isLeft: minus !== '',
    filler: zero === '' ? ' ' : '0',
    width,
    precision: precision === undefined ? -1 : Number(precision),
  };
  const convert = CONVERSIONS[letter];
  return {
    piece: (message, moment, options) => convert(message, field, moment, options),
    end: at + whole.length,
  };
}

function parsePieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const start = text.slice(at).search(/[%@\\]/);
    if (start !== 0) {
      const end = start < 0 ? text.length : at + start;
      pieces.push(Buffer.from(text.slice(at, end)));
      at = end;
      continue;
    }
    if (text[at] === '%') {
      const { piece, end } = parseField(text, at);
      pieces.push(piece);
      at = end;
      continue;
    }
    const codePoint = text.codePointAt(at + 1);
    const next = codePoint === undefined ? '' : String.fromCodePoint(codePoint);
    if (text[at] === '@') {
      if (next === '') throw new FormatError('incomplete format specifier');
      if (next === '@') pieces.push(Buffer.from('@'));
      else if (next === 'N') pieces.push((_message, moment) => Buffer.from(nanoseconds(moment)));
      else pieces.push((_message, { date }) => Buffer.from(strftime(next, date)));
    } else {
      if (next === '') throw new FormatError('incomplete escape specifier');
      if (!Object.hasOwn(ESCAPES, next)) throw new FormatError(`invalid escape specifier '${next}'`);
      pieces.push(Buffer.from(ESCAPES[next]));
    }
    at += 1 + next.length;
  }
  return pieces;
}

/** A parsed format string. */
export class MessageFormat {
  private readonly pieces: Piece[];
  private readonly options: FormatOptions;

  /** Throws FormatError when `text` is no format. */
  constructor(text: string, options: FormatOptions) {
    this.pieces = parsePieces(text);
    this.options = options;
  }

  /** The message as bytes, without a line end that the format does not hold. */
  print(message: PrintableMessage, moment: Moment): Buffer {
    return Buffer.concat(
      this.pieces.map((piece) =>
        typeof piece === 'function' ? piece(message, moment, this.options) : piece,
      ),
    );
  }
}
