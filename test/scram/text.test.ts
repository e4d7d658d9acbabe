/**
 * The text of SCRAM: Base64, SASLprep as far as it goes, attributes, names.
 */
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/scram/base64.ts';
import {
  AttributeReader,
  escapeName,
  isNonce,
  textOfMessage,
  unescapeName,
} from '../../src/scram/messages.ts';
import { prepareText } from '../../src/scram/prepare.ts';

/** The code of what `call` throws, '' when it does not. */
function codeOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('Base64', () => {
  it('is as RFC 4648, 10 has it', () => {
    const pairs = [
      ['', ''],
      ['f', 'Zg=='],
      ['fo', 'Zm8='],
      ['foo', 'Zm9v'],
      ['foob', 'Zm9vYg=='],
      ['fooba', 'Zm9vYmE='],
      ['foobar', 'Zm9vYmFy'],
    ];
    for (const [text, expected] of pairs) {
      expect(encodeBase64(Buffer.from(text))).toBe(expected);
      expect(Buffer.from(decodeBase64(expected)!).toString()).toBe(text);
    }
  });

  it('has every digit', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const text = Buffer.from(bytes).toString('base64');
    expect(encodeBase64(bytes)).toBe(text);
    expect(decodeBase64(text)).toEqual(bytes);
  });

  it.each([
    'A',
    'AA',
    'AAA',
    'A===',
    '====',
    '=AAA',
    'AA=A',
    'Zh==',
    'Zm9=',
    'Zm8*',
    'Zm8-',
    'Zm8 ',
    'Zg==Zg==',
  ])('is not %j', (text) => expect(decodeBase64(text)).toBeNull());
});

describe('preparing text (RFC 4013)', () => {
  const nfkc = (text: string): string => text.normalize('NFKC');

  // RFC 4013, 3, and what else the tables say.
  it.each([
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['a\ufe0f\u200d', 'a'],
    ['e\u0301', '\u00e9'],
    ['päss wörd, = "~', 'päss wörd, = "~'],
    ['\u{1f511}', '\u{1f511}'],
  ])('%j becomes %j', (text, expected) => expect(prepareText(text, 'password', nfkc)).toBe(expected));

  it('leaves the form alone where nothing can change it', () => {
    expect(prepareText('e\u0301\u00ad', 'password', undefined)).toBe('e\u0301');
  });

  it.each([
    '',
    '\u00ad',
    '\u0007',
    'a\0',
    '\u007f',
    '\u0085',
    'a\u200e',
    '\u2028',
    '\ue000',
    '\ufffd',
    '\ufdd0',
    '\u{1fffe}',
    '\u{e0020}',
    '\u{f0000}',
    '\u{10ffff}',
    'a\ud800',
    '\udc00a',
    '\ud800\ud800',
  ])('refuses %j', (text) => {
    expect(codeOf(() => prepareText(text, 'password', undefined))).toBe('ERR_SCRAM_TEXT');
    if (/^[^\ud800-\udfff]*$/.test(text))
      expect(codeOf(() => prepareText(text, 'password', nfkc))).toBe('ERR_SCRAM_TEXT');
  });

  it('says whose text it is, and never what', () => {
    expect(() => prepareText('secret\u0007', 'password', nfkc)).toThrow(/^password must be text/);
    expect(() => prepareText('secret\u0007', 'password', nfkc)).not.toThrow(/secret/);
    expect(codeOf(() => prepareText(undefined as unknown as string, 'userName', nfkc))).toBe(
      'ERR_SCRAM_TEXT',
    );
  });
});

describe('names', () => {
  it.each([
    ['a,b=c', 'a=2Cb=3Dc'],
    ['=2C', '=3D2C'],
    ['plain', 'plain'],
    [',,==', '=2C=2C=3D=3D'],
  ])('%j is %j on the wire', (name, escaped) => {
    expect(escapeName(name)).toBe(escaped);
    expect(unescapeName(escaped)).toBe(name);
  });

  it.each(['a=', 'a=2', 'a=2c', 'a==', '=41', '=3'])('%j is no name', (text) => {
    expect(codeOf(() => unescapeName(text))).toBe('ERR_SCRAM_MALFORMED');
  });
});

describe('attributes', () => {
  const reader = (text: string): AttributeReader => new AttributeReader(text, 0);

  it('are read in order, and what may follow is passed over', () => {
    const read = reader('r=a=b,s=QQ==,i=4096,x=y,Z=1');
    expect([read.read('r'), [...read.readBytes('s')], read.readCount('i')]).toEqual(['a=b', [65], 4096]);
    expect(codeOf(() => read.readExtensions())).toBe('');
    const bare = reader('r=a');
    bare.read('r');
    expect(codeOf(() => bare.readExtensions())).toBe('');
  });

  it.each(['', 'r', 'r=', 'r=,s=', 's=a', ' r=a', 'R=a'])('%j has no nonce', (text) => {
    expect(codeOf(() => reader(text).read('r'))).toBe('ERR_SCRAM_MALFORMED');
  });

  it.each([',', ',,x=y', ',x', ',x=', ',=y', ',1=y', ',x=y,', ',xy=z'])('no message ends in %j', (end) => {
    const read = reader(`r=a${end}`);
    read.read('r');
    expect(codeOf(() => read.readExtensions())).toBe('ERR_SCRAM_MALFORMED');
  });

  it.each(['0', '01', '-1', '+1', '1.5', '1e3', '0x10', ' 1', '1 '])('%j is no count', (text) => {
    expect(codeOf(() => reader(`i=${text}`).readCount('i'))).toBe('ERR_SCRAM_MALFORMED');
  });

  it('count no further than 999,999,999', () => {
    expect(reader('i=999999999').readCount('i')).toBe(999999999);
    expect(reader('i=1000000000').readCount('i')).toBe(Infinity);
    expect(reader(`i=1${'0'.repeat(400)}`).readCount('i')).toBe(Infinity);
  });

  it('do not begin with an extension that must be understood', () => {
    expect(codeOf(() => reader('m=x,r=a'))).toBe('ERR_SCRAM_EXTENSION');
  });
});

describe('messages', () => {
  it('are UTF-8 of 1,024 bytes at most', () => {
    expect(textOfMessage(Buffer.from('é'.repeat(512)))).toBe('é'.repeat(512));
    for (const bytes of [new Uint8Array(1025).fill(65), Uint8Array.of(65, 0), Uint8Array.of(0xc3)]) {
      expect(codeOf(() => textOfMessage(bytes))).toBe('ERR_SCRAM_MALFORMED');
    }
  });

  it('have nonces of printable ASCII', () => {
    expect(isNonce('!+-~')).toBe(true);
    for (const text of ['', 'a b', 'a,b', 'a\u007f', 'é']) expect(isNonce(text)).toBe(false);
  });
});
