/**
 * Topic filters as sets of names: what is decided of all names is what trying every name of a small world says.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, matches, overlaps, parseFilter } from '../../../sim/broker/access/topic-filter.ts';
import { isMatch } from '../../../src/topic.ts';
import { runs } from '../../seed.ts';

const encoder = new TextEncoder();

/** Levels of filters, and "z", which no filter names: it stands for every other text. */
const TEXTS = ['a', 'b', '', '$s'];
const LEVELS_MAX = 3;
/** One level more than filters have: still longer names are alike to all of them. */
const NAMES = namesOf(LEVELS_MAX + 1);

function namesOf(levelsMax: number): string[] {
  let names = [''];
  const all: string[] = [];
  for (let count = 1; count <= levelsMax; count++) {
    names = names.flatMap((name) => [...TEXTS, 'z'].map((text) => (count === 1 ? text : `${name}/${text}`)));
    all.push(...names);
  }
  return all.filter((name) => name !== '');
}

const filters = fc
  .tuple(fc.array(fc.constantFrom(...TEXTS, '+', '+'), { maxLength: LEVELS_MAX }), fc.boolean())
  .map(([levels, hasRest]) => [...levels, ...(hasRest ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '');

const namesByFilter = new Map<string, Set<string>>();

/** The names that a filter matches, by the function that sessions match with. */
function namesOfFilter(filter: string): Set<string> {
  let names = namesByFilter.get(filter);
  if (names === undefined) {
    const bytes = encoder.encode(filter);
    const isName = (name: string): boolean => {
      const nameBytes = encoder.encode(name);
      return isMatch(bytes, 0, bytes.length, nameBytes, 0, nameBytes.length);
    };
    names = new Set(NAMES.filter(isName));
    namesByFilter.set(filter, names);
  }
  return names;
}

const isCovered = (rules: string[], filter: string) => covers(rules.map(parseFilter), parseFilter(filter));
const isOverlap = (a: string, b: string) => overlaps(parseFilter(a), parseFilter(b));

describe('a topic filter', () => {
  it('matches the names that it matches elsewhere', () => {
    fc.assert(
      fc.property(filters, (filter) => {
        const parsed = parseFilter(filter);
        const names = NAMES.filter((name) => matches(parsed, name.split('/')));
        expect(names, filter).toEqual([...namesOfFilter(filter)]);
      }),
      runs(300),
    );
  });

  it('is covered by rules exactly when every name that it matches is matched by one', () => {
    let coveredCount = 0;
    fc.assert(
      fc.property(fc.array(filters, { maxLength: 4 }), filters, (rules, filter) => {
        const ruled = rules.map(namesOfFilter);
        const left = [...namesOfFilter(filter)].filter((name) => !ruled.some((names) => names.has(name)));
        if (left.length === 0) coveredCount++;
        expect(isCovered(rules, filter), `${rules.join(' ')} and ${filter}, ${left[0]}`).toBe(
          left.length === 0,
        );
      }),
      runs(3000),
    );
    expect(coveredCount).toBeGreaterThan(0);
  });

  it('overlaps another exactly when both match some name', () => {
    fc.assert(
      fc.property(filters, filters, (a, b) => {
        const namesOfB = namesOfFilter(b);
        const common = [...namesOfFilter(a)].find((name) => namesOfB.has(name));
        expect(isOverlap(a, b), `${a} and ${b}, ${common}`).toBe(common !== undefined);
        expect(isOverlap(b, a)).toBe(isOverlap(a, b));
      }),
      runs(3000),
    );
  });
});

describe('covering', () => {
  it.each([
    ['a/#', 'a'],
    ['a/#', 'a/b/c'],
    ['a/#', 'a/+/c'],
    ['a/#', 'a/#'],
    ['+/b', 'a/b'],
    ['#', '+/#'],
    ['+/#', '#'],
    ['#', 'a/#'],
    ['$SYS/#', '$SYS/+/x'],
    ['/#', '/+'],
  ])('%s covers %s', (rule, filter) => expect(isCovered([rule], filter)).toBe(true));

  it.each([
    ['a', 'a/#'],
    ['a/+', 'a/#'],
    ['a/+/#', 'a/#'],
    ['a/b', 'a/+'],
    ['a/+', 'a/b/c'],
    // [MQTT-4.7.2-1]
    ['#', '$SYS/#'],
    ['+/x', '$SYS/x'],
  ])('%s does not cover %s', (rule, filter) => expect(isCovered([rule], filter)).toBe(false));

  it('adds rules up', () => {
    expect(isCovered(['a', 'a/+/#'], 'a/#')).toBe(true);
    expect(isCovered(['a', 'a/+', 'a/+/+'], 'a/#')).toBe(false);
    expect(isCovered([], 'a')).toBe(false);
  });
});
