/**
 * Commands: from the bytes that came to the bytes that go back. Whatever is wrong with a command, its arguments or the
 * firmware's function for it becomes an error reply. Knows neither topics nor sessions.
 *
 *   {"ok":true,"result":{"on":true}}
 *   {"ok":false,"error":{"code":"ERR_UNKNOWN_COMMAND","message":"there is no command blink"}}
 *
 * An `id` among the arguments comes back in the reply, for those who cannot send Correlation Data.
 */
import { codedError } from '../assert.ts';
import { decodeText } from '../wire/text.ts';
import { findBadUtf8 } from '../wire/utf8.ts';
import type { Command, CommandArguments } from './definition.ts';

/** How deep `toJson` copies what lies in flash; what is deeper, or goes round in a circle, fails as in JSON.stringify. */
const COPY_DEPTH_MAX = 8;

function copyOf(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
  const names = Object.keys(value);
  for (let i = 0; i < names.length; i++) {
    const item = (value as Record<string, unknown>)[names[i]];
    (copy as Record<string, unknown>)[names[i]] = copyOf(item, depth - 1);
  }
  return copy;
}

/**
 * Like JSON.stringify, and for constants of preloaded modules, too: XS marks an object on its way into JSON, and cannot
 * mark one that lies in flash.
 */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(copyOf(value, COPY_DEPTH_MAX));
  }
}

/** The code of what was thrown, `otherwise` when it has none. */
export function codeOf(error: unknown, otherwise: string): string {
  if (typeof error !== 'object' || error === null) return otherwise;
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : otherwise;
}

/** What it says. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const message = (error as { message?: unknown }).message;
  return typeof message === 'string' ? message : 'an error without a message';
}

/** `bytes[at]` up to `end` as JSON; throws ERR_BAD_ARGUMENTS. */
export function parseJson(bytes: Uint8Array, at: number, end: number): unknown {
  if (findBadUtf8(bytes, at, end) >= 0) throw codedError('ERR_BAD_ARGUMENTS', 'the payload is not UTF-8');
  try {
    return JSON.parse(decodeText(bytes, at, end)) as unknown;
  } catch (error) {
    throw codedError('ERR_BAD_ARGUMENTS', 'the payload is not JSON: ' + messageOf(error));
  }
}

/** What goes back. */
export class Reply {
  isOk: boolean;
  /** JSON. */
  text: string;

  constructor(isOk: boolean, text: string) {
    this.isOk = isOk;
    this.text = text;
  }
}

/** A reply that says what was wrong; `id` is left out when it is undefined. */
export function failure(error: unknown, otherwise: string, id: unknown): Reply {
  const code = codeOf(error, otherwise);
  return new Reply(false, JSON.stringify({ ok: false, id, error: { code, message: messageOf(error) } }));
}

/** The arguments in `bytes[at]` up to `end`: a JSON object, empty when there are no bytes. */
function readArguments(bytes: Uint8Array, at: number, end: number): CommandArguments {
  if (at === end) return {};
  const value = parseJson(bytes, at, end);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw codedError('ERR_BAD_ARGUMENTS', 'the arguments must be a JSON object');
  }
  return value as CommandArguments;
}

/**
 * Has the command called `name` obeyed, with the arguments in `bytes[at]` up to `end`; `board` is what it works with.
 * Never throws.
 */
export function obey<Io>(
  commands: Readonly<Record<string, Command<Io>>>,
  name: string,
  bytes: Uint8Array,
  at: number,
  end: number,
  board: Io,
): Reply {
  let id: unknown = undefined;
  try {
    // What every object inherits is no command.
    if (!Object.keys(commands).includes(name)) {
      throw codedError('ERR_UNKNOWN_COMMAND', 'there is no command ' + name);
    }
    const args = readArguments(bytes, at, end);
    id = args['id'];
    const result = commands[name](args, board);
    if (typeof result === 'object' && result !== null && 'then' in result) {
      throw codedError('ERR_COMMAND_FAILED', 'the command promised an answer: it must give it at once');
    }
    return new Reply(true, toJson({ ok: true, id, result }));
  } catch (error) {
    return failure(error, 'ERR_COMMAND_FAILED', id);
  }
}
