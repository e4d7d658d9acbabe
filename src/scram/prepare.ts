/**
 * User names and passwords as SCRAM compares them: SASLprep (RFC 4013), in part.
 *
 * ASCII is taken as it is. Of the rest, spaces become U+0020, characters mapped to nothing go, and prohibited ones are
 * refused. NFKC is done where the place has it; where not, the text should be in that form already, as text that was
 * typed nearly always is. Not done: the rule for text that runs right to left (RFC 3454, 6), which refuses some text and
 * changes none; characters unassigned in Unicode 3.2 are allowed, as a client may.
 */
import { codedError } from '../assert.ts';
import { utf8ByteLength } from '../wire/utf8.ts';

/** First and last code points: RFC 3454, C.1.2. */
const SPACES = new Uint32Array([
  0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200b, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000,
]);

/** B.1; U+200B is in both tables, and RFC 4013 names the spaces first. */
const NOTHING = new Uint32Array([
  0xad, 0xad, 0x34f, 0x34f, 0x1806, 0x1806, 0x180b, 0x180d, 0x200c, 0x200d, 0x2060, 0x2060, 0xfe00, 0xfe0f,
  0xfeff, 0xfeff,
]);

/** C.2.1, C.2.2 and C.3 to C.9, but for the last two code points of every plane. */
const PROHIBITED = new Uint32Array([
  0, 0x1f, 0x7f, 0x9f, 0x340, 0x341, 0x6dd, 0x6dd, 0x70f, 0x70f, 0x180e, 0x180e, 0x200e, 0x200f, 0x2028,
  0x202e, 0x2061, 0x2063, 0x206a, 0x206f, 0x2ff0, 0x2ffb, 0xd800, 0xf8ff, 0xfdd0, 0xfdef, 0xfff9, 0xffff,
  0x1d173, 0x1d17a, 0xe0001, 0xe0001, 0xe0020, 0xe007f, 0xf0000, 0x10ffff,
]);

function isAmong(ranges: Uint32Array, code: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) if (code >= ranges[i] && code <= ranges[i + 1]) return true;
  return false;
}

/** Whether `text` is all printable ASCII. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** `text` with spaces for spaces, and without what is mapped to nothing: all of them are below U+10000. */
function mapped(text: string): string {
  let result = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isAmong(SPACES, code)) result += ' ';
    else if (!isAmong(NOTHING, code)) result += text.charAt(i);
  }
  return result;
}

function isProhibited(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code < 0xdc00) {
      i++;
      code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(i) & 0x3ff);
    }
    if (isAmong(PROHIBITED, code) || (code & 0xfffe) === 0xfffe) return true;
  }
  return false;
}

/**
 * `text` prepared. Throws ERR_SCRAM_TEXT, naming it `name` and never showing it, when nothing is left, or something no
 * user name or password may hold.
 */
export function prepareText(
  text: string,
  name: string,
  normalize: ((text: string) => string) | undefined,
): string {
  let result = text;
  let isAllowed = typeof text === 'string';
  if (isAllowed && !isPlain(text)) {
    result = mapped(text);
    if (normalize !== undefined) result = normalize(result);
    isAllowed = utf8ByteLength(result) >= 0 && !isProhibited(result);
  }
  if (!isAllowed || result.length === 0) {
    throw codedError(
      'ERR_SCRAM_TEXT',
      name + ' must be text, not empty, without control or private characters (RFC 4013)',
    );
  }
  return result;
}
