/** The tree of Topic Filters: held against src/topic.ts, which knows one filter and one name at a time. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { LevelNode, TopicTree } from '../../sim/broker/topic-tree.ts';
import { isMatch } from '../../src/topic.ts';
import { runs } from '../seed.ts';

const encoder = new TextEncoder();

function isMatchOf(topicFilter: string, topicName: string): boolean {
  const filter = encoder.encode(topicFilter);
  const name = encoder.encode(topicName);
  return isMatch(filter, 0, filter.length, name, 0, name.length);
}

function matchOf<T>(tree: TopicTree<T>, topicName: string): T[] {
  const found: T[] = [];
  tree.match(topicName, found);
  return found;
}

/** A tree in which each filter is its own entry. */
function treeOf(...topicFilters: string[]): TopicTree<string> {
  const tree = new TopicTree<string>();
  for (const topicFilter of topicFilters) tree.add(topicFilter, topicFilter);
  return tree;
}

// Few different levels, so that names and filters meet; empty ones, and ones that look alike.
const nameLevel = fc.constantFrom('', 'a', 'b', 'A', 'aa', '$SYS', '$', 'ä');
const nameOf = fc
  .array(nameLevel, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filterOf = fc
  .tuple(
    fc.array(fc.oneof(nameLevel, fc.constant('+')), { minLength: 0, maxLength: 5 }),
    fc.constantFrom(null, '#'),
  )
  .map(([levels, last]) => (last === null ? levels : [...levels, last]).join('/'))
  .filter((filter) => filter !== '');

describe('TopicTree', () => {
  test('the examples of the standard (4.7.1)', () => {
    const tree = treeOf(
      '#',
      'sport/tennis/player1/#',
      'sport/#',
      'sport/tennis/+',
      'sport/+',
      '+',
      '+/+',
      '/+',
      '+/tennis/#',
    );
    const found = (topicName: string): string[] => matchOf(tree, topicName).sort();
    expect(found('sport')).toEqual(['#', '+', 'sport/#']);
    expect(found('sport/')).toEqual(['#', '+/+', 'sport/#', 'sport/+']);
    expect(found('/finance')).toEqual(['#', '+/+', '/+']);
    expect(found('sport/tennis/player1')).toEqual([
      '#',
      '+/tennis/#',
      'sport/#',
      'sport/tennis/+',
      'sport/tennis/player1/#',
    ]);
    expect(found('sport/tennis/player1/ranking')).toEqual([
      '#',
      '+/tennis/#',
      'sport/#',
      'sport/tennis/player1/#',
    ]);
  });

  test('[MQTT-4.7.2-1] filters that begin with a wildcard do not match names that begin with $', () => {
    const tree = treeOf('#', '+/monitor/Clients', '+', '+/#', '$SYS/#', '$SYS/monitor/+', '$SYS/+/Clients');
    expect(matchOf(tree, '$SYS').sort()).toEqual(['$SYS/#']);
    expect(matchOf(tree, '$SYS/monitor/Clients').sort()).toEqual([
      '$SYS/#',
      '$SYS/+/Clients',
      '$SYS/monitor/+',
    ]);
    // Only as the first character of the name.
    expect(matchOf(treeOf('+/#', 'a/+'), 'a/$b').sort()).toEqual(['+/#', 'a/+']);
  });

  test('levels may be empty, and are told apart by case and by every character', () => {
    const tree = treeOf('/', '//', '+', '/a', 'a/', 'a', 'A', 'a/b', 'ab');
    expect(matchOf(tree, '/')).toEqual(['/']);
    expect(matchOf(tree, '//')).toEqual(['//']);
    expect(matchOf(tree, '/a')).toEqual(['/a']);
    expect(matchOf(tree, 'a/')).toEqual(['a/']);
    expect(matchOf(tree, 'a').sort()).toEqual(['+', 'a']);
    expect(matchOf(tree, 'A').sort()).toEqual(['+', 'A']);
  });

  test('an entry counts once under a filter, and for each filter that it is under', () => {
    const tree = new TopicTree<string>();
    tree.add('a/+', 'x');
    const { version } = tree;
    tree.add('a/+', 'x');
    expect(tree.version).toBe(version);
    tree.add('a/b', 'x');
    expect(tree.version).toBeGreaterThan(version);
    expect(tree.count).toBe(2);
    expect(matchOf(tree, 'a/b')).toEqual(['x', 'x']);
  });

  test('says whether there was something to remove', () => {
    const tree = treeOf('a/b/#', 'a/+');
    const { version } = tree;
    for (const filter of ['a/b', 'a', 'a/b/c/#', '#', 'a/#', '+/b/#']) {
      expect(tree.remove(filter, filter)).toBe(false);
    }
    expect(tree.remove('a/+', 'another')).toBe(false);
    expect(tree.version).toBe(version);
    expect(tree.remove('a/b/#', 'a/b/#')).toBe(true);
    expect(tree.remove('a/b/#', 'a/b/#')).toBe(false);
    expect(tree.version).toBeGreaterThan(version);
    expect(tree.count).toBe(1);
    expect(matchOf(tree, 'a/b')).toEqual(['a/+']);
  });

  test('appends to what was found before', () => {
    const found = ['before'];
    treeOf('a').match('a', found);
    expect(found).toEqual(['before', 'a']);
  });

  test('many entries of one filter come in the order they were added, and go one by one', () => {
    const tree = new TopicTree<number>();
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    for (const number of numbers) tree.add('a/#', number);
    tree.add('a/#', 50);
    expect(tree.count).toBe(100);
    expect(matchOf(tree, 'a')).toEqual(numbers);
    for (const number of numbers) {
      expect(tree.remove('a/#', number)).toBe(true);
      expect(tree.remove('a/#', number)).toBe(false);
      expect(matchOf(tree, 'a/b')).toEqual(numbers.slice(number + 1));
    }
    expect(tree.count).toBe(0);
  });

  test('matches what src/topic.ts matches, through additions and removals', () => {
    const step = fc.record({
      isAdded: fc.boolean(),
      filter: filterOf,
      again: fc.nat(),
      entry: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(nameOf, { maxLength: 10 }), (steps, names) => {
        const tree = new TopicTree<string>();
        const model = new Set<string>();
        const used: string[] = [];
        for (const { isAdded, filter, again, entry } of steps) {
          // Half of the removals are of what is there.
          const topicFilter =
            !isAdded && used.length > 0 && again % 2 === 0 ? used[again % used.length] : filter;
          const key = `${topicFilter} ${entry}`;
          const { version } = tree;
          const isChanged = isAdded ? !model.has(key) : model.has(key);
          if (isAdded) {
            tree.add(topicFilter, key);
            model.add(key);
            used.push(topicFilter);
          } else {
            expect(tree.remove(topicFilter, key)).toBe(model.delete(key));
          }
          expect(tree.version > version).toBe(isChanged);
          expect(tree.count).toBe(model.size);
        }
        for (const name of names) {
          const expected = [...model].filter((key) => isMatchOf(key.split(' ')[0], name));
          expect(matchOf(tree, name).sort()).toEqual(expected.sort());
        }
        for (const key of model) expect(tree.remove(key.split(' ')[0], key)).toBe(true);
        // Nothing is left of what was there.
        const { root } = tree as unknown as { root: { isEmpty(): boolean } };
        expect(root.isEmpty()).toBe(true);
      }),
      runs(500),
    );
  });

  test('tens of thousands of levels are no danger', () => {
    const levelCount = 30_000;
    const tree = new TopicTree<string>();
    const pluses = Array<string>(levelCount).fill('+').join('/');
    const slashes = '/'.repeat(levelCount - 1);
    tree.add(pluses, 'pluses');
    tree.add(slashes, 'slashes');
    tree.add(`${slashes}/#`, 'below');
    expect(matchOf(tree, slashes).sort()).toEqual(['below', 'pluses', 'slashes']);
    expect(matchOf(tree, `${slashes}/a`)).toEqual(['below']);
    expect(matchOf(tree, slashes.slice(1))).toEqual([]);
    expect(tree.remove(pluses, 'pluses')).toBe(true);
    expect(tree.remove(slashes, 'slashes')).toBe(true);
    expect(matchOf(tree, slashes)).toEqual(['below']);
  });

  test('a match visits a node at most once, whatever the filters', () => {
    // Every choice of `+` or `a` at 10 levels, each with and without `#`: a node for each beginning of a choice.
    const tree = new TopicTree<number>();
    for (let choice = 0; choice < 1024; choice++) {
      const levels = Array.from({ length: 10 }, (_, level) => ((choice >> level) & 1 ? '+' : 'a'));
      tree.add(levels.join('/'), choice);
      tree.add(`${levels.join('/')}/#`, choice);
    }
    const nodeCount = 2 ** 11 - 1;
    const find = vi.spyOn(LevelNode.prototype, 'find');
    try {
      expect(matchOf(tree, Array<string>(10).fill('a').join('/'))).toHaveLength(2048);
      expect(find.mock.calls.length).toBeLessThanOrEqual(nodeCount);
      find.mockClear();
      expect(matchOf(tree, Array<string>(10_000).fill('a').join('/'))).toHaveLength(1024);
      expect(find.mock.calls.length).toBeLessThanOrEqual(nodeCount);
    } finally {
      find.mockRestore();
    }
    // After a wide match, a narrow one.
    expect(matchOf(tree, 'a')).toEqual([]);
  });
});
