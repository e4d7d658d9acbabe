/**
 * Text of applications to bytes and back: with the loops for engines that have nothing of their own, held against
 * Node's, and with XS's native functions, played.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeText, encodeText } from '../../src/wire/text.ts';
import { runs } from '../seed.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Text of every width of UTF-8, halves of surrogate pairs and U+0000 included. */
const anyText = fc.string({
  unit: fc
    .oneof(
      fc.integer({ min: 0, max: 0x7f }),
      fc.integer({ min: 0x80, max: 0x7ff }),
      fc.integer({ min: 0xd7f0, max: 0xe010 }),
      fc.integer({ min: 0xfff0, max: 0xffff }),
    )
    .map((unit) => String.fromCharCode(unit)),
});
const wellFormed = fc.string({ unit: 'binary' });

describe('encodeText', () => {
  it('makes what TextEncoder makes', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, wellFormed), (text) => {
        expect(encodeText(text)).toEqual(encoder.encode(text));
      }),
      runs(2000),
    );
  });

  it.each([
    ['nothing', ''],
    ['U+0000', 'a\0b'],
    ['the first half of a pair at the end', 'a\ud800'],
    ['the second half of a pair at the beginning', '\udc00a'],
    ['two first halves', '\ud800\ud800\udc00'],
    ['two second halves', '\ud800\udc00\udc00'],
    ['a pair beside a half', '\u{10ffff}\ud800x'],
  ])('of %s', (_, text) => {
    expect(encodeText(text)).toEqual(encoder.encode(text));
  });
});

describe('decodeText', () => {
  it('makes what TextDecoder makes of UTF-8, wherever it stands', () => {
    fc.assert(
      fc.property(wellFormed, fc.nat(5), fc.nat(5), (text, before, after) => {
        const bytes = encoder.encode(text);
        const all = new Uint8Array(before + bytes.length + after).fill(0xbf);
        all.set(bytes, before);
        expect(decodeText(all, before, before + bytes.length)).toBe(text);
      }),
      runs(2000),
    );
  });

  it('replaces what is not UTF-8, and keeps the rest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        // How many U+FFFD stand for a cut sequence is nobody's rule.
        const squeeze = (text: string): string => text.replace(/\ufffd+/g, '\ufffd');
        expect(squeeze(decodeText(bytes, 0, bytes.length))).toBe(squeeze(decoder.decode(bytes)));
      }),
      runs(5000),
    );
  });

  it('does not look behind the end', () => {
    expect(decodeText(Uint8Array.of(0x61, 0xc3, 0xa4), 0, 2)).toBe('a\ufffd');
  });
});

describe('with native functions, as XS has them', () => {
  const natives = String as unknown as Record<string, unknown>;
  const buffers = ArrayBuffer as unknown as Record<string, unknown>;

  afterEach(() => {
    delete natives['fromArrayBuffer'];
    delete buffers['fromString'];
  });

  it('those are used', () => {
    natives['fromArrayBuffer'] = (buffer: ArrayBuffer, at: number, byteLength: number) =>
      `<${decoder.decode(new Uint8Array(buffer, at, byteLength))}>`;
    buffers['fromString'] = function (this: unknown, text: string) {
      expect(this).toBe(ArrayBuffer); // XS makes the result from it
      return encoder.encode(`<${text}>`).buffer;
    };
    const bytes = encoder.encode('..abc..');
    expect(decodeText(bytes.subarray(1), 1, 4)).toBe('<abc>');
    expect(encodeText('abc')).toEqual(encoder.encode('<abc>'));
  });

  it('the loop takes what the native function refuses', () => {
    natives['fromArrayBuffer'] = () => {
      throw new TypeError('invalid UTF-8');
    };
    expect(decodeText(Uint8Array.of(0x61, 0xff), 0, 2)).toBe('a\ufffd');
  });
});
