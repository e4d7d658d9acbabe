/**
 * Topic Names and Topic Filters, against a naive model that splits at the slashes and compares level by level.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findFilterError,
  findWildcard,
  hasWildcard,
  isMatch,
  isShared,
  sharedFilterOffset,
} from '../src/topic.ts';
import { encodeUtf8 } from '../src/wire/utf8.ts';
import { runs } from './seed.ts';

/** The text as bytes with something before and behind that must not matter. */
function place(text: string): { bytes: Uint8Array; at: number; end: number } {
  const utf8 = encodeUtf8(text)!;
  return { bytes: Uint8Array.of(0x2b, 0x2f, ...utf8, 0x23), at: 2, end: 2 + utf8.length };
}

function matches(filter: string, name: string): boolean {
  const f = place(filter);
  const n = place(name);
  return isMatch(f.bytes, f.at, f.end, n.bytes, n.at, n.end);
}

/** Offset of the error from the start of the filter, or -1. */
function filterError(filter: string, allowShared = true): number {
  const { bytes, at, end } = place(filter);
  const error = findFilterError(bytes, at, end, allowShared);
  return error < 0 ? -1 : error - at;
}

// --- The model ---------------------------------------------------------------------------------------------------

function matchesNaively(filter: string, name: string): boolean {
  const levels = filter.split('/');
  const names = name.split('/');
  if (name.startsWith('$') && (levels[0] === '+' || levels[0] === '#')) return false;
  if (levels.at(-1) === '#') {
    levels.pop();
    return names.length >= levels.length && levels.every((level, i) => level === '+' || level === names[i]);
  }
  return names.length === levels.length && levels.every((level, i) => level === '+' || level === names[i]);
}

function isPlainFilter(filter: string): boolean {
  const levels = filter.split('/');
  return (
    filter !== '' &&
    levels.every((level, i) => {
      if (level.includes('#')) return level === '#' && i === levels.length - 1;
      return level.includes('+') ? level === '+' : true;
    })
  );
}

function isFilter(filter: string, allowShared: boolean): boolean {
  if (!allowShared || !filter.startsWith('$share/')) return isPlainFilter(filter);
  const parts = /^\$share\/([^/+#]+)\/(.*)$/su.exec(filter);
  return parts !== null && isPlainFilter(parts[2]);
}

// --- Samples -----------------------------------------------------------------------------------------------------

const level = fc.constantFrom('', 'a', 'b', 'ab', '$SYS', '$share', 'é', ' ');
const names = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filters = fc
  .tuple(
    fc.array(fc.oneof(level, level, fc.constant('+')), { maxLength: 4 }),
    fc.constantFrom([], [], ['#'], ['a']),
  )
  .map(([levels, last]) => [...levels, ...last].join('/'))
  .filter((filter) => filter !== '');
/** Anything made of what matters to a filter. */
const nearly = fc
  .array(fc.constantFrom('/', '+', '#', 'a', '$share/', '$', 'é', 'g/'), { maxLength: 8 })
  .map((pieces) => pieces.join(''));

describe('matching', () => {
  it('agrees with the model', () => {
    fc.assert(
      fc.property(filters, names, (filter, name) => {
        expect(matches(filter, name), `${filter} on ${name}`).toBe(matchesNaively(filter, name));
      }),
      runs(20_000),
    );
  });

  // The examples of 4.7.1 and 4.7.2, and their neighbours.
  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/tennis/player1/#', 'sport/tennis/player2', false],
    ['sport/tennis/player1/#', 'sport/tennis/player11', false],
    ['sport/#', 'sport', true],
    ['sport/#', 'sports', false],
    ['#', 'a', true],
    ['#', '/', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['+/tennis/#', 'sport/tennis', true],
    ['a/+/#', 'a', false],
    ['a/+/#', 'a/', true],
    ['ACCOUNTS', 'Accounts', false],
    ['a/b', 'a/bc', false],
    ['a/bc', 'a/b', false],
    ['a/#', 'a#', false],
  ])('%s on %s is %s [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-4]', (filter, name, isMatching) => {
    expect(matches(filter, name)).toBe(isMatching);
    expect(matchesNaively(filter, name)).toBe(isMatching);
  });

  it.each([
    ['#', '$SYS/monitor', false],
    ['+/monitor', '$SYS/monitor', false],
    ['+', '$SYS', false],
    ['$SYS/#', '$SYS/monitor', true],
    ['$SYS/+', '$SYS/monitor', true],
    ['$SYS/#', '$SYS', true],
    ['a/+', 'a/$SYS', true],
    ['a/#', 'a/$SYS', true],
  ])('%s on %s is %s: a wildcard does not begin with a dollar [MQTT-4.7.2-1]', (filter, name, isMatching) => {
    expect(matches(filter, name)).toBe(isMatching);
  });

  it('does not look beyond either', () => {
    fc.assert(
      fc.property(filters, names, (filter, name) => {
        const [f, n] = [encodeUtf8(filter)!, encodeUtf8(name)!];
        expect(isMatch(f, 0, f.length, n, 0, n.length)).toBe(matches(filter, name));
      }),
      runs(1000),
    );
  });
});

describe('a Topic Filter', () => {
  it('is valid when the model says so [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2]', () => {
    fc.assert(
      fc.property(fc.oneof(nearly, filters), fc.boolean(), (filter, allowShared) => {
        expect(filterError(filter, allowShared) < 0, filter).toBe(isFilter(filter, allowShared));
      }),
      runs(20_000),
    );
  });

  it('has its error within it, and is the same wherever it is', () => {
    fc.assert(
      fc.property(nearly, (filter) => {
        const error = filterError(filter);
        const utf8 = encodeUtf8(filter)!;
        expect(error).toBeLessThanOrEqual(utf8.length);
        expect(findFilterError(utf8, 0, utf8.length, true)).toBe(error);
      }),
      runs(2000),
    );
  });

  it.each([
    ['', 0, '[MQTT-4.7.3-1]'],
    ['sport/tennis#', 12, '[MQTT-4.7.1-1]'],
    ['sport/tennis/#/ranking', 13, '[MQTT-4.7.1-1]'],
    ['#/a', 0, '[MQTT-4.7.1-1]'],
    ['a/##', 2, '[MQTT-4.7.1-1]'],
    ['sport+', 5, '[MQTT-4.7.1-2]'],
    ['+a', 0, '[MQTT-4.7.1-2]'],
    ['a/+b/c', 2, '[MQTT-4.7.1-2]'],
    ['++', 0, '[MQTT-4.7.1-2]'],
    ['a/+#', 2, '[MQTT-4.7.1-2]'],
    ['$share//a', 7, '[MQTT-4.8.2-1]'],
    ['$share/', 7, '[MQTT-4.8.2-1]'],
    ['$share/g', 7, '[MQTT-4.8.2-2]'],
    ['$share/g/', 7, '[MQTT-4.8.2-2]'],
    ['$share/g+/a', 8, '[MQTT-4.8.2-2]'],
    ['$share/#/a', 7, '[MQTT-4.8.2-2]'],
    ['$share/g/a#', 10, '[MQTT-4.8.2-2]'],
  ])('%j is wrong at %d %s', (filter, offset) => {
    expect(filterError(filter)).toBe(offset);
  });

  it.each([
    '#',
    '+',
    '/',
    '//',
    '+/+',
    '/+',
    '+/tennis/#',
    'a/#',
    '/#',
    '$share',
    '$shared/+',
    '$share/g/a',
    '$share/g//',
    '$share/g/#',
    '$share/g/$SYS/+',
  ])('%s is valid [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1]', (filter) =>
    expect(filterError(filter)).toBe(-1),
  );

  it('of 3.1.1 knows no shares: $share is a level like any other', () => {
    expect(filterError('$share/g', false)).toBe(-1);
    expect(filterError('$share//a', false)).toBe(-1);
    expect(filterError('$share/+/a', false)).toBe(-1);
  });

  it('that is shared has its own filter behind the share name', () => {
    fc.assert(
      fc.property(filters, fc.constantFrom('g', 'é', '$', 'a b'), (filter, name) => {
        const { bytes, at, end } = place(`$share/${name}/${filter}`);
        expect(isShared(bytes, at, end)).toBe(true);
        const inner = sharedFilterOffset(bytes, at, end);
        expect(Buffer.from(bytes.subarray(inner, end)).toString()).toBe(filter);
        const plain = place(filter);
        if (filter.startsWith('$share/')) return;
        expect(isShared(plain.bytes, plain.at, plain.end)).toBe(false);
        expect(sharedFilterOffset(plain.bytes, plain.at, plain.end)).toBe(plain.at);
      }),
      runs(500),
    );
  });
});

describe('wildcards', () => {
  it('are found where they are first [MQTT-3.3.2-2] [MQTT-4.7.0-1]', () => {
    fc.assert(
      fc.property(nearly, (text) => {
        const { bytes, at, end } = place(text);
        const index = Buffer.from(text).findIndex((byte) => byte === 0x2b || byte === 0x23);
        expect(findWildcard(bytes, at, end)).toBe(index < 0 ? -1 : at + index);
        expect(hasWildcard(bytes, at, end)).toBe(index >= 0);
      }),
      runs(1000),
    );
  });
});
